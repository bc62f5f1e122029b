import type { IncomingMessage, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { ErrorAnswer, RouteMessages } from './error-status.ts';
import { toErrorAnswer } from './error-status.ts';
import { asRefusal, pathOf } from './request-input.ts';

const JSON_TYPE = 'application/json; charset=utf-8';

export function sendJson(res: ServerResponse, status: number, body: unknown): void {
  const text = Buffer.from(JSON.stringify(body));
  res.writeHead(status, {
    'content-type': JSON_TYPE,
    'content-length': text.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  res.end(text);
}

export function sendHtml(res: ServerResponse, status: number, html: string): void {
  const text = Buffer.from(html);
  res.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-length': text.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  res.end(text);
}

/** The JSON answer to an error, logged if it is a fault of ours. A stream that has begun is cut instead. */
export function sendError(
  req: IncomingMessage,
  res: ServerResponse,
  error: unknown,
  logger: Logger,
  messages?: RouteMessages,
): void {
  const answer = answerAndLog(req, error, logger, messages);
  if (res.headersSent) {
    res.destroy();
    return;
  }
  for (const [name, value] of Object.entries(answer.headers)) res.setHeader(name, value);
  sendJson(res, answer.status, answer.body);
}

/** The same for an upgrade, where there is nothing but the socket. */
export function refuseUpgrade(req: IncomingMessage, socket: Duplex, error: unknown, logger: Logger): void {
  const answer = answerAndLog(req, error, logger);
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = Buffer.from(JSON.stringify(answer.body));
  const head = [
    `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ''}`,
    ...Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}`),
    `content-type: ${JSON_TYPE}`,
    `content-length: ${body.length}`,
    'cache-control: no-store',
    'connection: close',
  ];
  socket.once('finish', () => socket.destroy());
  socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]));
}

/** What a caller is told about an error; the log hears of it too. */
export function answerAndLog(
  req: IncomingMessage,
  error: unknown,
  logger: Logger,
  messages?: RouteMessages,
): ErrorAnswer {
  const answer = toErrorAnswer(asRefusal(error), messages);
  // The query is left out: it can carry a login code.
  const fields = { method: req.method, path: pathOf(req.url ?? ''), status: answer.status };
  if (answer.unexpected) logger.error({ ...fields, err: error }, 'a request failed unexpectedly');
  else logger.debug({ ...fields, reason: errorMessage(error) }, 'a request was refused or failed');
  return answer;
}
