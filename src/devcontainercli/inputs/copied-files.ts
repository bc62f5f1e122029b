import { createHash } from 'node:crypto';
import { readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';

import { MAX_BYTES, MAX_ENTRIES, MAX_FILES, MAX_SHOWN_BYTES } from './input-bounds.ts';
import { fileValue, identityOn, valueOf, type InputCollector } from './input-collector.ts';
import type { Way } from './known-ways.ts';
import { listTree, type TreeFile } from './list-tree.ts';

const AT_ONCE = 8;
const BOUNDS = `${MAX_FILES} files, ${MAX_BYTES / 1024 / 1024} MiB, ${MAX_ENTRIES} directory entries for one configuration`;

/** A file that counts as it is, with its executable bit. */
export async function addFile(collector: InputCollector, path: string): Promise<void> {
  const name = collector.nameOf(path);
  if (collector.has(name) || isOwn(collector, path) || !(await collector.named(path))) return;
  if (collector.wants === 'directories') return collector.add(name, '');
  const { left, reader } = collector;
  const way = await collector.ways.to(path);
  const file = left.files > 0 ? await reader.hash(path, left.bytes, way) : undefined;
  if (file === undefined || file.kind === 'too-large') return leaveOut(collector, name);
  if (file.kind !== 'file') return collector.addAbsence(name, file.kind);
  left.files--;
  left.bytes -= file.size;
  collector.add(name, fileValue(file), file.modifiedAt);
  collector.written(name, identityOn(way, file));
  if (collector.shown.wanted) await showFile(collector, name, path, file.sha256);
}

export interface TreeInput {
  readonly path: string;
  /** Default: the path, with a `/` at its end. */
  readonly name?: string | undefined;
  /** Asked for each file with its path below, for each directory with a `/` behind it. Default: all. */
  readonly wants?: ((name: string) => boolean) | undefined;
  /** What it takes to ask that, per character of the name. */
  readonly effort?: number | undefined;
}

/** All files below a directory as one input, without those that are inputs of their own. */
export async function addTree(collector: InputCollector, tree: TreeInput): Promise<void> {
  const name = tree.name ?? collector.nameOf(join(tree.path, '.')).replace(/\/?$/, '/');
  if (collector.has(name)) return;
  const files = await listFiles(collector, tree);
  if (files === undefined) return leaveOut(collector, name);
  if (collector.wants === 'directories') return collector.add(name, '');
  const hashes = await hashAll(collector, files, await collector.ways.to(tree.path));
  if (hashes === undefined) return leaveOut(collector, name);
  const digest = createHash('sha256');
  for (const [index, file] of files.entries()) digest.update(`${file.name}\0${hashes[index]?.text ?? ''}\n`);
  const value = digest.digest('hex');
  collector.add(name, value, Math.max(0, ...hashes.map(({ modifiedAt }) => modifiedAt)));
  collector.written(
    name,
    valueOf(files.map((file, index) => `${file.name}\0${hashes[index]?.identity ?? ''}`).join('\n')),
  );
  if (!collector.shown.wanted) return;
  if (!collector.shown.mayShow(await realpath(tree.path).catch(() => '/'))) return collector.shown.addHash(name, value);
  const lines = files.map((file, index) => `${plain(file.name)} ${hashes[index]?.text.slice(0, 12) ?? ''}\n`);
  collector.shown.add(name, lines.join(''));
}

/** The files below a directory that are wanted and are no inputs yet; `undefined` when there are too many. */
export async function listFiles(
  collector: InputCollector,
  { path, wants, effort }: Pick<TreeInput, 'path' | 'wants' | 'effort'>,
): Promise<readonly TreeFile[] | undefined> {
  const tree = await listTree(path, {
    wants: (name) => (wants?.(name) ?? true) && !isOwn(collector, join(path, name)),
    maxFiles: collector.left.files,
    entries: collector.left.entries,
    effort: collector.left.effort,
    effortOfName: 1 + (effort ?? 0),
  });
  for (const directory of tree.directories) collector.watch(directory);
  return tree.isCut ? undefined : tree.files;
}

export function leaveOut(collector: InputCollector, name: string): void {
  collector.problem(`${name} is not looked at: there is more than is looked at (${BOUNDS}).`);
}

/** It counts by what it means, not by how it is written. */
function isOwn({ key, has, nameOf }: InputCollector, path: string): boolean {
  return path === key.configPath || has(nameOf(path));
}

interface Hash {
  readonly text: string;
  /** ms */
  readonly modifiedAt: number;
  readonly identity: string;
}

/** In order; `undefined` when they are too large. No link was followed from the root to any of them. */
async function hashAll(
  { reader, left }: InputCollector,
  files: readonly TreeFile[],
  root: Way,
): Promise<Hash[] | undefined> {
  const hashes: Hash[] = [];
  let bytes = left.bytes;
  for (let from = 0; from < files.length; from += AT_ONCE) {
    const batch = files.slice(from, from + AT_ONCE).map(async ({ path, isLink }) => {
      if (isLink) {
        const text = valueOf(`-> ${await readlink(path).catch(() => '')}`);
        return { text, size: 0, modifiedAt: 0, identity: text };
      }
      const file = await reader.hash(path, bytes, root);
      if (file.kind === 'too-large') return undefined;
      return file.kind === 'file'
        ? { text: fileValue(file), size: file.size, modifiedAt: file.modifiedAt, identity: file.identity }
        : { text: file.kind, size: 0, modifiedAt: 0, identity: '' };
    });
    for (const hash of await Promise.all(batch)) {
      bytes -= hash?.size ?? 0;
      if (hash === undefined || bytes < 0) return undefined;
      hashes.push(hash);
    }
  }
  left.files -= files.length;
  left.bytes = bytes;
  return hashes;
}

async function showFile(collector: InputCollector, name: string, path: string, sha256: string): Promise<void> {
  const file = await collector.reader.read(path, MAX_SHOWN_BYTES);
  if (file.kind !== 'file') return;
  if (!collector.shown.mayShow(file.realPath)) return collector.shown.addHash(name, sha256);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(file.bytes);
    if (!text.includes('\0')) collector.shown.add(name, text);
  } catch {
    // Nothing that a person could read.
  }
}

function plain(name: string): string {
  return name.replace(/\p{C}/gu, '?');
}
