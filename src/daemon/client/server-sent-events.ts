/** A longer event is an error: a log chunk takes 64 KiB, a list of a thousand containers about 2 MiB. */
const MAX_EVENT_CHARS = 64 * 1_024 * 1_024;

export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
}

/** Events of a `text/event-stream`, in order. Comments, `id` and `retry` are skipped. */
export async function* readServerSentEvents(source: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  let event = 'message';
  let lines: string[] = [];
  for await (const line of readLines(source)) {
    if (line === '') {
      if (lines.length > 0) yield { event, data: lines.join('\n') };
      event = 'message';
      lines = [];
      continue;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') event = value;
    if (field === 'data') lines.push(value);
  }
}

/** Lines of UTF-8 text, without their ends; a last line without an end counts. */
export async function* readLines(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of source) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    if (rest.length > MAX_EVENT_CHARS)
      throw new Error(`a line of the answer is longer than ${MAX_EVENT_CHARS} characters`);
    for (const part of parts) yield part.endsWith('\r') ? part.slice(0, -1) : part;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}
