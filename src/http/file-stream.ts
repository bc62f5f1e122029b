import type { ServerResponse } from 'node:http';
import type { ContainerFiles, FoundLine, FoundMore } from '../agentcontainers/ports.ts';
import { endLines, writeLine } from './json-lines.ts';
import type { OpenStreams } from './open-streams.ts';
import { writeChunk } from './open-streams.ts';
import { toWireFoundLine } from './runtime-wire.ts';

/** Sends a file, or a part of it. One that cannot be read to its end is cut off, so that it never looks whole. */
export async function sendFile(
  streams: OpenStreams,
  files: ContainerFiles,
  res: ServerResponse,
  { path, offset = 0, length = Infinity }: { path: string; offset?: number | undefined; length?: number | undefined },
): Promise<void> {
  await streams.run(res, async (ending) => {
    const range = { offset, ...(length === Infinity ? {} : { length }) };
    const { size, bytes } = await files.read(path, range, ending);
    // Files that the kernel makes up have no size, and content.
    const announced = size > 0 ? Math.min(length, Math.max(0, size - offset)) : undefined;
    res.writeHead(200, {
      'content-type': 'application/octet-stream',
      ...(announced !== undefined && { 'content-length': announced }),
      // Whatever it is, no browser shows it as a page of ours.
      'content-disposition': 'attachment',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    const left = await copyBytes(bytes, res, announced ?? length, ending);
    if (ending.aborted || (announced !== undefined && left > 0)) res.destroy();
    else res.end();
  });
}

/** At most so many: it may have grown meanwhile. Resolves with how many did not come. */
async function copyBytes(
  bytes: AsyncIterable<Uint8Array>,
  res: ServerResponse,
  limit: number,
  ending: AbortSignal,
): Promise<number> {
  let left = limit;
  for await (const chunk of bytes) {
    const piece = chunk.subarray(0, left);
    if (chunk.length > 0 && piece.length === 0) break;
    left -= piece.length;
    if (!(await writeChunk(res, piece, ending))) break;
  }
  return left;
}

/** Sends what is found as JSON lines. Cut off when it cannot be gone on with. */
export async function streamFound(
  streams: OpenStreams,
  res: ServerResponse,
  search: (ending: AbortSignal) => AsyncIterable<FoundLine | FoundMore>,
): Promise<void> {
  await streams.run(res, async (ending) => {
    for await (const found of search(ending)) {
      if (!(await writeLine(res, toWireFoundLine(found), ending))) break;
    }
    if (ending.aborted) res.destroy();
    else endLines(res);
  });
}
