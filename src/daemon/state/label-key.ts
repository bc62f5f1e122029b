import { randomBytes } from 'node:crypto';
import { chmod, readFile, rename, stat } from 'node:fs/promises';
import writeFileAtomic from 'write-file-atomic';
import { AgentContainersError, errorMessage } from '../../errors.ts';
import type { Logger } from '../../logger.ts';

const KEY = /^[0-9a-f]{64}$/;

/**
 * What signs the labels of containers that we make: 32 random bytes in hex, in a 0600 file, kept over restarts. One that
 * is damaged, or that others could have read, is set aside as `<file>.damaged-<time>` and a new one is made, with a
 * warning. `state-unreadable` when that cannot be done.
 */
export async function loadLabelKey(file: string, logger: Logger, now: () => number = Date.now): Promise<string> {
  try {
    return (await readKey(file, logger, now)) ?? (await makeKey(file));
  } catch (error) {
    throw new AgentContainersError(
      'state-unreadable',
      `Preparing the key of labels ${file} failed: ${errorMessage(error)}. Make room, correct its rights or move it away, or give another --state-dir.`,
      { cause: error },
    );
  }
}

async function readKey(file: string, logger: Logger, now: () => number): Promise<string | undefined> {
  let key: string;
  try {
    key = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const isOpen = ((await stat(file)).mode & 0o077) !== 0;
  if (KEY.test(key) && !isOpen) return key;
  const aside = `${file}.damaged-${new Date(now()).toISOString().replaceAll(':', '-')}`;
  await rename(file, aside);
  logger.warn(
    { file, aside },
    `Reading the key of labels failed: ${isOpen ? 'others could read it' : 'it is damaged'}. It was set aside as ${aside} and a new one was made; of containers made before, only the state file tells that they are ours.`,
  );
  return undefined;
}

async function makeKey(file: string): Promise<string> {
  const key = randomBytes(32).toString('hex');
  await writeFileAtomic(file, `${key}\n`, { mode: 0o600 });
  await chmod(file, 0o600);
  return key;
}
