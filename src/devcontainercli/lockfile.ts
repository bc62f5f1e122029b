import { basename, dirname, join } from 'node:path';

import { readRegularFile } from '../files/read-regular-file.ts';
import type { LockfileUse } from './cli-arguments.ts';

/** What is larger holds something for sure. */
const MAX_BYTES = 1024 * 1024;

/** Where the CLI keeps the lock file of a configuration. */
export function lockfilePath(configPath: string): string {
  const name = basename(configPath).startsWith('.') ? '.devcontainer-lock.json' : 'devcontainer-lock.json';
  return join(dirname(configPath), name);
}

/**
 * `frozen` when there is a lock file, so that its versions count. An empty one asks the CLI to fill it, which would
 * write into the workspace, so it counts as none; so does what is no regular file or cannot be read. Never throws.
 */
export async function lockfileUse(configPath: string): Promise<LockfileUse> {
  try {
    const file = await readRegularFile(lockfilePath(configPath), MAX_BYTES);
    switch (file.kind) {
      case 'read':
        return file.bytes.toString('utf8').trim() === '' ? 'none' : 'frozen';
      case 'too-large':
        return 'frozen';
      case 'not-regular':
        return 'none';
    }
  } catch {
    return 'none';
  }
}
