import { lstat, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

import { readRegularFile } from '../files/read-regular-file.ts';
import {
  identityOf,
  isAlive,
  systemProcessTable,
  type ProcessIdentity,
  type ProcessTable,
} from '../process/process-identity.ts';
import { ownProcessId, ownUserId } from './process-group.ts';

/** How the names of the folders of runs begin. */
export const PREFIX = 'agentcontainers-cli-';

const OWNER = 'owner.json';
const MAX_OWNER = 4_096;
/** More are left for the next time. */
const MAX_SWEPT = 200;
const ownerSchema = z.object({ pid: z.int().positive(), bootId: z.string(), startTime: z.string() });

let own: ProcessIdentity | undefined;

/** Notes that a folder belongs to this process, so that it can be told when nobody needs it any more. */
export async function markAsOwn(folder: string): Promise<void> {
  own ??= identityOf(ownProcessId);
  await writeFile(join(folder, OWNER), JSON.stringify(own), { mode: 0o600, flag: 'wx' });
}

/**
 * Removes folders of processes that were killed before they could. Never rejects.
 *
 * What must hold: only what this user made and nobody else can write is removed; whoever could write it could lead the
 * removal elsewhere. What belongs to a process that runs, or to nobody that is known, stays.
 */
export async function sweepRunFolders(parent: string, table: ProcessTable = systemProcessTable): Promise<void> {
  try {
    const names = (await readdir(parent)).filter((name) => name.startsWith(PREFIX));
    for (const name of names.slice(0, MAX_SWEPT)) await sweep(join(parent, name), table);
  } catch {
    // What cannot be listed cannot be swept; making the next folder says what is wrong.
  }
}

async function sweep(folder: string, table: ProcessTable): Promise<void> {
  try {
    const status = await lstat(folder);
    const isOurs = status.isDirectory() && (status.mode & 0o077) === 0 && status.uid === (ownUserId() ?? status.uid);
    if (!isOurs) return;
    const file = await readRegularFile(join(folder, OWNER), MAX_OWNER);
    if (file.kind !== 'read') return;
    const owner = ownerSchema.safeParse(JSON.parse(file.bytes.toString('utf8'))).data;
    if (owner !== undefined && !isAlive(owner, table)) await rm(folder, { recursive: true, force: true });
  } catch {
    // Somebody else removes it, or it is none of ours.
  }
}
