import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readPieces } from './read-pieces.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('ab');
  yield Buffer.from('c');
}

async function all(iterator: AsyncIterator<Uint8Array>): Promise<string[]> {
  const found: string[] = [];
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    found.push(Buffer.from(next.value).toString());
  }
  return found;
}

describe('pieces of a source', () => {
  it.each([
    ['that is iterated', pieces],
    ['that is a stream', () => Readable.from(pieces(), { objectMode: false })],
  ])('%s come one by one', async (_, source) => {
    expect(await all(readPieces(source()))).toEqual(['ab', 'c']);
  });

  it('of a stream are not joined, and hold it up until they are read', async () => {
    const source = new PassThrough();
    const iterator = readPieces(source);
    const piece = Buffer.alloc(65_536);
    let written = 0;
    while (written < 100 && source.write(piece)) {
      written++;
      await turn();
    }
    expect(written).toBeLessThan(20);
    source.end();
    const found = await all(iterator);
    expect(found.every(({ length }) => length === piece.length)).toBe(true);
    expect(found.length).toBeGreaterThanOrEqual(written);
  });

  it.each([
    ['with its error', new Error('broken')],
    ['when it is closed', undefined],
  ])('of a stream that is destroyed end %s', async (_, error) => {
    const source = new PassThrough();
    const iterator = readPieces(source);
    source.write('a');
    await turn();
    source.destroy(error);
    await turn();
    expect((await iterator.next()).value).toEqual(Buffer.from('a'));
    if (error) await expect(iterator.next()).rejects.toBe(error);
    else expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it.each([
    ['with its error', new Error('broken')],
    ['when it has none', undefined],
  ])('of a stream that was destroyed before end %s', async (_, error) => {
    const source = new PassThrough();
    source.on('error', () => {});
    source.destroy(error);
    await turn();
    const iterator = readPieces(source);
    if (error) await expect(iterator.next()).rejects.toBe(error);
    else expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it('of a stream that was read to its end before are none', async () => {
    const source = new PassThrough({ autoDestroy: false });
    source.end('a');
    source.resume();
    await turn();
    await turn();
    expect(source.readableEnded).toBe(true);
    expect(await all(readPieces(source))).toEqual([]);
  });
});
