import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import type { LockfileUse } from './cli-arguments.ts';

/** Where the CLI keeps the lock file of a configuration. */
export function lockfilePath(configPath: string): string {
  const name = basename(configPath).startsWith('.') ? '.devcontainer-lock.json' : 'devcontainer-lock.json';
  return join(dirname(configPath), name);
}

/**
 * `frozen` when there is a lock file, so that its versions count. An empty one asks the CLI to fill it, which would
 * write into the workspace, so it counts as none.
 */
export async function lockfileUse(configPath: string): Promise<LockfileUse> {
  try {
    const text = await readFile(lockfilePath(configPath), 'utf8');
    return text.trim() === '' ? 'none' : 'frozen';
  } catch {
    return 'none';
  }
}
