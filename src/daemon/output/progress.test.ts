import pc from 'picocolors';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Output } from './output.ts';
import { createProgress } from './progress.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function capture(interactive: boolean) {
  const written: string[] = [];
  const output = {
    interactive,
    colors: pc.createColors(false),
    errorColors: pc.createColors(false),
    note: (text: string) => written.push(`${text}\n`),
    raw: (text: string) => written.push(text),
  } as unknown as Output;
  return { progress: createProgress(output, 'app'), written };
}

test('without a terminal each step is one plain line, and silence is broken every 30 s', () => {
  const { progress, written } = capture(false);
  progress.phase('build');
  progress.phase('build');
  progress.text('ignored here');
  vi.advanceTimersByTime(60_000);
  progress.phase('create');
  progress.end();
  vi.advanceTimersByTime(60_000);
  expect(written).toEqual([
    'app: build\n',
    'app: still at build (30s)\n',
    'app: still at build (1m00s)\n',
    'app: create\n',
  ]);
});

test('on a terminal one line is drawn over, a finished step stays with its time, and the end leaves nothing', () => {
  const { progress, written } = capture(true);
  progress.phase('build');
  progress.text('step 1\n\u001b[31mstep 2\u001b[0m\n');
  vi.advanceTimersByTime(2_000);
  expect(written.at(-1)).toMatch(/^\r\u001b\[K. app: build 2s {2}step 2$/u);
  progress.phase('create');
  expect(written.at(-2)).toBe('\r\u001b[K✔ app: build 2s\n');
  progress.end();
  progress.end();
  expect(written.at(-1)).toBe('\r\u001b[K');
});
