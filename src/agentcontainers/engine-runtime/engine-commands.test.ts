import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContainerRuntime, OutputChunk } from '../ports.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import type { FakeClock } from '../../testing/fake-clock.ts';
import { createFakeEngine } from '../../testing/fake-engine.ts';
import type { FakeEngine } from '../../testing/fake-engine.ts';
import { createEngineRuntime } from './engine-runtime.ts';

let clock: FakeClock;
let engine: FakeEngine;
let runtime: ContainerRuntime;

beforeEach(() => {
  clock = createFakeClock();
  engine = createFakeEngine({ clock });
  const containerId = engine.addContainer().id;
  const world = { engine, clock, containerId, user: 'dev', workingDir: '/w', env: {}, remoteEnv: {} };
  runtime = createEngineRuntime(world);
  engine.onExec(['cat'], async ({ stdin, stdout }) => {
    for await (const text of stdin) stdout(text);
    return 0;
  });
});
afterEach(() => {
  expect(clock.pending()).toEqual([]);
  for (const exec of engine.openExecs) exec.end(0);
});

/** What comes without anything else happening. */
async function nextOf(output: AsyncIterator<OutputChunk>): Promise<string> {
  const next = output.next();
  const found = await Promise.race([next, clock.settle()]);
  if (!found) return '(nothing)';
  return found.done === true ? '(the end)' : Buffer.from(found.value.bytes).toString();
}

async function text(output: AsyncIterable<OutputChunk>): Promise<string> {
  let all = '';
  for await (const { bytes } of output) all += Buffer.from(bytes).toString();
  return all;
}

describe('a command that is run twice with one key', () => {
  const spec = { argv: ['cat'], stdin: true, key: 'k' };

  it('tells each of its callers all of its output', async () => {
    const first = await runtime.exec(spec);
    await first.write('one ');
    await clock.settle();
    const second = await runtime.exec(spec);
    expect(second.process.id).toBe(first.process.id);
    const read = [text(first.output), text(second.output)];
    await second.write('two');
    second.closeStdin();
    expect(await Promise.all(read)).toEqual(['one two', 'one two']);
  });

  it('goes on for the one when the other lets it run on', async () => {
    const first = await runtime.exec(spec);
    const second = await runtime.exec(spec);
    second.detach();
    const read = text(first.output);
    await first.write('one');
    first.closeStdin();
    expect(await read).toBe('one');
    expect(await text(second.output)).toBe('');
  });

  it.each(['the first', 'the second'] as const)('waits for %s when that is the slower one', async (slower) => {
    engine.onExec(['yes'], ({ stdout, signal }) => {
      for (let piece = 0; piece < 100; piece++) stdout(Buffer.alloc(65_536, 'y'));
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(0)));
    });
    const yes = { argv: ['yes'], key: 'yes' };
    const first = await runtime.exec(yes);
    const second = await runtime.exec(yes);
    const [fast, slow] = slower === 'the second' ? [first, second] : [second, first];
    const read = [text(fast.output)];
    await clock.settle();
    expect(fast.process.output.end).toBeLessThan(1_048_576);
    read.push(text(slow.output));
    await clock.settle();
    expect(fast.process.output.end).toBe(6_553_600);
    engine.openExecs[0]?.end(0);
    expect((await Promise.all(read)).map(({ length }) => length)).toEqual([6_553_600, 6_553_600]);
  });
});

describe('output that is followed', () => {
  it('is told at once when it came while its reader was busy with what was before', async () => {
    const { id } = await runtime.spawn({ argv: ['cat'], stdin: true });
    const output = runtime.output(id, { follow: true })[Symbol.asyncIterator]();
    await runtime.writeStdin(id, 'first');
    expect(await nextOf(output)).toBe('first');
    await runtime.writeStdin(id, 'second');
    await clock.settle();
    expect(await nextOf(output)).toBe('second');
    await runtime.writeStdin(id, 'third', { eof: true });
    expect(await nextOf(output)).toBe('third');
    expect(await nextOf(output)).toBe('(the end)');
  });

  it('ends with its signal, also where there is more to read', async () => {
    const { id } = await runtime.spawn({ argv: ['cat'], stdin: true });
    const leaving = new AbortController();
    const output = runtime.output(id, { follow: true, signal: leaving.signal })[Symbol.asyncIterator]();
    await runtime.writeStdin(id, 'first');
    expect(await nextOf(output)).toBe('first');
    await runtime.writeStdin(id, 'second');
    await clock.settle();
    leaving.abort(new Error('enough'));
    await expect(output.next()).rejects.toThrow('enough');
  });

  it('leaves nothing behind on the signal of a view once the command has ended', async () => {
    const { id } = await runtime.spawn({ argv: ['cat'], stdin: true });
    const caller = new AbortController();
    const view = await runtime.attach(id, {}, caller.signal);
    await view.write('x');
    view.closeStdin();
    expect(await text(view.output)).toBe('x');
    expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
  });
});

describe('an offset beyond the end of the output', () => {
  it.each<[string, (id: string) => Promise<unknown>]>([
    ['read', (id) => text(runtime.output(id, { offset: 4 }))],
    ['waited for', (id) => text(runtime.output(id, { offset: 4, waitMs: 1_000 }))],
    ['followed', (id) => text(runtime.output(id, { offset: 4, follow: true }))],
    ['looked at', (id) => runtime.attach(id, { offset: 4 })],
  ])('is refused where the output is %s', async (_, ask) => {
    const { id } = await runtime.spawn({ argv: ['cat'], stdin: true });
    await runtime.writeStdin(id, 'abc', { eof: true });
    await clock.settle();
    expect(await text(runtime.output(id, { offset: 3 }))).toBe('');
    await expect(ask(id)).rejects.toMatchObject({
      code: 'invalid-request',
      message: `Reading the output of process ${id} failed: the offset lies after the end of the output.`,
    });
  });
});

describe('the output of commands that have ended', () => {
  const MIB = 1_048_576;
  const startOf = async (id: string): Promise<number> => (await runtime.process(id)).output.start / MIB;

  it('is kept up to 32 MiB in all, the newest of it, and of those that run all of it', async () => {
    engine.onExec(['yes'], ({ spec, stdout, signal }) => {
      for (let piece = 0; piece < 10; piece++) stdout(Buffer.alloc(MIB, 'y'));
      if (spec.argv[1] === 'ends') return 0;
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(0)));
    });
    const running = await runtime.spawn({ argv: ['yes', 'runs'], ringBytes: 10 * MIB });
    const ended: string[] = [];
    for (let command = 0; command < 5; command++) {
      ended.push((await runtime.spawn({ argv: ['yes', 'ends'], ringBytes: 10 * MIB })).id);
      await clock.settle();
    }
    expect(await Promise.all(ended.map(startOf))).toEqual([10, 8, 0, 0, 0]);
    expect(await startOf(running.id)).toBe(0);
    expect(await runtime.process(ended[0] ?? '')).toMatchObject({ exit: { code: 0 }, output: { end: 10 * MIB } });
    expect(await text(runtime.output(ended[0] ?? '', { follow: true }))).toBe('');
    expect((await text(runtime.output(ended[1] ?? '', { follow: true }))).length).toBe(2 * MIB);
  });

  it('is kept whole of the last one, however much it is', async () => {
    engine.onExec(['yes'], ({ stdout }) => {
      for (let piece = 0; piece < 40; piece++) stdout(Buffer.alloc(MIB, 'y'));
      return 0;
    });
    const first = await runtime.spawn({ argv: ['yes'], ringBytes: 40 * MIB });
    await clock.settle();
    expect(await startOf(first.id)).toBe(0);
    const last = await runtime.spawn({ argv: ['yes'], ringBytes: 40 * MIB });
    await clock.settle();
    expect(await Promise.all([first.id, last.id].map(startOf))).toEqual([40, 0]);
  });

  it('goes with the oldest of more than 256 of them', async () => {
    engine.onExec(['true'], {});
    const first = await runtime.spawn({ argv: ['true'] });
    for (let command = 0; command < 256; command++) await runtime.spawn({ argv: ['true'] });
    await clock.settle();
    expect((await runtime.processes()).length).toBe(256);
    await expect(runtime.process(first.id)).rejects.toMatchObject({ code: 'process-not-found' });
  });
});
