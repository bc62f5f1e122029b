import { describe, expect, it } from 'vitest';
import { wireProcess } from '../../../test/support/resident/wire-process.ts';
import { processSchema } from './wire.ts';

const ended = (signal: string): unknown =>
  wireProcess({ running: false, exit: { code: null, signal, reason: 'signal' } });

it.each(['SIGKILL', 'SIGRTMIN+3', 'SIG34'])('%s is a signal', (signal) => {
  expect(processSchema.safeParse(ended(signal)).success).toBe(true);
});

it.each(['', 'KILL', 'SIGKILL\n', '\u001B]52;c;eA==\u0007', `SIG${'A'.repeat(40)}`])('%j is none', (signal) => {
  expect(processSchema.safeParse(ended(signal)).success).toBe(false);
});

describe('of a process', () => {
  const running = { ...(ended('SIGKILL') as object), running: true, exit: null };

  it.each([
    ['a folder', { cwd: `/${'a'.repeat(4_000)}` }, { cwd: 'a'.repeat(20_000) }],
    ['a user', { user: 'u'.repeat(256) }, { user: 'u'.repeat(5_000) }],
    ['a key', { key: 'k'.repeat(256) }, { key: 'k'.repeat(257) }],
    ['a line', { command: `${'l'.repeat(16_384)}…` }, { command: 'l'.repeat(17_000) }],
    ['an argument', { argv: [`${'a'.repeat(16_384)}…`] }, { argv: ['a'.repeat(17_000)] }],
    ['all arguments together', { argv: Array(4).fill('a'.repeat(4_000)) }, { argv: Array(5).fill('a'.repeat(16_000)) }],
    ['a survivor', { survivors: [7] }, { survivors: [2 ** 40] }],
    ['the process id', { pid: 4_194_304 }, { pid: 2 ** 40 }],
  ])('%s has a bound', (_, within, beyond) => {
    expect(processSchema.safeParse({ ...running, ...within }).error).toBeUndefined();
    expect(processSchema.safeParse({ ...running, ...beyond }).success).toBe(false);
  });

  it('more than 1,024 arguments and survivors are cut off', () => {
    const all = Array.from({ length: 16_000 }, (_, at) => at);
    const told = {
      argv: all.map(() => ''),
      survivors: all,
      exit: { code: 0, signal: null, reason: 'exit', survivors: all },
    };
    const found = processSchema.parse({ ...running, ...told });
    expect(found.argv).toEqual([...Array<string>(1_023).fill(''), '…']);
    expect(found.survivors).toEqual(all.slice(0, 1_024));
    expect(found.exit?.survivors).toEqual(all.slice(0, 1_024));
    expect(processSchema.parse({ ...running, argv: Array(1_024).fill('a') }).argv).toEqual(Array(1_024).fill('a'));
  });
});
