import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { platform, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

import { readRegularFile } from '../files/read-regular-file.ts';
import { PREFIX, markAsOwn, sweepRunFolders } from './sweep-run-folders.ts';

/** A folder that nobody else can read, for one run of the CLI. */
export interface RunFolder {
  readonly path: string;
  /** A module for `--require`: the CLI keeps its temporary files in this folder. */
  readonly preload: string;
  /** Writes a file that nobody else can read; its path. */
  write(name: string, text: string): Promise<string>;
  /**
   * Lets the process that has `preload` read a text at a path, once for each folder. There should be no file at that
   * path: whoever reads it in another way than by `readFile` finds nothing then.
   */
  offer(path: string, text: string): Promise<void>;
  /** Removes it with everything in it, as far as that is possible. Never rejects. */
  remove(): Promise<void>;
}

/** Opens a folder. Rejects with the file system's error. */
export type OpenRunFolder = () => Promise<RunFolder>;

// The CLI names its temporary Dockerfiles, features and compose files after the millisecond only, in a folder that all
// runs share and any user of this machine can make first; and it removes none of them. TMPDIR would do the same, but
// the commands of the workspace would see it too.
//
// And its `build` takes no other configuration than a file of the workspace, whose folder is what paths in it are
// relative to. So it is given a path at which there is nothing, and reads there what lies in this folder.
const OFFER = 'offer.json';
const PRELOAD = `require('node:os').tmpdir = () => __dirname;
const fs = require('node:fs');
if (fs.existsSync(__dirname + '/${OFFER}')) {
  const { at, file } = JSON.parse(fs.readFileSync(__dirname + '/${OFFER}', 'utf8'));
  const { readFile } = fs;
  fs.readFile = (path, ...others) => readFile(path === at ? file : path, ...others);
}
`;
const MAX_MANIFEST = 1024 * 1024;

/**
 * @param parent where the folders are made; default: that of the system for temporary files
 */
export function createRunFolders(parent: string = tmpdir()): OpenRunFolder {
  // The CLI asks a server for features that are known to be harmful, and again when its copy is five minutes old. Its
  // copy goes with the folder, so it is kept here for the next run.
  let manifest: { readonly bytes: Buffer; readonly modifiedAt: number } | undefined;
  let swept: Promise<void> | undefined;

  return async () => {
    await (swept ??= sweepRunFolders(parent));
    const path = await mkdtemp(join(parent, PREFIX));
    const remove = (): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
    const write = async (name: string, text: string): Promise<string> => {
      const file = join(path, name);
      await writeFile(file, text, { mode: 0o600, flag: 'wx' });
      return file;
    };
    const manifestPath = join(path, cliFolderName(), 'control-manifest.json');
    try {
      await markAsOwn(path);
      const preload = await write('preload.cjs', PRELOAD);
      if (manifest !== undefined) {
        await mkdir(join(path, cliFolderName()), { mode: 0o700 });
        await writeFile(manifestPath, manifest.bytes, { mode: 0o600 });
        await utimes(manifestPath, manifest.modifiedAt / 1_000, manifest.modifiedAt / 1_000);
      }
      return {
        path,
        preload,
        write,
        async offer(at, text) {
          await write(OFFER, JSON.stringify({ at, file: await write('offered', text) }));
        },
        async remove() {
          const file = await readRegularFile(manifestPath, MAX_MANIFEST).catch(() => undefined);
          if (file?.kind === 'read' && file.modifiedAt > (manifest?.modifiedAt ?? 0)) manifest = file;
          await remove();
        },
      };
    } catch (error) {
      await remove();
      throw error;
    }
  };
}

/** What the CLI calls its folder within that for temporary files. */
function cliFolderName(): string {
  if (platform() !== 'linux') return 'devcontainercli';
  try {
    return `devcontainercli-${userInfo().username}`;
  } catch {
    // A user without a name: then the copy is not found, and asked for again.
    return 'devcontainercli';
  }
}
