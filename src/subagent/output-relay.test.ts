import { expect, test } from 'vitest';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createOutputRelay } from './output-relay.ts';

test('lines are handed on in order', () => {
  const lines: string[] = [];
  const relay = createOutputRelay(createFakeClock(), (line) => lines.push(line));
  for (const line of ['one', 'two', '']) relay(line);
  expect(lines).toEqual(['one', 'two', '']);
});

test('of a process that chatters 200 lines in 10 s are kept, and the others counted', async () => {
  const clock = createFakeClock();
  const lines: string[] = [];
  const relay = createOutputRelay(clock, (line) => lines.push(line));
  for (let count = 0; count < 1_000; count++) relay(`line ${count}`);
  expect(lines).toHaveLength(200);
  await clock.run(10_000);
  relay('again');
  expect(lines.slice(200)).toEqual(['(800 lines left out)', 'again']);
});
