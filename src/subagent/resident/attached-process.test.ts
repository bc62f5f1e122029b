import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentOf, until } from '../../../test/support/resident/connected.ts';
import { createFakeResident } from '../../../test/support/resident/fake-resident.ts';
import type { FakeProcess, FakeResident } from '../../../test/support/resident/fake-resident.ts';
import type { OutputChunk } from '../../agentcontainers/ports.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import type { FakeClock } from '../../testing/fake-clock.ts';
import { attachProcess } from './attached-process.ts';
import { FRAME, encodeJsonFrame } from './frames.ts';
import { spawnProcess } from './processes.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { wireProcess } from '../../../test/support/resident/wire-process.ts';

let clock: FakeClock;
let fake: FakeResident;
let agent: ResidentAgent;
const WIRE = wireProcess({ argv: ['vi'], tty: { width: 80, height: 24 }, kind: 'terminal' });
const SIZE = { width: 80, height: 24 };

beforeEach(async () => {
  clock = createFakeClock();
  fake = createFakeResident();
  agent = await agentOf(fake, clock);
});
afterEach(async () => {
  agent.close();
  await until(() => fake.sessions.size === 0 && clock.pending().length === 0);
});

async function start(output: string, kept: number, tty: typeof SIZE | null = SIZE): Promise<FakeProcess> {
  const { id } = await spawnProcess(agent, { argv: ['vi'], ...(tty && { tty }) }, undefined);
  const process = fake.processes.get(id);
  if (!process) throw new Error('there is no process');
  process.write(FRAME.stdout, output);
  process.keepFrom(kept);
  return process;
}
async function collect(output: AsyncIterable<OutputChunk>, at: number): Promise<string> {
  let text = '';
  let next = at;
  for await (const { offset, bytes } of output) {
    expect(offset).toBe(next);
    next += bytes.length;
    text += Buffer.from(bytes).toString();
  }
  return text;
}

describe('a terminal whose output is not kept from where its viewer asked', () => {
  it.each([
    ['a sequence that is cut', '\x1b[24;1Hold\x1b[2Jnew', 3, '\x1b[2Jnew'],
    ['a line that is cut', 'first\nsecond', 2, '\nsecond'],
    ['a whole sequence', 'x\x1b[2Jnew', 1, '\x1b[2Jnew'],
    ['a character that is cut', 'a€b', 2, 'b'],
    ['text without an end', 'abcdef', 2, 'cdef'],
  ])('is shown from the first whole place on: %s', async (_what, output, kept, shown) => {
    const process = await start(output, kept);
    const view = await attachProcess(agent, process.id, {}, undefined);
    const text = collect(view.output, view.offset);
    expect(view.offset).toBe(Buffer.byteLength(output) - Buffer.byteLength(shown));
    process.write(FRAME.stdout, ' live');
    process.end();
    expect(await text).toBe(`${shown} live`);
  });

  it.each([
    ['its own size', {}, SIZE, [{ width: 80, height: 23 }, SIZE]],
    ['the same size', SIZE, SIZE, [{ width: 80, height: 23 }, SIZE]],
    ['the same height', { height: 24 }, SIZE, [{ width: 80, height: 23 }, SIZE]],
    ['another size', { width: 90 }, SIZE, [{ width: 90, height: 24 }]],
    [
      'one row',
      {},
      { width: 80, height: 1 },
      [
        { width: 80, height: 2 },
        { width: 80, height: 1 },
      ],
    ],
  ])('is drawn anew for a viewer with %s', async (_what, size, tty, sizes) => {
    const process = await start('0123456789', 5, tty);
    (await attachProcess(agent, process.id, { offset: 2, size }, undefined)).detach();
    expect(process.sizes).toEqual(sizes);
  });

  it('keeps its size when two come at the same time, and one of them has none', async () => {
    const process = await start('0123456789', 5);
    const views = await Promise.all(
      [{ height: 24 }, {}, {}].map((size) => attachProcess(agent, process.id, { size }, undefined)),
    );
    expect(process.sizes.at(-1)).toEqual(SIZE);
    for (const view of views) view.detach();
  });

  it('is left alone by who only watches, or has no size, or asks for what is kept', async () => {
    const process = await start('0123456789', 5);
    for (const options of [{ size: SIZE, readOnly: true }, {}, { offset: 5, size: SIZE }, { offset: 9, size: {} }]) {
      (await attachProcess(agent, process.id, options, undefined)).detach();
    }
    expect(process.sizes).toEqual([]);
  });

  it('and that has ended is shown as it is', async () => {
    const process = await start('0123\n56789', 2);
    process.end();
    const view = await attachProcess(agent, process.id, { size: { width: 9, height: 9 } }, undefined);
    expect(await collect(view.output, 4)).toBe('\n56789');
    expect(process.sizes).toEqual([]);
  });
});

it('a command without a terminal is shown from what is kept on, and has no size', async () => {
  const process = await start('0123\n56789', 2, null);
  const view = await attachProcess(agent, process.id, { size: SIZE }, undefined);
  process.end();
  expect([view.offset, await collect(view.output, 2)]).toEqual([2, '23\n56789']);
  expect(process.sizes).toEqual([]);
});

it('a viewer that leaves before the first of a screen comes gets no view of it', async () => {
  let isClosed = false;
  const slow = createFakeResident({
    onRequest(stream, _method, path) {
      if (!path.includes('/attach')) return false;
      stream.on('close', () => (isClosed = true));
      stream.respond({ ':status': 200 });
      const [process] = slow.processes.values();
      stream.write(encodeJsonFrame({ offset: 5, process: { ...WIRE, id: process!.id, output: { start: 5, end: 9 } } }));
      return true;
    },
  });
  const other = await agentOf(slow, clock);
  const { id } = await spawnProcess(other, { argv: ['vi'], tty: SIZE }, undefined);
  const leaving = new AbortController();
  const attaching = attachProcess(other, id, {}, leaving.signal).catch((error: unknown) => error);
  await until(() => slow.requests.some((request) => request.includes('/attach')));
  for (let round = 0; round < 50; round++) await new Promise((resolve) => setImmediate(resolve));
  leaving.abort(new Error('left'));
  expect(await attaching).toMatchObject({ message: 'left' });
  await until(() => isClosed);
  other.close();
  await until(() => slow.sessions.size === 0);
});

it('viewers that have left are told of the end, and waited for by one alone', async () => {
  const process = await start('0123456789', 0, null);
  const watching = new Set<() => void>();
  const counted: ResidentAgent = {
    ...agent,
    watchEnd(id, onEnd) {
      const stop = agent.watchEnd(id, onEnd);
      watching.add(stop);
      return () => {
        watching.delete(stop);
        stop();
      };
    },
  };
  const views = await Promise.all(
    Array.from({ length: 10 }, () => attachProcess(counted, process.id, {}, new AbortController().signal)),
  );
  const leaving = new AbortController();
  views.push(await attachProcess(counted, process.id, {}, leaving.signal));
  leaving.abort();
  for (const view of views) view.detach();
  expect(watching.size).toBe(1);
  process.end({ code: 3 });
  const exits = await Promise.all(views.map(({ exited }) => exited));
  expect(exits).toHaveLength(11);
  for (const exit of exits) expect(exit).toMatchObject({ code: 3, reason: 'exit' });
});

it('the end of what a viewer sees is told also when its stream alone tells it', async () => {
  const process = await start('0123456789', 0, null);
  const other = await attachProcess(agent, process.id, {}, undefined);
  process.end({ code: 3 });
  expect(await other.exited).toMatchObject({ code: 3 });
  const late = await attachProcess(agent, process.id, {}, undefined);
  late.detach();
  expect(await late.exited).toMatchObject({ code: 3 });
});

it('what a viewer has not read when it leaves is kept for nobody', async () => {
  const process = await start('0123456789', 0, null);
  const view = await attachProcess(agent, process.id, {}, undefined);
  for (let round = 0; round < 50; round++) await new Promise((resolve) => setImmediate(resolve));
  view.detach();
  expect(await collect(view.output, 0)).toBe('');
  process.end({ code: 3 });
  expect(await view.exited).toMatchObject({ code: 3 });
});
