import { chmod, mkdir, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { z } from 'zod';
import type { StateStorage } from '../../agentcontainers/ports.ts';
import { AgentContainersError, errorMessage } from '../../errors.ts';
import { readRegularFile } from '../../files/read-regular-file.ts';
import type { Logger } from '../../logger.ts';

type Contents = Readonly<Record<string, string>>;

/** Of one file, in bytes. */
const MAX_BYTES = 1_048_576;
/** A fingerprint becomes a file name: nothing but hex can lead out of the directory. */
const FINGERPRINT = /^[0-9a-f]{8,128}$/;

const contentsSchema = z.record(z.string(), z.string());

/**
 * What fingerprints stand for: one file each (0600) in a directory of its own (0700), replaced atomically. It serves to
 * show people what differs, so one that is damaged counts as unknown, and inputs that are too large are left out.
 */
export function createContentsFiles(
  directory: string,
  logger: Logger,
): Pick<StateStorage, 'saveContents' | 'loadContents' | 'keepContents'> {
  const whole = new Set<string>();
  // One after another: a removal must not meet the temporary file of a save.
  let last: Promise<unknown> = Promise.resolve();
  const inOrder = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
  const fileOf = (fingerprint: string): string => join(directory, `${fingerprint}.json`);

  const save = async (fingerprint: string, contents: Contents): Promise<void> => {
    if (whole.has(fingerprint)) return;
    const file = fileOf(fingerprint);
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await chmod(directory, 0o700);
      await writeFileAtomic(file, fitting(contents, logger), { mode: 0o600 });
      // An existing file keeps its mode when it is replaced.
      await chmod(file, 0o600);
    } catch (error) {
      throw new AgentContainersError(
        'state-unreadable',
        `Writing ${file} failed: ${errorMessage(error)}. What differs from it cannot be shown later; make room or correct the rights.`,
        { cause: error },
      );
    }
    whole.add(fingerprint);
  };

  const load = async (fingerprint: string): Promise<Contents | undefined> => {
    const file = fileOf(fingerprint);
    try {
      const read = await readRegularFile(file, MAX_BYTES);
      if (read.kind !== 'read')
        throw new Error(read.kind === 'too-large' ? 'it is too large' : 'it is no regular file');
      return contentsSchema.parse(JSON.parse(read.bytes.toString('utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      const reason = error instanceof z.ZodError ? 'its form is wrong' : errorMessage(error);
      logger.warn({ file }, `Reading ${file} failed: ${reason}. What it held counts as unknown.`);
      whole.delete(fingerprint);
      return undefined;
    }
  };

  const keep = async (fingerprints: ReadonlySet<string>): Promise<void> => {
    const names = await readdir(directory).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    });
    for (const name of names) {
      const fingerprint = name.replace(/\.json$/, '');
      if (fingerprint !== name && fingerprints.has(fingerprint)) continue;
      whole.delete(fingerprint);
      // Also what a killed daemon had begun to write. Not a directory: that is not ours.
      await unlink(join(directory, name)).catch((error: unknown) =>
        logger.debug({ err: error, name }, 'Removing contents that are not needed failed.'),
      );
    }
  };

  return {
    saveContents: async (fingerprint, contents) => {
      assertFingerprint(fingerprint);
      return inOrder(() => save(fingerprint, contents));
    },
    loadContents: async (fingerprint) => (FINGERPRINT.test(fingerprint) ? inOrder(() => load(fingerprint)) : undefined),
    keepContents: async (fingerprints) => inOrder(() => keep(fingerprints)),
  };
}

function assertFingerprint(fingerprint: string): void {
  if (FINGERPRINT.test(fingerprint)) return;
  throw new AgentContainersError(
    'broken-contract',
    `Keeping contents failed: the fingerprint ${JSON.stringify(fingerprint.slice(0, 200))} is not lower-case hex.`,
  );
}

/** As JSON, without the largest inputs where all of them would be too large. */
function fitting(contents: Contents, logger: Logger): string {
  // Each as an object of its own: a little more than its share of the whole.
  const parts = Object.entries(contents).map(([name, value]) => ({
    name,
    value,
    bytes: Buffer.byteLength(JSON.stringify({ [name]: value })),
  }));
  parts.sort((a, b) => a.bytes - b.bytes);
  let total = parts.reduce((sum, { bytes }) => sum + bytes, 2);
  const omitted: string[] = [];
  for (let largest = parts.at(-1); largest && total > MAX_BYTES; largest = parts.at(-1)) {
    parts.pop();
    total -= largest.bytes;
    omitted.push(largest.name);
  }
  if (omitted.length > 0) logger.debug({ omitted }, 'Inputs that are too large are not kept.');
  return JSON.stringify(Object.fromEntries(parts.map(({ name, value }) => [name, value])));
}
