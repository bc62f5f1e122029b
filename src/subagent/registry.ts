import { createHash, randomBytes } from 'node:crypto';
import type { NewId, SubAgentClient, SubAgentRecord } from '../agentcontainers/ports.ts';
import { AgentContainersError } from '../errors.ts';

/** The embedded control plane: records of sub-agents in this process, gone with it. */
export interface SubAgentRegistry extends SubAgentClient {
  /** The record that this token was given out for, while it is the newest token of that record. */
  verifyToken(token: string): SubAgentRecord | undefined;
}

export interface SubAgentRegistryOptions {
  readonly newId: NewId;
  /** Makes a token; default: 256 random bits, base64url. */
  readonly newToken?: (() => string) | undefined;
}

/**
 * Names are unique whatever their case (`sub-agent-name-taken`). A pre-assigned id is updated in place, or made when it
 * is not known yet. Each `create` gives out a new token, and the earlier one of that record ends. Of a token only a
 * digest is kept.
 */
export function createSubAgentRegistry(options: SubAgentRegistryOptions): SubAgentRegistry {
  const newToken = options.newToken ?? ((): string => randomBytes(32).toString('base64url'));
  const records = new Map<string, SubAgentRecord>();
  const idsByToken = new Map<string, string>();

  function forgetToken(id: string): void {
    for (const [digest, owner] of idsByToken) if (owner === id) idsByToken.delete(digest);
  }

  return {
    async list(signal) {
      signal.throwIfAborted();
      return [...records.values()].map((record) => structuredClone(record));
    },

    async create(spec, signal) {
      signal.throwIfAborted();
      const id = spec.id ?? options.newId();
      const name = spec.name.toLowerCase();
      for (const other of records.values()) {
        if (other.id !== id && other.name.toLowerCase() === name) {
          throw new AgentContainersError(
            'sub-agent-name-taken',
            `Registering the sub-agent ${JSON.stringify(spec.name)} failed: the name is taken. Choose another name.`,
            { details: { name: spec.name } },
          );
        }
      }
      const record: SubAgentRecord = structuredClone({ ...records.get(id), ...spec, id });
      const token = newToken();
      records.set(id, record);
      forgetToken(id);
      idsByToken.set(digestOf(token), id);
      return { record: structuredClone(record), token };
    },

    async delete(id, signal) {
      signal.throwIfAborted();
      records.delete(id);
      forgetToken(id);
    },

    verifyToken(token) {
      // Looked up by digest, so the time it takes says nothing about a stored token.
      const record = records.get(idsByToken.get(digestOf(token)) ?? '');
      return record && structuredClone(record);
    },
  };
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
