import { lstat, stat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { readRegularFile } from '../files/read-regular-file.ts';

/** A gitfile holds one path. */
const MAX_GITFILE = 16 * 1024;

/**
 * The root of the git working tree in which `folder` lies, else the folder itself: what `git rev-parse --show-cdup` says,
 * but without running git, which reads configuration of the repository and can be made to run anything by it.
 *
 * As git does: an incomplete `.git` directory is passed by, a broken `.git` file ends the search, so does the border of a
 * file system; and a repository of another user is not looked at, since it would decide what is mounted.
 *
 * @param folder a real path
 * @param userId who this process runs as; `undefined` where files have no such owner
 */
export async function gitRootOf(folder: string, userId: number | undefined): Promise<string> {
  let device: number | undefined;
  for (let at = folder; ; at = dirname(at)) {
    const directory = await stat(at).catch(() => undefined);
    if (directory === undefined || (device !== undefined && directory.dev !== device)) return folder;
    device = directory.dev;
    const git = await lstat(join(at, '.git')).catch(() => undefined);
    if (git !== undefined) {
      const found = await repositoryOf(join(at, '.git'), git);
      if (found === 'broken') return folder;
      if (found !== 'none') {
        const owners = [directory, git, await stat(found.repository).catch(() => undefined)];
        return userId === undefined || owners.every((owner) => owner?.uid === userId) ? at : folder;
      }
    }
    // Within a repository's own directory, or in one without a working tree.
    if (dirname(at) === at || (await isRepository(at))) return folder;
  }
}

/** The repository that a `.git` is or names. */
async function repositoryOf(path: string, status: Stats): Promise<{ readonly repository: string } | 'none' | 'broken'> {
  const isFile = status.isFile() || (status.isSymbolicLink() && (await isKind(path, 'isFile')));
  if (!isFile) return (await isRepository(path)) ? { repository: path } : 'none';
  const file = await readRegularFile(path, MAX_GITFILE).catch(() => undefined);
  const target =
    file?.kind === 'read' ? /^gitdir: (.+?)(?<![\r\n])[\r\n]*$/s.exec(file.bytes.toString('utf8'))?.[1] : undefined;
  if (target === undefined) return 'broken';
  const repository = resolve(dirname(path), target);
  return (await isRepository(repository)) ? { repository } : 'broken';
}

/** As git recognises one: a HEAD, and objects and refs, which a linked working tree has elsewhere. */
async function isRepository(path: string): Promise<boolean> {
  if ((await lstat(join(path, 'HEAD')).catch(() => undefined)) === undefined) return false;
  if (await isKind(join(path, 'commondir'), 'isFile')) return true;
  return (await isKind(join(path, 'objects'), 'isDirectory')) && (await isKind(join(path, 'refs'), 'isDirectory'));
}

async function isKind(path: string, kind: 'isFile' | 'isDirectory'): Promise<boolean> {
  const status = await stat(path).catch(() => undefined);
  return status?.[kind]() === true;
}
