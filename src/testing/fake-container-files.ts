import { posix } from 'node:path';
import { extract } from 'tar-stream';
import { AgentContainersError } from '../errors.ts';
import type { ArchiveStat } from '../agentcontainers/ports.ts';

export interface FakeFile {
  /** POSIX permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly isDirectory: boolean;
  readonly content: Uint8Array;
}

/** The files of one fake container. In the beginning there is only `/`, and what the image brings. */
export interface FakeContainerFiles {
  /** By absolute path. */
  readonly all: ReadonlyMap<string, FakeFile>;
  /** Adds a file and the directories above it. */
  add(path: string, content: Uint8Array | string, mode?: number): void;
  stat(path: string): ArchiveStat | undefined;
  /** `engine-object-not-found` when there is no such directory. */
  putArchive(path: string, tar: Uint8Array | AsyncIterable<Uint8Array>): Promise<void>;
}

/** @param initial what the image brings */
export function createFakeContainerFiles(initial: ReadonlyMap<string, FakeFile> = new Map()): FakeContainerFiles {
  const all = new Map<string, FakeFile>(initial);

  function addDirectories(path: string): void {
    if (all.has(path)) return;
    if (path !== '/') addDirectories(posix.dirname(path));
    all.set(path, { mode: 0o755, uid: 0, gid: 0, isDirectory: true, content: new Uint8Array() });
  }
  addDirectories('/');

  return {
    all,
    add(path, content, mode = 0o644) {
      const absolute = posix.resolve('/', path);
      addDirectories(posix.dirname(absolute));
      all.set(absolute, { mode, uid: 0, gid: 0, isDirectory: false, content: Buffer.from(content) });
    },
    stat(path) {
      const absolute = posix.resolve('/', path);
      const file = all.get(absolute);
      return (
        file && {
          name: posix.basename(absolute) || '/',
          size: file.content.byteLength,
          mode: file.mode,
          isDirectory: file.isDirectory,
        }
      );
    },
    async putArchive(path, tar) {
      const directory = posix.resolve('/', path);
      if (!all.get(directory)?.isDirectory) {
        throw new AgentContainersError(
          'engine-object-not-found',
          `Copying into the container failed: there is no directory ${directory}. Create it first.`,
        );
      }
      const entries = extract();
      entries.end(await collect(tar));
      for await (const entry of entries) {
        const { name, type, mode, uid, gid } = entry.header;
        const absolute = posix.resolve(directory, name);
        const content = await collect(entry as AsyncIterable<Uint8Array>);
        if (type !== 'file' && type !== 'directory') {
          throw new AgentContainersError(
            'broken-contract',
            `Unscripted call: engine.putArchive with ${name}, which is a ${type}. Fake containers hold files and directories only.`,
          );
        }
        addDirectories(posix.dirname(absolute));
        all.set(absolute, {
          mode: (mode ?? 0o644) & 0o7777,
          uid: uid ?? 0,
          gid: gid ?? 0,
          isDirectory: type === 'directory',
          content,
        });
      }
    },
  };
}

async function collect(source: Uint8Array | AsyncIterable<Uint8Array>): Promise<Buffer> {
  if (source instanceof Uint8Array) return Buffer.from(source);
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}
