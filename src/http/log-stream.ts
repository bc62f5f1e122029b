import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { AgentContainers, LogChunk } from '../agentcontainers/api.ts';
import type { Clock } from '../clock/clock.ts';
import { isCancelled } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { toErrorAnswer } from './error-status.ts';
import type { OpenStreams } from './open-streams.ts';
import { writeChunk } from './open-streams.ts';
import type { logsQuery } from './request-schemas.ts';
import { beginEvents, formatEvent, lastEventId, PING, wantsEvents } from './server-sent-events.ts';
import { toWireLogChunk } from './wire.ts';

export interface LogStreamPorts {
  readonly api: AgentContainers;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly streams: OpenStreams;
  readonly pingIntervalMs: number;
}

/** The log of a devcontainer: plain text, or server-sent events whose id is the offset after the chunk. */
export async function streamLog(
  ports: LogStreamPorts,
  req: IncomingMessage,
  res: ServerResponse,
  id: string,
  query: z.infer<typeof logsQuery>,
): Promise<void> {
  // Asked first: the log of an unknown devcontainer must be a 404, and the first chunk may be long in coming.
  await ports.api.get(id);
  const follow = query.follow ?? false;
  const offset = resumeOffset(req) ?? query.offset ?? 0;
  await ports.streams.run(res, async (signal) => {
    const chunks = ports.api.logs(id, { offset, follow, signal });
    if (follow || wantsEvents(req)) await writeEvents(ports, res, chunks, signal);
    else await writeText(res, chunks, signal);
  });
}

async function writeText(res: ServerResponse, chunks: AsyncIterable<LogChunk>, signal: AbortSignal): Promise<void> {
  for await (const chunk of chunks) {
    beginText(res);
    if (!(await writeChunk(res, Buffer.from(chunk.text), signal))) break;
  }
  // A text that was cut short must not look whole.
  if (signal.aborted && !res.writableEnded) {
    res.destroy();
    return;
  }
  beginText(res);
  res.end();
}

function beginText(res: ServerResponse): void {
  if (res.headersSent) return;
  res.writeHead(200, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
}

async function writeEvents(
  ports: LogStreamPorts,
  res: ServerResponse,
  chunks: AsyncIterable<LogChunk>,
  signal: AbortSignal,
): Promise<void> {
  beginEvents(res);
  const ping = (): void => {
    if (!res.destroyed && !res.writableEnded && !res.writableNeedDrain) res.write(PING);
  };
  const ticker = ports.clock.tickerFunc(ports.pingIntervalMs, ping, 'http: ping a log stream');
  try {
    for await (const chunk of chunks) {
      const id = String(chunk.offset + Buffer.byteLength(chunk.text));
      if (!(await writeChunk(res, formatEvent({ id, data: toWireLogChunk(chunk) }), signal))) break;
    }
    if (!signal.aborted) await writeChunk(res, formatEvent({ event: 'end', data: {} }), signal);
  } catch (error) {
    if (!isCancelled(error)) {
      const answer = toErrorAnswer(error);
      if (answer.unexpected) ports.logger.error({ err: error }, 'streaming a log failed unexpectedly');
      await writeChunk(res, formatEvent({ event: 'error', data: answer.body }), signal);
    }
  } finally {
    ticker.stop();
  }
  res.end();
}

/** A client that reconnects goes on where it was. */
function resumeOffset(req: IncomingMessage): number | undefined {
  const id = lastEventId(req);
  return id !== undefined && /^\d{1,15}$/.test(id) ? Number(id) : undefined;
}
