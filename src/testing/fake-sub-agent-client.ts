import type { SubAgentClient, SubAgentRecord, SubAgentSpec } from '../agentcontainers/ports.ts';
import { AgentContainersError } from '../errors.ts';
import { countingIds } from './counting-ids.ts';
import type { LeakSource } from './leak-guard.ts';
import { createScriptedCalls } from './scripted-calls.ts';
import type { CallControls } from './scripted-calls.ts';

type CreateSpec = Parameters<SubAgentClient['create']>[0];
type Created = Awaited<ReturnType<SubAgentClient['create']>>;

export interface FakeSubAgentClient extends SubAgentClient, CallControls<'list' | 'create' | 'delete'>, LeakSource {
  /**
   * `create` registers: names are unique (ignoring case), an `id` updates the record that {@link addRecord} made, and
   * the n-th call of all returns the token `sub-agent-token-<n>`.
   */
  succeedsByDefault(): FakeSubAgentClient;
  /** Plays `create`. The record that it returns is registered. */
  onCreate(script: (spec: CreateSpec) => Created | Promise<Created>): void;
  /** A record that was there before, for example one that the embedder assigned. */
  addRecord(spec: Partial<SubAgentRecord>): SubAgentRecord;
  /** What is registered now, oldest first. */
  readonly records: readonly SubAgentRecord[];
  /** Every `create` that succeeded, oldest first. */
  readonly created: readonly (Created & { readonly spec: CreateSpec })[];
  /** Ids that were deleted, oldest first; also those that were not there. */
  readonly deleted: readonly string[];
}

/** A control plane in memory. Listing and deleting work; creating must be scripted or opted into. */
export function createFakeSubAgentClient(): FakeSubAgentClient {
  const calls = createScriptedCalls('subAgentClient', ['list', 'create', 'delete']);
  const nextId = countingIds('5');
  const records = new Map<string, SubAgentRecord>();
  const created: (Created & { readonly spec: CreateSpec })[] = [];
  const deleted: string[] = [];
  let script: ((spec: CreateSpec) => Created | Promise<Created>) | undefined;

  function register(spec: CreateSpec): Created {
    const taken = [...records.values()].find(
      ({ id, name }) => id !== spec.id && name.toLowerCase() === spec.name.toLowerCase(),
    );
    if (taken) {
      throw new AgentContainersError(
        'sub-agent-name-taken',
        `Registering sub-agent ${spec.name} failed: the name is taken. Choose another name.`,
      );
    }
    if (spec.id !== undefined && !records.has(spec.id)) {
      throw new AgentContainersError(
        'control-plane-refused',
        `Updating sub-agent ${spec.id} failed: there is no such record. Add it with subAgentClient.addRecord(…).`,
      );
    }
    const record = { ...spec, id: spec.id ?? nextId() };
    return { record, token: `sub-agent-token-${calls.calls.create}` };
  }

  const client: FakeSubAgentClient = {
    calls: calls.calls,
    failNext: calls.failNext,
    hang: calls.hang,
    leaks: calls.leaks,

    succeedsByDefault() {
      script ??= register;
      return client;
    },
    onCreate(next) {
      script = next;
    },
    addRecord(spec) {
      const record: SubAgentRecord = { ...DEFAULT_SPEC, id: nextId(), ...spec };
      records.set(record.id, record);
      return record;
    },
    get records() {
      return [...records.values()];
    },
    created,
    deleted,

    list: (signal) => calls.perform('list', signal, () => [...records.values()]),
    create: (spec, signal) =>
      calls.perform('create', signal, async () => {
        if (!script) {
          throw calls.unscripted(
            `subAgentClient.create ${spec.name}`,
            'Script it with subAgentClient.onCreate(…) or subAgentClient.succeedsByDefault().',
          );
        }
        const result = await script(spec);
        records.set(result.record.id, result.record);
        created.push({ ...result, spec });
        return result;
      }),
    delete: (id, signal) =>
      calls.perform('delete', signal, () => {
        deleted.push(id);
        records.delete(id);
      }),
  };
  return client;
}

const DEFAULT_SPEC: SubAgentSpec = {
  name: 'sub-agent',
  directory: '/workspaces/app',
  operatingSystem: 'linux',
  architecture: 'amd64',
  displayApps: [],
  apps: [],
};
