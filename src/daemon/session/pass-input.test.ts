import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { passInput } from './pass-input.ts';

function pass() {
  const source = new PassThrough();
  const taken: string[] = [];
  const errors: string[] = [];
  const take = (bytes: Uint8Array): void => void taken.push(Buffer.from(bytes).toString());
  const stop = passInput(source, take, ({ message }) => errors.push(message));
  return { source, taken, errors, stop };
}

test('what is read is handed on, and an empty piece after it is the end', async () => {
  const { source, taken, errors } = pass();
  source.end('all');
  for (let n = 0; n < 5; n++) await turn();
  expect([taken, errors]).toEqual([['all', ''], []]);
});

test('an error is told, and is not taken for the end', async () => {
  const { source, taken, errors } = pass();
  source.write('some');
  await turn();
  source.destroy(new Error('EIO'));
  for (let n = 0; n < 5; n++) await turn();
  expect([taken, errors]).toEqual([['some'], ['EIO']]);
});

test('nothing is told after it was stopped', async () => {
  const { source, taken, errors, stop } = pass();
  stop();
  source.destroy(new Error('late'));
  for (let n = 0; n < 5; n++) await turn();
  expect([taken, errors, source.destroyed]).toEqual([[], [], true]);
});
