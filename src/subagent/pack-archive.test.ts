import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BinaryContent } from './binary-contents.ts';
import { packArchive } from './pack-archive.ts';

const CHUNK = 262_144;
const COUNT = 64;
const warnings: Error[] = [];
const onWarning = (warning: Error): void => void warnings.push(warning);

beforeEach(() => {
  warnings.length = 0;
  process.on('warning', onWarning);
});
afterEach(() => process.off('warning', onWarning));

function large(onChunk: (index: number) => void = () => {}): BinaryContent {
  return {
    size: CHUNK * COUNT,
    format: { format: 'unknown' },
    whole: async () => undefined,
    async *stream() {
      for (let index = 0; index < COUNT; index++) {
        onChunk(index);
        yield new Uint8Array(CHUNK).fill(index);
      }
    },
  };
}

it('streams a large file at the pace of its reader, without a listener for each piece', async () => {
  let size = 0;
  let ahead = 0;
  let given = 0;
  const tar = await packArchive(
    '.agentcontainers',
    'agent',
    large(() => given++),
  );
  for await (const chunk of tar as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    ahead = Math.max(ahead, given * CHUNK - size);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(size).toBeGreaterThan(CHUNK * COUNT);
  expect(ahead).toBeLessThan(CHUNK * 8);
  expect(warnings).toEqual([]);
});

it('reads no further when its reader has left', async () => {
  let given = 0;
  const tar = (await packArchive(
    '.agentcontainers',
    'agent',
    large(() => given++),
  )) as AsyncIterable<Uint8Array>;
  for await (const _ of tar) break;
  const then = given;
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(given).toBeLessThanOrEqual(then + 2);
  expect(given).toBeLessThan(COUNT);
});

it('ends with the error of a file that was changed meanwhile', async () => {
  const tar = await packArchive(
    '.agentcontainers',
    'agent',
    large((index) => {
      if (index === 3) throw new Error('it was changed');
    }),
  );
  await expect(async () => {
    for await (const _ of tar as AsyncIterable<Uint8Array>);
  }).rejects.toThrow('it was changed');
});
