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
    'app: build done (1m00s)\n',
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

test('steps are shown once each, with the time that they took by their own account', () => {
  const { progress, written } = capture(false);
  const at = Date.now();
  const build = { name: 'build', startedAt: at - 12_300 };
  progress.steps([build]);
  progress.steps([build]);
  const built = { ...build, endedAt: at };
  const created = { name: 'create', startedAt: at, endedAt: at + 2_000 };
  progress.steps([built, created, { name: 'post\u001b[2JCreateCommand', startedAt: at + 2_000 }]);
  vi.advanceTimersByTime(3_000);
  progress.steps(
    [built, created, { name: 'post\u001b[2JCreateCommand', startedAt: at + 2_000, endedAt: at + 3_000 }],
    true,
  );
  progress.end();
  expect(written).toEqual([
    'app: build\n',
    'app: build done (12.3s)\n',
    'app: create done (2s)\n',
    'app: postCreateCommand\n',
    'app: postCreateCommand failed (1s)\n',
  ]);
});

test('a step that comes twice is two steps, and an end in the future of this clock is none in the past', () => {
  const { progress, written } = capture(false);
  const at = Date.now();
  progress.steps([
    { name: 'stop', startedAt: at, endedAt: at + 1_000 },
    { name: 'stop', startedAt: at + 1_000, endedAt: at + 500 },
  ]);
  progress.end();
  expect(written).toEqual(['app: stop done (1s)\n', 'app: stop done (0ms)\n']);
});

test('on a terminal the line counts from when the step began, not from when it was first seen', () => {
  const { progress, written } = capture(true);
  const startedAt = Date.now() - 5_000;
  progress.steps([{ name: 'build', startedAt }]);
  vi.advanceTimersByTime(1_000);
  expect(written.at(-1)).toMatch(/^\r\u001b\[K. app: build 6s$/u);
  progress.steps([{ name: 'build', startedAt, endedAt: startedAt + 6_500 }]);
  expect(written.at(-1)).toBe('\r\u001b[K✔ app: build 6.5s\n');
  progress.phase('sub-agent');
  progress.end();
  expect(written.at(-1)).toBe('\r\u001b[K');
});
