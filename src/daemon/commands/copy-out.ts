import { basename, dirname, join, posix } from 'node:path';
import type { WireFileStat } from '../../http/runtime-wire-schemas.ts';
import { copiedName, entryName } from './copy-path.ts';
import { closing, type Copying, inTheWay, noFolder, noSource, notAFile } from './copying.ts';
import type { CopyReport } from './copy-report.ts';
import type { ContainerFolder } from './container-files.ts';
import { statOf, writeLocal, writeNamed } from './local-files.ts';
import { type LocalFolder, openLocalFolder } from './local-folder.ts';

/** Deeper is no honest tree. */
const MOST_LEVELS = 200;

/**
 * Copies a file or a folder of a container to this machine. Names come from the container and are not believed, and it
 * may change what lies in the target at any time: nothing is written outside of that, neither by a name nor through a
 * link.
 */
export async function copyOut(
  folder: ContainerFolder,
  from: string,
  to: string,
  report: CopyReport,
  signal: AbortSignal,
): Promise<void> {
  const found = await folder.follow(from);
  if (found === undefined) throw noSource(from);
  const there = await statOf(to);
  const copying = { folder, report };
  const isInto = there?.isDirectory() === true;
  const name = copiedName(from, 'container');
  const mode = modeOf(found.stat);
  if (found.stat.type === 'directory') {
    if (there !== undefined && !isInto) throw inTheWay(to);
    const target = isInto && name === undefined ? await openLocalFolder(to) : await enterNamed(to, isInto, name, mode);
    return closing(target, () => copyFolder(copying, found.path, target, 0));
  }
  if (found.stat.type !== 'file') throw notAFile(from);
  if (there === undefined && to.endsWith('/')) throw noFolder(to);
  await report.part(from, async () => {
    if (!isInto) return receive(copying, found, (content) => writeNamed(to, content, mode, signal));
    const target = await openLocalFolder(to);
    await closing(target, () =>
      receive(copying, found, (content) => writeLocal(target, name ?? basename(found.path), content, mode)),
    );
  });
}

/** The folder that a copy is to become: one of that name in one that is there, or a new one. */
async function enterNamed(to: string, isInto: boolean, name: string | undefined, mode: number): Promise<LocalFolder> {
  const parent = await openLocalFolder(isInto ? to : dirname(to));
  return closing(parent, () => enterOrMake(parent, isInto && name !== undefined ? name : basename(to), mode));
}

/** To standard output, as it is. */
export async function copyToStream(
  folder: ContainerFolder,
  from: string,
  write: (bytes: Uint8Array) => Promise<void>,
  report: CopyReport,
): Promise<void> {
  const found = await folder.follow(from);
  if (found === undefined) throw noSource(from);
  if (found.stat.type !== 'file') throw notAFile(from);
  report.begin(from, found.stat.size);
  for await (const bytes of report.count(await folder.read(found.path))) await write(bytes);
  report.fileDone();
}

async function receive(
  { folder, report }: Copying,
  from: { readonly path: string; readonly stat: WireFileStat },
  write: (content: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  report.begin(from.path, from.stat.size);
  await write(report.count(await folder.read(from.path)));
  report.fileDone();
}

async function copyFolder(copying: Copying, from: string, target: LocalFolder, level: number): Promise<void> {
  const { folder, report } = copying;
  if (level > MOST_LEVELS) throw new Error(`it has more than ${MOST_LEVELS} folders in each other`);
  const { entries, truncated } = await folder.list(from);
  report.folderDone();
  for (const entry of entries) {
    const name = entryName(entry.path);
    if (name === undefined) {
      await report.part(`${from}/?`, () => Promise.reject(new Error('an entry has a name that no file can have')));
      continue;
    }
    const source = posix.join(from, name);
    const mode = modeOf(entry);
    if (entry.type === 'directory') {
      await report.part(source, async () => {
        const inner = await enterOrMake(target, name, mode);
        await closing(inner, () => copyFolder(copying, source, inner, level + 1));
      });
    } else if (entry.type === 'file') {
      await report.part(source, () =>
        receive(copying, { path: source, stat: entry }, (content) => writeLocal(target, name, content, mode)),
      );
    } else report.skip(source, entry.type === 'link' ? 'it is a link' : 'it is neither a file nor a folder');
  }
  if (truncated) {
    await report.part(from, () =>
      Promise.reject(new Error(`it has more than ${entries.length} entries, and the rest was left out`)),
    );
  }
}

async function enterOrMake(parent: LocalFolder, name: string, mode: number): Promise<LocalFolder> {
  const there = await parent.statOf(name);
  if (there !== undefined && !there.isDirectory()) {
    const path = join(parent.path, name);
    throw new Error(there.isSymbolicLink() ? `${path} is a link, which is not followed` : `${path} is no folder`);
  }
  if (there === undefined) await parent.make(name, (mode | 0o700) & 0o777);
  return parent.enter(name);
}

function modeOf({ mode }: WireFileStat): number {
  return /^[0-7]{3,4}$/.test(mode) ? Number.parseInt(mode, 8) & 0o777 : 0o644;
}
