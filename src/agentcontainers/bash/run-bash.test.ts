import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFakeClock, type FakeClock } from '../../testing/fake-clock.ts';
import {
  createFakeContainerRuntime,
  type FakeCommand,
  type FakeContainerRuntime,
} from '../../testing/fake-container-runtime.ts';
import { runBash, type BashRequest, type BashResult } from './run-bash.ts';

let clock: FakeClock;
let runtime: FakeContainerRuntime;

beforeEach(() => {
  clock = createFakeClock();
  runtime = createFakeContainerRuntime({ clock });
});
afterEach(() => {
  expect([...clock.leaks(), ...runtime.leaks()]).toEqual([]);
});

/** Runs a command that a test plays. */
function run(
  request: Partial<BashRequest>,
  play: (command: FakeCommand) => void | Promise<void> = () => {},
  signal?: AbortSignal,
): Promise<BashResult> {
  runtime.onCommand(play);
  return runBash(runtime, clock, { command: 'make', ...request }, signal);
}

describe('a command in the foreground', () => {
  test('answers with both outputs in their order, trimmed, and its exit code', async () => {
    const result = await run({ cwd: 'src', env: { A: '1' } }, (command) => {
      command.write('\n  out\n');
      command.write('err\n', 'stderr');
      command.write('more\n\n');
      command.exit(3);
    });
    expect(result).toEqual({ output: 'out\nerr\nmore', exitCode: 3, via: 'resident' });
    expect(runtime.commands[0]?.spec).toMatchObject({ command: 'make', cwd: 'src', env: { A: '1' }, merged: true });
  });

  test('has nothing to read, so that none waits for input for ever', async () => {
    await run({}, (command) => command.exit());
    expect(runtime.commands[0]?.spec.stdin).toBeFalsy();
  });

  test('waits for output that comes late', async () => {
    const answer = run({}, async (command) => {
      command.write('a');
      await clock.settle();
      command.write('b');
      await clock.settle();
      command.exit();
    });
    expect(await answer).toMatchObject({ output: 'ab', exitCode: 0 });
  });

  test('is forgotten when nothing of it is left to be asked for', async () => {
    await run({}, (command) => command.exit());
    expect(await runtime.processes()).toEqual([]);
  });

  test('that cannot be forgotten has answered all the same', async () => {
    runtime.failNext('forget', new Error('gone'));
    expect(await run({}, (command) => command.exit())).toMatchObject({ exitCode: 0 });
  });

  test.each([
    ['a code', { code: 7 }, 7, ''],
    ['SIGKILL', { code: null, signal: 'SIGKILL', reason: 'signal' }, 137, ''],
    ['SIGTERM', { code: null, signal: 'SIGTERM', reason: 'killed' }, 143, ''],
    ['a signal without a number', { code: null, signal: 'SIGRTMIN', reason: 'signal' }, 128, ''],
    [
      'no memory',
      { code: null, signal: 'SIGKILL', reason: 'oom' },
      137,
      'Command was killed: the container has no memory left',
    ],
    [
      'its container',
      { code: null, reason: 'lost' },
      null,
      'Command was lost: its container has ended, or what ran it there',
    ],
    [
      'survivors',
      { code: null, signal: 'SIGKILL', reason: 'killed', survivors: [4, 5] },
      137,
      'These processes may be of it, and were not or could not be ended: 4, 5',
    ],
  ] as const)('ended by %s says so', async (_how, exit, exitCode, note) => {
    expect(await run({}, (command) => command.exit(exit))).toEqual({ output: note, exitCode, via: 'resident' });
  });

  test('whose children hold its output says so, and can be looked at later', async () => {
    const result = await run({}, (command) => {
      command.write('started\n');
      command.exit({ backgroundHeld: true });
    });
    expect(result).toEqual({
      output: 'started\nProcesses that the command has started still run in background',
      exitCode: 0,
      processId: 'p1',
      via: 'resident',
    });
    expect(await runtime.processes()).toHaveLength(1);
  });
});

describe('a time-out', () => {
  test.each([
    ['60 s unless said otherwise', undefined, 60_000],
    ['as given', 300_000, 300_000],
  ])('is %s, ends the command with code 124, and keeps what it has printed', async (_name, timeoutMs, after) => {
    const answer = run({ timeoutMs }, (command) => command.write('so far\n'));
    await clock.run(after - 1);
    expect(runtime.commands[0]?.process.running).toBe(true);
    await clock.run(1);
    expect(await answer).toEqual({
      output: 'so far\nCommand canceled due to timeout',
      exitCode: 124,
      via: 'resident',
    });
  });

  test('names what could not be ended', async () => {
    const answer = run({ timeoutMs: 10 }, (command) => command.leaves([9]));
    await clock.run(10);
    expect((await answer).output).toBe(
      'Command canceled due to timeout\nThese processes may be of it, and were not or could not be ended: 9',
    );
  });

  test.each([0, -1, 1.5, 300_001, Number.NaN, Number.POSITIVE_INFINITY])('of %s ms is refused', async (timeoutMs) => {
    await expect(run({ timeoutMs })).rejects.toMatchObject({ code: 'invalid-request' });
    expect(runtime.commands).toEqual([]);
  });
});

test.each(['', ' ', '\n\t '])('a blank command (%j) is refused', async (command) => {
  await expect(run({ command })).rejects.toMatchObject({
    code: 'invalid-request',
    message: expect.stringContaining('it is empty'),
  });
  expect(runtime.commands).toEqual([]);
});

describe('a command in the background', () => {
  test('answers at the time-out with what there is, and runs on', async () => {
    const answer = run({ background: true, timeoutMs: 1_000 }, (command) => command.write('listening\n'));
    await clock.run(1_000);
    expect(await answer).toEqual({
      output: 'listening\nCommand continues running in background',
      exitCode: null,
      processId: 'p1',
      via: 'resident',
    });
    const [command] = runtime.commands;
    expect(command).toMatchObject({ kills: [], process: { running: true } });
    expect(command?.spec.timeoutMs).toBeUndefined();
  });

  test.each(['resident', 'engine'] as const)('can be written to (%s)', async (via) => {
    runtime = createFakeContainerRuntime({ clock, via });
    const answer = run({ background: true, timeoutMs: 1_000 });
    await clock.run(1_000);
    const { processId = '' } = await answer;
    await runtime.writeStdin(processId, 'typed\n');
    expect(runtime.commands[0]).toMatchObject({ spec: { stdin: true }, stdin: 'typed\n' });
  });

  test('that ends before answers as one in the foreground', async () => {
    expect(await run({ background: true }, (command) => command.exit(2))).toEqual({
      output: '',
      exitCode: 2,
      via: 'resident',
    });
  });

  test('runs on when its caller leaves', async () => {
    const caller = new AbortController();
    const answer = run({ background: true }, () => {}, caller.signal);
    await clock.settle();
    caller.abort(new Error('left'));
    await expect(answer).rejects.toThrow('left');
    expect(runtime.commands[0]).toMatchObject({ kills: [], process: { running: true } });
  });
});

describe('an abort', () => {
  test('ends the command in the foreground with its whole tree', async () => {
    const caller = new AbortController();
    const answer = run({}, () => {}, caller.signal);
    await clock.settle();
    caller.abort(new Error('left'));
    await expect(answer).rejects.toThrow('left');
    expect(runtime.commands[0]).toMatchObject({ kills: [undefined], process: { running: false } });
  });

  test('leaves one with a key to its time-out, so that a retry answers for the same run', async () => {
    const caller = new AbortController();
    const answer = run({ idempotencyKey: 'k' }, () => {}, caller.signal);
    await clock.settle();
    caller.abort(new Error('left'));
    await expect(answer).rejects.toThrow('left');
    const retry = run({ idempotencyKey: 'k' });
    runtime.commands[0]?.write('whole');
    runtime.commands[0]?.exit();
    expect(await retry).toMatchObject({ output: 'whole', exitCode: 0 });
    expect(runtime.commands).toHaveLength(1);
    expect(runtime.commands[0]?.kills).toEqual([]);
  });

  test('while it starts ends it all the same', async () => {
    const caller = new AbortController();
    const gate = runtime.hang('spawn');
    const answer = run({}, () => {}, caller.signal);
    answer.catch(() => {});
    await gate.reached();
    caller.abort(new Error('left'));
    gate.open();
    await expect(answer).rejects.toThrow('left');
    expect(runtime.commands[0]).toMatchObject({ kills: [undefined], process: { running: false } });
  });

  test('before it begins starts nothing', async () => {
    await expect(run({}, () => {}, AbortSignal.abort(new Error('left')))).rejects.toThrow('left');
    expect(runtime.commands).toEqual([]);
  });
});

describe('a long output', () => {
  test('is cut in the middle, says how much is missing, and can be read whole', async () => {
    const result = await run({}, (command) => {
      for (let line = 0; line < 20_000; line++) command.write(`line ${line}\n`);
      command.exit();
    });
    const total = runtime.commands[0]?.process.output.end ?? 0;
    const { output, truncated, processId } = result;
    expect(truncated?.totalBytes).toBe(total);
    expect(output).toMatch(/^line 0\nline 1\n/);
    expect(output).toMatch(/line 19999$/);
    const shown = output.replace(/\n\[\d+ bytes left out\]\n/, '');
    expect(output).toContain(`[${truncated?.omittedBytes} bytes left out]`);
    // Both ends, without the line feed that was trimmed.
    expect(Buffer.byteLength(shown) + 1).toBe(total - (truncated?.omittedBytes ?? 0));
    expect(Buffer.byteLength(output)).toBeLessThan(50_000);
    let whole = '';
    for await (const { bytes } of runtime.output(processId ?? '', { offset: 0 }))
      whole += Buffer.from(bytes).toString();
    expect(whole.length).toBe(total);
    expect(runtime.commands[0]?.spec.overflow).toBe('spill');
  });

  test('that just fits is not cut', async () => {
    const result = await run({}, (command) => {
      command.write('x'.repeat(48 * 1024));
      command.exit();
    });
    expect(result.output).toHaveLength(48 * 1024);
    expect(result).not.toHaveProperty('truncated');
  });
});

describe('an idempotency key', () => {
  test('makes a retry answer for the same run, also after it has ended', async () => {
    const play = (command: FakeCommand): void => {
      command.write('once\n');
      command.exit(4);
    };
    const first = await run({ idempotencyKey: 'k' }, play);
    const second = await run({ idempotencyKey: 'k' }, play);
    expect(first).toEqual({ output: 'once', exitCode: 4, via: 'resident' });
    expect(second).toEqual(first);
    expect(runtime.commands).toHaveLength(1);
    await run({ idempotencyKey: 'other' }, play);
    expect(runtime.commands).toHaveLength(2);
  });

  test('lets a retry wait for what still runs', async () => {
    const first = run({ idempotencyKey: 'k', background: true, timeoutMs: 10 });
    await clock.run(10);
    await first;
    const second = run({ idempotencyKey: 'k' });
    await clock.settle();
    runtime.commands[0]?.write('done\n');
    runtime.commands[0]?.exit();
    expect(await second).toMatchObject({ output: 'done', exitCode: 0 });
  });
});

describe('through the engine', () => {
  test('nothing is asked for that only a resident does', async () => {
    runtime = createFakeContainerRuntime({ clock, via: 'engine' });
    expect(await run({}, (command) => command.exit())).toEqual({ output: '', exitCode: 0, via: 'engine' });
    expect(runtime.commands[0]?.spec.overflow).toBeUndefined();
  });
});

test('an output that cannot be read is an error, and the command runs on until its time-out', async () => {
  runtime.failNext('output', new Error('no way'));
  const answer = run({ timeoutMs: 100 });
  await expect(answer).rejects.toThrow('no way');
  await clock.run(100);
  expect(runtime.commands[0]?.process.running).toBe(false);
});
