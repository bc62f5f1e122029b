import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { AgentContainersError } from '../../errors.ts';
import { closing, type Copying, inTheWay, noFolder } from './copying.ts';
import { copiedName } from './copy-path.ts';
import type { CopyReport } from './copy-report.ts';
import type { ContainerFolder } from './container-files.ts';
import { openNamed, readLocal, statOf } from './local-files.ts';
import { type LocalFolder, openLocalFolder } from './local-folder.ts';

/**
 * Copies a file or a folder of this machine into a container, which may change what lies there at any time: nothing that
 * lies elsewhere is read, through no link.
 */
export async function copyIn(folder: ContainerFolder, from: string, to: string, report: CopyReport): Promise<void> {
  const source = await statOf(from);
  if (source === undefined) {
    throw new AgentContainersError('path-not-found', `Copying ${from} failed: there is no such path on this machine.`);
  }
  const there = await folder.follow(to);
  const isFolder = there?.stat.type === 'directory';
  const name = copiedName(from, 'local');
  const copying = { folder, report };
  if (source.isDirectory()) {
    if (there !== undefined && !isFolder) throw inTheWay(to);
    const opened = await openLocalFolder(from);
    const target = isFolder && name !== undefined ? posix.join(to, name) : to;
    return closing(opened, () => copyFolder(copying, opened, target));
  }
  if (!source.isFile()) {
    throw new AgentContainersError('invalid-request', `Copying ${from} failed: it is not a file. Use - for a stream.`);
  }
  if (there === undefined && to.endsWith('/')) throw noFolder(to);
  await report.part(from, async () => {
    const file = await openNamed(from);
    await closing(file, () => copyFile(copying, from, file, isFolder ? posix.join(to, name ?? '') : to));
  });
}

/** Standard input, under the name that was given. */
export async function copyFromStream(
  folder: ContainerFolder,
  content: AsyncIterable<Uint8Array>,
  to: string,
  report: CopyReport,
): Promise<void> {
  const there = await folder.follow(to);
  if (there?.stat.type === 'directory' || to.endsWith('/')) {
    throw new AgentContainersError(
      'invalid-request',
      `Copying to ${to} failed: it is a folder. Give a file name, such as ${posix.join(to, 'file')}.`,
    );
  }
  report.begin(to, undefined);
  await folder.write(to, report.count(content), undefined);
  report.fileDone();
}

async function copyFile({ folder, report }: Copying, from: string, file: FileHandle, to: string): Promise<void> {
  const stat = await file.stat();
  // Another thing may have taken its place before it was opened.
  if (!stat.isFile()) throw new Error('it is not a file');
  report.begin(from, stat.size);
  await folder.write(to, report.count(readLocal(file)), octal(stat));
  report.fileDone();
}

async function copyFolder(copying: Copying, source: LocalFolder, to: string): Promise<void> {
  const { folder, report } = copying;
  const names = await source.names();
  const there = await folder.follow(to);
  if (there === undefined) await folder.mkdir(to, octal(source.stat));
  else if (there.stat.type !== 'directory') throw new Error(`${to} is no folder`);
  report.folderDone();
  for (const name of names) {
    const path = join(source.path, name);
    const target = posix.join(to, name);
    await report.part(path, async () => {
      const found = await source.statOf(name);
      if (found === undefined) throw new Error('it has gone meanwhile');
      if (found.isDirectory()) {
        const inner = await source.enter(name);
        await closing(inner, () => copyFolder(copying, inner, target));
      } else if (found.isFile()) {
        const file = await source.open(name, constants.O_RDONLY);
        await closing(file, () => copyFile(copying, path, file, target));
      } else report.skip(path, found.isSymbolicLink() ? 'it is a link' : 'it is neither a file nor a folder');
    });
  }
}

function octal({ mode }: Stats): string {
  return `0${(mode & 0o777).toString(8).padStart(3, '0')}`;
}
