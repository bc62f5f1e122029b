import { readFile, rm } from 'node:fs/promises';
import writeFileAtomic from 'write-file-atomic';
import { z } from 'zod';
import { lockHolder } from './instance-lock.ts';
import type { StateDirectory } from './state-directory.ts';

const noteSchema = z.object({ pid: z.int(), engine: z.string(), context: z.string().optional() });

/** Which engine a running daemon works with. */
export interface EngineInUse {
  readonly engine: string;
  /** The docker context that it was told to take, which may hold certificates. */
  readonly context?: string | undefined;
}

/** Lets other commands know what this daemon works with (0600), until it is removed. The daemon holds the lock. */
export async function noteEngineInUse(
  directory: StateDirectory,
  inUse: EngineInUse,
): Promise<{ remove(): Promise<void> }> {
  const { daemonNote } = directory;
  await writeFileAtomic(daemonNote, `${JSON.stringify({ pid: process.pid, ...inUse })}\n`, { mode: 0o600 });
  return { remove: () => rm(daemonNote, { force: true }) };
}

/** `undefined` when no daemon holds the directory, or it has not said. What a killed one left behind does not count. */
export async function engineInUse(directory: StateDirectory): Promise<EngineInUse | undefined> {
  const holder = await lockHolder(directory.lock);
  if (holder === undefined) return undefined;
  try {
    const { pid, ...inUse } = noteSchema.parse(JSON.parse(await readFile(directory.daemonNote, 'utf8')));
    return pid === holder.pid ? inUse : undefined;
  } catch {
    return undefined;
  }
}
