import { randomBytes } from 'node:crypto';
import { chmod, readFile, stat } from 'node:fs/promises';
import writeFileAtomic from 'write-file-atomic';
import { AgentContainersError, errorMessage } from '../../errors.ts';

const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/**
 * The bearer token of the TCP listener: 256 random bits in a 0600 file, kept over restarts. One that is damaged, or
 * that others could have read, is replaced. `state-unreadable` when that cannot be done.
 */
export async function loadAccessToken(file: string): Promise<string> {
  try {
    return await loadOrMake(file);
  } catch (error) {
    throw new AgentContainersError(
      'state-unreadable',
      `Preparing the token ${file} failed: ${errorMessage(error)}. Make room, correct its rights or move it away, or give another --state-dir.`,
      { cause: error },
    );
  }
}

async function loadOrMake(file: string): Promise<string> {
  try {
    const token = (await readFile(file, 'utf8')).trim();
    if (TOKEN.test(token) && ((await stat(file)).mode & 0o077) === 0) return token;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const token = randomBytes(32).toString('base64url');
  await writeFileAtomic(file, `${token}\n`, { mode: 0o600 });
  // An existing file keeps its mode when it is replaced.
  await chmod(file, 0o600);
  return token;
}
