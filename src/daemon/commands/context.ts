import { realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { WireDevcontainer } from '../../http/wire-schemas.ts';
import { createDaemonClient, type DaemonClient } from '../client/client.ts';
import { resolveName } from '../client/resolve-name.ts';
import { canAsk, confirm } from '../output/confirm.ts';
import { createOutput, type Output } from '../output/output.ts';
import { defaultStateDirectory, type StateDirectory, stateDirectoryAt } from '../state/state-directory.ts';

/** Flags that every command takes. */
export interface LocationFlags {
  readonly json?: boolean;
  readonly stateDir?: string;
  readonly socket?: string;
}

/** What every command works with. */
export interface CommandContext {
  readonly output: Output;
  readonly directory: StateDirectory;
  readonly client: DaemonClient;
  /** Asks the person a question, whose answer is no unless it is a clear yes; `undefined` when nobody can be asked. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined;
}

export function createContext(flags: LocationFlags): CommandContext {
  const directory = stateDirectoryAt(flags.stateDir ?? defaultStateDirectory(), flags.socket);
  return {
    output: createOutput({ json: flags.json === true }),
    directory,
    client: createDaemonClient(directory.socket),
    confirm: flags.json !== true && canAsk() ? (question) => confirm(question) : undefined,
  };
}

/** The devcontainer that `text` names; see `resolveName`. */
export async function findDevcontainer(client: DaemonClient, text: string): Promise<WireDevcontainer> {
  return resolveName({ text, folder: await realFolder(text) }, await listDevcontainers(client));
}

export async function listDevcontainers(client: DaemonClient): Promise<readonly WireDevcontainer[]> {
  const { body } = await client.send({ method: 'GET', path: '/devcontainers' });
  return (body as { devcontainers: WireDevcontainer[] }).devcontainers;
}

/** Real path of `text` as a folder, seen from here; `undefined` when it is none. */
export async function realFolder(text: string): Promise<string | undefined> {
  try {
    const path = await realpath(resolve(text));
    return (await stat(path)).isDirectory() ? path : undefined;
  } catch {
    return undefined;
  }
}

/** `/devcontainers/:id` and what comes after. */
export function devcontainerPath(id: string, rest = ''): string {
  return `/devcontainers/${encodeURIComponent(id)}${rest}`;
}
