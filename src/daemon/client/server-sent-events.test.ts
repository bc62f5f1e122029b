import { fc, test as propertyTest } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import { readLines, readServerSentEvents } from './server-sent-events.ts';

async function* bytes(...parts: (string | Uint8Array)[]) {
  for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part;
}
async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

test('events are read with their names; comments, ids and unknown fields are skipped', async () => {
  const source = bytes(': hi\n\nid: 1\nevent: log\ndata: a\n', 'data: b\nretry: 5\n\ndata:c\r\n\r\nda', 'ta: cut off');
  expect(await collect(readServerSentEvents(source))).toEqual([
    { event: 'log', data: 'a\nb' },
    { event: 'message', data: 'c' },
  ]);
});

propertyTest.prop([
  fc.array(fc.string({ unit: 'grapheme' }).filter((s) => !/[\r\n]/.test(s))),
  fc.integer({ min: 1, max: 9 }),
])('lines survive being cut anywhere', async (lines, size) => {
  const content = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const parts: Uint8Array[] = [];
  for (let at = 0; at < content.length; at += size) parts.push(content.subarray(at, at + size));
  expect(await collect(readLines(bytes(...parts)))).toEqual(lines);
});
