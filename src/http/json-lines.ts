import type { ServerResponse } from 'node:http';
import { writeChunk } from './open-streams.ts';

/** Begins an answer of JSON lines, unless it has begun. */
export function beginLines(res: ServerResponse): void {
  if (res.headersSent || res.destroyed) return;
  res.writeHead(200, {
    'content-type': 'application/x-ndjson',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-accel-buffering': 'no',
  });
  res.flushHeaders();
}

/** Writes with back-pressure. Resolves with false when there is no use in going on. */
export function writeLine(res: ServerResponse, line: object, ending: AbortSignal): Promise<boolean> {
  beginLines(res);
  return writeChunk(res, toLine(line), ending);
}

/** Ends the answer with this line, for whoever is still there to read it. */
export function endLines(res: ServerResponse, line?: object): void {
  if (res.destroyed || res.writableEnded) return;
  beginLines(res);
  res.end(line && toLine(line));
}

function toLine(line: object): Buffer {
  return Buffer.from(`${JSON.stringify(line)}\n`);
}
