import type { IncomingMessage, ServerResponse } from 'node:http';

const MAX_ID_CHARS = 128;

/** A comment: keeps proxies from cutting a quiet stream. */
export const PING: Buffer = Buffer.from(': ping\n\n');

/** `data` is written as JSON, which never holds a line break. */
export function formatEvent(event: {
  readonly id?: string | undefined;
  readonly event?: string | undefined;
  readonly data: unknown;
}): Buffer {
  const id = event.id === undefined ? '' : `id: ${event.id}\n`;
  const name = event.event === undefined ? '' : `event: ${event.event}\n`;
  return Buffer.from(`${id}${name}data: ${JSON.stringify(event.data)}\n\n`);
}

export function beginEvents(res: ServerResponse): void {
  res.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-accel-buffering': 'no',
  });
  res.flushHeaders();
}

export function wantsEvents(req: IncomingMessage): boolean {
  return (req.headers.accept ?? '').toLowerCase().includes('text/event-stream');
}

/** The id that a client which lost its connection says it saw last; `undefined` when it says none. */
export function lastEventId(req: IncomingMessage): string | undefined {
  const value = req.headers['last-event-id'];
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_ID_CHARS) : undefined;
}
