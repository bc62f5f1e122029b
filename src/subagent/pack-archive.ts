import { once } from 'node:events';
import { pack } from 'tar-stream';
import type { Pack } from 'tar-stream';
import type { BinaryContent } from './binary-contents.ts';

const OWNED_BY_ROOT = { mode: 0o755, uid: 0, gid: 0, uname: 'root', gname: 'root' } as const;

/**
 * A tar with one directory and one executable in it, both 0755 root:root. In memory when the content is; else a stream,
 * which ends with an error when the file turns out to have changed.
 * @param directory relative to where the archive is extracted
 */
export async function packArchive(
  directory: string,
  fileName: string,
  content: BinaryContent,
): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  const whole = await content.whole();
  const tar = startArchive(directory);
  const name = `${directory}/${fileName}`;
  if (whole) {
    tar.entry({ ...OWNED_BY_ROOT, name, type: 'file' }, Buffer.from(whole.buffer, whole.byteOffset, whole.byteLength));
    tar.finalize();
    return collect(tar);
  }
  const entry = tar.entry({ ...OWNED_BY_ROOT, name, type: 'file', size: content.size });
  const closed = new Promise<void>((resolve) => tar.once('close', resolve));
  // The reader is told; without a listener of its own the entry's share of it would end the program.
  entry.on('error', () => {});
  void (async () => {
    for await (const chunk of content.stream()) {
      if (entry.destroyed) return;
      if (!entry.write(chunk)) await Promise.race([once(entry, 'drain'), closed]);
    }
    entry.end(null);
    tar.finalize();
  })().catch((error: unknown) => tar.destroy(error as Error));
  return bytesOf(tar);
}

/** A tar that empties the file and takes its execute bits: what an engine holds at a path where it cannot be run. */
export async function packBlank(directory: string, fileName: string): Promise<Uint8Array> {
  const tar = startArchive(directory);
  tar.entry({ ...OWNED_BY_ROOT, mode: 0o644, name: `${directory}/${fileName}`, type: 'file' }, '');
  tar.finalize();
  return collect(tar);
}

function startArchive(directory: string): Pack {
  const tar = pack();
  tar.entry({ ...OWNED_BY_ROOT, name: `${directory}/`, type: 'directory' });
  return tar;
}

async function collect(tar: Pack): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytesOf(tar)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The types of the tar library leave open what it reads; it is bytes. */
function bytesOf(tar: Pack): AsyncIterable<Uint8Array> {
  return tar as AsyncIterable<unknown> as AsyncIterable<Uint8Array>;
}
