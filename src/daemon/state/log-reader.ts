import { open } from 'node:fs/promises';
import type { LogFile, Segment } from './log-files.ts';

const CHUNK_BYTES = 64 * 1_024;

interface Query {
  readonly offset: number;
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** Text from `offset` on, in chunks that never cut a UTF-8 character, each with its own offset in bytes. */
export async function* createSegmentReader(
  log: LogFile,
  query: Query,
): AsyncGenerator<{ readonly offset: number; readonly text: string }> {
  let offset = Math.max(0, query.offset);
  // Without follow the end is what is there now, also when a build goes on writing meanwhile.
  const stopAt = query.follow ? Number.POSITIVE_INFINITY : endOf(log);
  while (!query.signal.aborted && !log.removed && offset < stopAt) {
    const segment = segmentAt(log.segments, offset);
    if (segment === undefined) {
      if (!query.follow) return;
      await change(log, query.signal, offset);
      continue;
    }
    offset = Math.max(offset, segment.start);
    const end = Math.min(segment.start + segment.size, stopAt);
    const content = await readBytes(segment, offset, Math.min(CHUNK_BYTES, end - offset));
    if (content === undefined) {
      // The oldest segment can go between the look and the read; one that is shorter than counted was cut by others.
      offset = segment.start + segment.size;
      continue;
    }
    const whole = content.subarray(0, completeLength(content));
    yield { offset, text: whole.toString('utf8') };
    offset += whole.length;
  }
}

function endOf(log: LogFile): number {
  const last = log.segments.at(-1);
  return last === undefined ? 0 : last.start + last.size;
}

/** The segment that holds `offset`, or the first one after it. */
function segmentAt(segments: readonly Segment[], offset: number): Segment | undefined {
  return segments.find((segment) => offset < segment.start + segment.size);
}

/** Resolves when there may be text beyond `offset`, the log was removed or the signal aborted. */
async function change(log: LogFile, signal: AbortSignal, offset: number): Promise<void> {
  if (signal.aborted || log.removed || endOf(log) > offset) return;
  await new Promise<void>((resolve) => {
    const finish = (): void => {
      signal.removeEventListener('abort', finish);
      log.waiting.delete(finish);
      resolve();
    };
    log.waiting.add(finish);
    signal.addEventListener('abort', finish, { once: true });
  });
}

async function readBytes(segment: Segment, offset: number, length: number): Promise<Buffer | undefined> {
  try {
    const handle = await open(segment.file, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset - segment.start);
      return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Length without a character that is cut at the end; everything when the bytes are no UTF-8 there anyway. */
function completeLength(content: Buffer): number {
  for (let back = 1; back <= Math.min(3, content.length); back++) {
    const byte = content[content.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    const cut = needs > back && content.length > back;
    return cut ? content.length - back : content.length;
  }
  return content.length;
}
