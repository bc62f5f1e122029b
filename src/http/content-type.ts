import type { IncomingMessage } from 'node:http';

/** Of the body, without parameters, in lower case. */
export function mediaType({ headers }: IncomingMessage): string | undefined {
  return headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
}

/** In UTF-8, which is what a text without a word about it is in, and not compressed. */
export function isPlain(req: IncomingMessage): boolean {
  const charsets = (req.headers['content-type'] ?? '').matchAll(/;\s*charset\s*=\s*"?([^";\s]*)/gi);
  const encoding = (req.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  return encoding === 'identity' && [...charsets].every((match) => /^utf-?8$/i.test(match[1] ?? ''));
}
