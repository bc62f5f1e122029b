import { fc, test } from '@fast-check/vitest';
import { expect, it } from 'vitest';
import type { LogSink } from '../ports.ts';
import { createMemoryLogSink } from './memory-log-sink.ts';

const signal = new AbortController().signal;

async function readAll(sink: LogSink, offset = 0) {
  const chunks: { offset: number; text: string }[] = [];
  for await (const chunk of sink.read('a', { offset, follow: false, signal })) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks: { text: string }[]) => chunks.map(({ text }) => text).join('');

it('keeps one log for each devcontainer, with offsets in bytes', async () => {
  const sink = createMemoryLogSink();
  sink.append('a', 'grün\n');
  sink.append('b', 'other');
  sink.append('a', 'zwei\n');
  expect(await sink.size('a')).toBe(11);
  expect(textOf(await readAll(sink))).toBe('grün\nzwei\n');
  expect(await readAll(sink, 6)).toEqual([{ offset: 6, text: 'zwei\n' }]);
  expect(await readAll(sink, 11)).toEqual([]);
  expect(await readAll(sink, 500)).toEqual([]);
  expect(await sink.size('unknown')).toBe(0);
});

it('begins after a character when asked to begin inside of it', async () => {
  const sink = createMemoryLogSink();
  sink.append('a', 'ü!');
  expect(await readAll(sink, 1)).toEqual([{ offset: 2, text: '!' }]);
});

it('drops the oldest text beyond its bound, and offsets stay true', async () => {
  const sink = createMemoryLogSink({ maxBytes: 40 });
  for (let line = 10; line < 60; line++) sink.append('a', `line ${line}\n`);
  expect(await sink.size('a')).toBe(400);
  const chunks = await readAll(sink);
  expect(textOf(chunks)).toBe('line 55\nline 56\nline 57\nline 58\nline 59\n'.slice(-40));
  expect(chunks[0]?.offset).toBe(360);
});

it('follows until the signal aborts, also from before the first line', async () => {
  const sink = createMemoryLogSink();
  const abort = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const { offset, text } of sink.read('a', { offset: 0, follow: true, signal: abort.signal })) {
      seen.push(`${offset} ${text}`);
      if (text === 'two') abort.abort();
    }
  })();
  await Promise.resolve();
  sink.append('a', 'one');
  await new Promise((resolve) => setImmediate(resolve));
  sink.append('a', 'two');
  await following;
  expect(seen).toEqual(['0 one', '3 two']);
});

it('ends followers when the log is removed, and begins again at 0', async () => {
  const sink = createMemoryLogSink();
  sink.append('a', 'old');
  const following = (async () => {
    let text = '';
    for await (const chunk of sink.read('a', { offset: 0, follow: true, signal })) text += chunk.text;
    return text;
  })();
  await new Promise((resolve) => setImmediate(resolve));
  await sink.remove('a');
  expect(await following).toBe('old');
  expect(await sink.size('a')).toBe(0);
  sink.append('a', 'new');
  expect(await readAll(sink)).toEqual([{ offset: 0, text: 'new' }]);
});

// A text that holds the replacement character itself cannot be told from one that was cut within a character.
const whole = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((text) => !text.includes('\uFFFD'));

test.prop([fc.array(fc.oneof(whole, fc.constant('x'.repeat(70)))), fc.integer({ min: 1, max: 64 }), fc.nat(300)])(
  'what is left is the end of what was appended, whole characters at their true offset',
  async (texts, maxBytes, from) => {
    const sink = createMemoryLogSink({ maxBytes });
    for (const text of texts) sink.append('a', text);
    const all = Buffer.from(texts.join(''));
    const chunks = await readAll(sink, from);
    let at: number | undefined;
    for (const { offset, text } of chunks) {
      expect(text).not.toContain('\uFFFD');
      expect(offset).toBeGreaterThanOrEqual(from);
      if (at !== undefined) expect(offset).toBe(at);
      at = offset + Buffer.byteLength(text);
      expect(all.subarray(offset, at).toString()).toBe(text);
    }
    // The bound may be passed by one character, since none is cut.
    expect(Buffer.byteLength(textOf(await readAll(sink)))).toBeLessThanOrEqual(Math.max(maxBytes, 4));
    expect(at ?? all.length).toBe(from < all.length ? all.length : (at ?? all.length));
    expect(await sink.size('a')).toBe(all.length);
  },
);
