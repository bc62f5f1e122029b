// INVARIANTS
// - A file appears under its final name by `rename`, whole and with the digest that its name carries, and is never written
//   to afterwards: containers run what lies here.
// - What is put here is a copy, never a link: its owner may change the original at any time.
// - Of equal requests at the same time one does the work. It does not end with the caller that began it.
import { randomBytes } from 'node:crypto';
import {
  chmod,
  constants,
  copyFile,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  utimes,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { SubAgentBinary } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { createFileDigests } from './file-digests.ts';

/** A directory of this machine that containers can be given. */
export interface StoreDirectory {
  /** Real path. */
  readonly path: string;
  /** When it was made, in ms: what was mounted before is another directory, whatever its path was. */
  readonly bornAt: number;
}

/** Executables of sub-agents by content, for all containers at once. */
export interface SubAgentStore {
  /** Makes the directory when it is not there. Rejects with the file system's error. */
  prepare(): Promise<StoreDirectory>;
  /** Makes sure that the executable lies there under this name. Rejects with the file system's error, or a reason. */
  stage(binary: SubAgentBinary, fileName: string): Promise<void>;
}

const DAY_MS = 86_400_000;
/** Without being used by any daemon. */
const KEPT_MS = 7 * DAY_MS;
const STAGED = /^[A-Za-z0-9_][A-Za-z0-9._-]*-[0-9a-f]{12}$/;
const TEMPORARY = '.stage-';

/**
 * @param directory absolute. It is made 0755 and so are its files, since any user in a container must be able to run
 *   them; the directories above it may be closed, a bind mount does not need them
 */
export function createSubAgentStore(directory: string, clock: Clock, logger: Logger): SubAgentStore {
  const digests = createFileDigests();
  const staging = new Map<string, Promise<void>>();
  /** Used by this process, so never pruned by it. */
  const used = new Set<string>();

  async function prepare(): Promise<StoreDirectory> {
    await mkdir(directory, { recursive: true, mode: 0o755 });
    const path = await realpath(directory);
    const status = await lstat(path);
    if (!status.isDirectory()) throw new Error(`${path} is not a directory`);
    // Whatever the umask is; and nobody else may put anything there.
    if ((status.mode & 0o7777) !== 0o755) await chmod(path, 0o755);
    return { path, bornAt: status.birthtimeMs };
  }

  /** True when the right file is there. */
  async function isWhole(path: string, sha256: string, isFirstUse: boolean): Promise<boolean> {
    const status = await lstat(path).catch(() => undefined);
    if (!status?.isFile()) return false;
    // Said before it is looked at, since that tells one state of a file from another by its times too.
    if (isFirstUse) await touch(path);
    if ((status.mode & 0o7777) !== 0o755) await chmod(path, 0o755);
    return (await digests.digest(path)).sha256 === sha256;
  }

  /** So that prunings to come see that it is needed. */
  async function touch(path: string): Promise<void> {
    const now = clock.now() / 1_000;
    await utimes(path, now, now);
  }

  async function copy(binary: SubAgentBinary, root: string, fileName: string): Promise<void> {
    const temporary = join(root, `${TEMPORARY}${randomBytes(8).toString('hex')}`);
    try {
      // Shares its blocks with the original where the file system can do that.
      await copyFile(binary.path, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      await chmod(temporary, 0o755);
      await touch(temporary);
      // Of the copy, so that what was changed while it was copied is seen.
      const { sha256 } = await digests.digest(temporary);
      if (sha256 !== binary.sha256) throw new Error(`${binary.path} was changed since it was chosen`);
      await sync(temporary);
      await rename(temporary, join(root, fileName));
      await sync(root);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async function put(binary: SubAgentBinary, fileName: string): Promise<void> {
    const { path: root } = await prepare();
    const isFirstUse = !used.has(fileName);
    if (!(await isWhole(join(root, fileName), binary.sha256, isFirstUse))) {
      await copy(binary, root, fileName);
      logger.debug({ path: join(root, fileName) }, 'The sub-agent lies in the store.');
    }
    used.add(fileName);
    if (isFirstUse) await prune(root);
  }

  /** What runs in a container keeps its file, so this matters for later starts only. Never fails. */
  async function prune(root: string): Promise<void> {
    try {
      for (const name of await readdir(root)) {
        const isTemporary = name.startsWith(TEMPORARY);
        if (used.has(name) || !(isTemporary || STAGED.test(name))) continue;
        const status = await lstat(join(root, name)).catch(() => undefined);
        const age = clock.now() - (status?.mtimeMs ?? clock.now());
        if (status?.isFile() && age > (isTemporary ? DAY_MS : KEPT_MS)) await rm(join(root, name), { force: true });
      }
    } catch (error) {
      logger.debug({ err: error }, `Pruning the store of sub-agents failed: ${errorMessage(error)}`);
    }
  }

  return {
    prepare,
    stage(binary, fileName) {
      const key = `${fileName} ${binary.sha256}`;
      const running = staging.get(key);
      if (running) return running;
      const begun = put(binary, fileName).finally(() => staging.delete(key));
      staging.set(key, begun);
      return begun;
    },
  };
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
