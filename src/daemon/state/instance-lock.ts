import { randomUUID } from 'node:crypto';
import { access, link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { AgentContainersError, errorMessage, isAgentContainersError } from '../../errors.ts';
import {
  identityOf,
  isAlive,
  type ProcessIdentity,
  type ProcessTable,
  systemProcessTable,
} from '../../process/process-identity.ts';

const holderSchema = z.object({
  pid: z.int().positive(),
  bootId: z.string(),
  startTime: z.string(),
  nonce: z.string(),
});
type Holder = z.infer<typeof holderSchema>;

export interface InstanceLock {
  readonly holder: ProcessIdentity;
  /** Gives the directory free. Idempotent; never removes a lock of somebody else. */
  release(): Promise<void>;
}

/**
 * Takes the state directory for this process. A lock whose process is gone (killed, or from before a reboot, or its id
 * given to another process since) is taken over. `state-locked` when another daemon holds it, `state-unreadable` when it
 * cannot be written.
 *
 * What must hold: the file appears by `link` and is replaced by `rename`, so nobody ever reads half a lock and there is
 * no moment without one; a stale lock is replaced only by who holds the lock `<path>.takeover` and has found it stale
 * while holding that, so of several who find it stale only one wins.
 */
export async function acquireInstanceLock(
  path: string,
  options: { readonly pid?: number; readonly table?: ProcessTable } = {},
): Promise<InstanceLock> {
  const { pid = process.pid, table = systemProcessTable } = options;
  const holder: Holder = { ...identityOf(pid, table), nonce: randomUUID() };
  try {
    await acquire(path, holder, table, 0);
  } catch (error) {
    if (isAgentContainersError(error)) throw error;
    throw new AgentContainersError(
      'state-unreadable',
      `Taking the lock ${path} failed: ${errorMessage(error)}. Make room or correct its rights, or give another --state-dir.`,
      { cause: error },
    );
  }
  return { holder, release: () => release(path, holder.nonce) };
}

const RETRIES = 100;
const RETRY_MS = 20;
/** A take-over that was itself killed leaves a stale `.takeover`; more than a few of these are not an accident. */
const MAX_DEPTH = 3;

async function acquire(path: string, own: Holder, table: ProcessTable, depth: number): Promise<void> {
  const fresh = `${path}.${own.nonce}`;
  await writeFile(fresh, JSON.stringify(own), { mode: 0o600, flag: 'wx' });
  try {
    for (let attempt = 0; attempt < RETRIES && depth < MAX_DEPTH; attempt++) {
      if (await linked(fresh, path)) return;
      if (isHeld(await readHolder(path), table)) throw lockedBy(await readHolder(path), path);
      if (await takeOver(path, fresh, own, table, depth)) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  } finally {
    await rm(fresh, { force: true });
  }
  throw new AgentContainersError(
    'state-locked',
    `Taking the lock ${path} failed: other processes keep taking it. If no daemon is running, delete it and start again.`,
  );
}

/** False: somebody else is taking it over, or it has changed; look again. */
async function takeOver(
  path: string,
  fresh: string,
  own: Holder,
  table: ProcessTable,
  depth: number,
): Promise<boolean> {
  const gate = `${path}.takeover`;
  try {
    await acquire(gate, { ...own, nonce: randomUUID() }, table, depth + 1);
  } catch (error) {
    if (isAgentContainersError(error, 'state-locked') && depth === 0) return false;
    throw error;
  }
  try {
    if (isHeld(await readHolder(path), table) || !(await exists(path))) return false;
    await rename(fresh, path);
    return true;
  } finally {
    await rm(gate, { force: true });
  }
}

/** Who holds the lock, if its process is alive. */
export async function lockHolder(
  path: string,
  table: ProcessTable = systemProcessTable,
): Promise<ProcessIdentity | undefined> {
  const holder = await readHolder(path);
  return holder !== undefined && isAlive(holder, table) ? holder : undefined;
}

function isHeld(holder: Holder | undefined, table: ProcessTable): boolean {
  return holder !== undefined && isAlive(holder, table);
}

function lockedBy(holder: Holder | undefined, path: string): AgentContainersError {
  const who = holder === undefined ? 'another process' : `process ${holder.pid}`;
  return new AgentContainersError(
    'state-locked',
    `Starting the daemon failed: ${who} already serves this state directory. Stop it${holder === undefined ? '' : ` with \`kill ${holder.pid}\``}, or give another --state-dir.`,
    { details: { pid: holder?.pid, lock: path } },
  );
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** `undefined` when there is no lock or nobody can read it as one. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function release(path: string, nonce: string): Promise<void> {
  if ((await readHolder(path))?.nonce === nonce) await rm(path, { force: true });
}
