import { getEventListeners } from 'node:events';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OutputChunk } from '../ports.ts';
import { createOutputLog } from './output-log.ts';

const bytesOf = (chunks: readonly OutputChunk[]): string =>
  chunks
    .map(({ stream, bytes }) => Buffer.from(bytes).toString()[stream === 'stdout' ? 'toLowerCase' : 'toUpperCase']())
    .join('');

describe('a log of output', () => {
  it('joins what is written byte by byte', () => {
    const log = createOutputLog(1_048_576);
    for (let at = 0; at < 1_048_576; at++) log.append('stdout', Buffer.from('x'));
    expect(log.from(0).length).toBeLessThanOrEqual(512);
    expect(bytesOf(log.from(0))).toBe('x'.repeat(1_048_576));
    expect(bytesOf(log.from(1_048_570))).toBe('xxxxxx');
  });

  it('is bounded also where the streams take turns byte by byte', () => {
    const log = createOutputLog(65_536);
    for (let at = 0; at < 100_000; at++) log.append(at % 2 === 0 ? 'stdout' : 'stderr', Buffer.from('x'));
    expect(log.from(0).length).toBeLessThanOrEqual(1_025);
    expect(bytesOf(log.from(99_996))).toBe('xXxX');
  });

  it('leaves what it has told as it was when more comes', () => {
    const log = createOutputLog(100);
    log.append('stdout', Buffer.from('a'));
    log.append('stdout', Buffer.from('b'));
    const told = log.from(0);
    log.append('stdout', Buffer.from('c'));
    expect(bytesOf(told)).toBe('ab');
    expect(bytesOf(log.from(0))).toBe('abc');
  });

  it('is waited for no longer than the signal allows', async () => {
    const log = createOutputLog(100);
    const leaving = new AbortController();
    const waiting = log.changed(leaving.signal);
    leaving.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(log.changed(leaving.signal)).rejects.toThrow('enough');
  });

  it('leaves nothing behind on the signal of one who waited', async () => {
    const log = createOutputLog(100);
    const { signal } = new AbortController();
    const waiting = log.changed(signal);
    expect(getEventListeners(signal, 'abort').length).toBe(1);
    log.append('stdout', Buffer.from('x'));
    await waiting;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('tells from each offset what it has, in its order and with its streams', () => {
    const piece = fc.tuple(fc.constantFrom('stdout' as const, 'stderr' as const), fc.integer({ min: 0, max: 9_000 }));
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 60 }),
        fc.integer({ min: 1, max: 20_000 }),
        fc.nat(60_000),
        (pieces, capacity, from) => {
          const log = createOutputLog(capacity);
          let all = '';
          for (const [stream, length] of pieces) {
            const text = 'abcdefghij'.repeat(length).slice(0, length);
            log.append(stream, Buffer.from(text));
            all += stream === 'stdout' ? text : text.toUpperCase();
          }
          expect(log.end).toBe(all.length);
          expect(bytesOf(log.from(from))).toBe(all.slice(Math.max(from, log.start)));
          let at = Math.max(from, log.start);
          for (const { offset, bytes } of log.from(from)) {
            expect(offset).toBe(at);
            at += bytes.length;
          }
          // At most one piece more than was asked for.
          expect(log.end - log.start).toBeLessThanOrEqual(capacity + 9_000);
        },
      ),
    );
  });
});
