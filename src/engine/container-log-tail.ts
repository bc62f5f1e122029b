import { engineFailure } from './engine-error.ts';
import { objectPath } from './engine-path.ts';
import type { EngineTransport } from './engine-transport.ts';
import { sendExpecting } from './read-reply.ts';
import { createFrameParser, isFrameHeader } from './stream-frames.ts';

const MAX_LINES = 1_000;
const MAX_BYTES = 1024 * 1024;

/** The last lines of a container's log, at most 1,000 lines and 1 MiB of them, both streams together. */
export async function containerLogTail(
  transport: EngineTransport,
  id: string,
  lines: number,
  signal: AbortSignal,
): Promise<string> {
  const doing = `Reading the log of container ${id.slice(0, 12)}`;
  const count = Math.max(0, Math.min(Math.floor(lines), MAX_LINES));
  const { body } = await sendExpecting(transport, {
    doing,
    method: 'GET',
    path: objectPath('containers', id, 'logs'),
    query: { stdout: 'true', stderr: 'true', tail: String(count) },
    signal,
  });
  let received = Buffer.alloc(0);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      received = Buffer.concat([received, chunk]);
      if (received.length > MAX_BYTES * 2) break;
    }
  } catch (error) {
    throw engineFailure(doing, error, signal);
  } finally {
    body.destroy();
  }
  return withoutFrames(received).subarray(-MAX_BYTES).toString('utf8');
}

/** A container without a terminal logs in frames, one with a terminal raw; older engines do not say which. */
function withoutFrames(bytes: Buffer): Buffer {
  if (!isFrameHeader(bytes)) return bytes;
  const pieces: Buffer[] = [];
  const parser = createFrameParser((_name, piece) => pieces.push(piece));
  try {
    parser.push(bytes);
  } catch {
    return bytes;
  }
  return Buffer.concat(pieces);
}
