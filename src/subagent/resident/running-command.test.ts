import { createHash } from 'node:crypto';
import { fc, test } from '@fast-check/vitest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentOf, until } from '../../../test/support/resident/connected.ts';
import { createFakeResident } from '../../../test/support/resident/fake-resident.ts';
import type { FakeProcess, FakeResident } from '../../../test/support/resident/fake-resident.ts';
import type { MemorySession } from '../../../test/support/resident/memory-session.ts';
import type { OutputChunk } from '../../agentcontainers/ports.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import type { FakeClock } from '../../testing/fake-clock.ts';
import { FRAME } from './frames.ts';
import { attachProcess } from './attached-process.ts';
import { readOutput } from './processes.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { runCommand } from './running-command.ts';

let clock: FakeClock;
let fake: FakeResident;
let agent: ResidentAgent;
let sessions: MemorySession[];
let onStart: (process: FakeProcess) => void;

beforeEach(async () => {
  clock = createFakeClock();
  sessions = [];
  onStart = () => {};
  fake = createFakeResident({ onStart: (process) => onStart(process) });
  agent = await agentOf(fake, clock, { onSession: (session) => sessions.push(session) });
});
afterEach(async () => {
  agent.close();
  await until(() => fake.sessions.size === 0 && clock.pending().length === 0);
});

const run = (spec: Parameters<typeof runCommand>[1] = { argv: ['true'] }, signal?: AbortSignal) =>
  runCommand(agent, spec, signal);
const cut = (): void => sessions.at(-1)!.end(null);
const only = (): FakeProcess => [...fake.processes.values()][0]!;
async function collect(output: AsyncIterable<OutputChunk>): Promise<string> {
  let text = '';
  let offset: number | undefined;
  for await (const chunk of output) {
    offset ??= chunk.offset;
    expect(chunk.offset).toBe(offset);
    offset += chunk.bytes.length;
    text += `${chunk.stream === 'stderr' ? '!' : ''}${Buffer.from(chunk.bytes).toString()}`;
  }
  return text;
}

describe('a command', () => {
  it('runs with its streams and its exit', async () => {
    onStart = (process) => {
      process.write(FRAME.stdout, 'out ');
      process.write(FRAME.stderr, 'err');
      process.end({ code: 7, background_held: true });
    };
    const command = await run({ argv: ['make', 'all'], cwd: 'sub', env: { A: 'b', C: null }, timeoutMs: 5 });
    expect(command.process).toMatchObject({ id: 'abcd-1', argv: ['make', 'all'], kind: 'exec', key: undefined });
    expect(await collect(command.output)).toBe('out !err');
    expect(await command.exited).toEqual({
      code: 7,
      signal: null,
      reason: 'exit',
      survivors: [],
      backgroundHeld: true,
      via: 'resident',
    });
    expect(only().start).toMatchObject({
      argv: ['make', 'all'],
      cwd: 'sub',
      env: { A: 'b', C: null },
      timeout_ms: 5,
      overflow: 'block',
      ring_bytes: 2_097_152,
    });
    expect(command.process).toMatchObject({ running: false, exit: { code: 7 } });
  });

  it.each([
    [{}, 'exactly one of argv and command'],
    [{ argv: ['a'], command: 'b' }, 'exactly one of argv and command'],
    [{ argv: [] }, 'argv is empty'],
    [{ command: '  \n' }, 'the command is empty'],
    [{ argv: ['a'], timeoutMs: Number.NaN }, 'timeoutMs'],
  ])('%j is refused before anything is asked', async (spec, reason) => {
    await expect(run(spec)).rejects.toMatchObject({
      code: 'invalid-request',
      message: expect.stringContaining(reason),
    });
    expect(fake.processes.size).toBe(0);
  });

  it('takes its standard input, and the end of it', async () => {
    const command = await run({ argv: ['cat'], stdin: true });
    const large = Buffer.alloc(300_000, 'abc');
    await Promise.all([command.write('first '), command.write(large)]);
    command.closeStdin();
    await until(() => only().isEof);
    expect(Buffer.concat(only().stdin).toString()).toBe(`first ${large.toString()}`);
    await expect(command.write('x')).rejects.toThrow('its standard input is closed');
    only().end();
    await command.exited;
    await expect(command.write('x')).rejects.toMatchObject({ code: 'runtime-unavailable' });
  });

  it('refuses input that was not asked for, and takes the size of a terminal', async () => {
    const plain = await run();
    await expect(plain.write('x')).rejects.toThrow('was not asked for');
    await expect(plain.resize({ width: 1, height: 1 })).rejects.toThrow('was not asked for');
    const terminal = await run({ argv: ['sh'], tty: { width: 80, height: 24 } });
    await terminal.resize({ width: 100, height: 30 });
    const played = fake.processes.get('abcd-2')!;
    await until(() => played.sizes.length > 0);
    expect(played.sizes).toEqual([{ resize: { width: 100, height: 30 } }]);
  });

  it('ends its whole tree when its signal aborts, and tells how', async () => {
    const controller = new AbortController();
    const command = await run({ argv: ['sleep'], graceMs: 300 }, controller.signal);
    controller.abort();
    expect(await command.exited).toMatchObject({ code: null, signal: 'SIGTERM', reason: 'killed' });
    expect(fake.requests).toContain('POST /v1/processes/abcd-1/kill');
  });

  it('is ended when the signal aborts while it is being started', async () => {
    const controller = new AbortController();
    const running = run({ argv: ['sleep'] }, controller.signal);
    controller.abort(new Error('left'));
    await expect(running).rejects.toThrow('left');
    await until(() => fake.processes.size === 1 && !only().isRunning);
    await expect(run({ argv: ['x'] }, controller.signal)).rejects.toThrow('left');
    expect(fake.processes.size).toBe(1);
  });

  it('that nobody waited for leaves nothing behind that waits for a reader', async () => {
    onStart = (process) => process.write(FRAME.stdout, Buffer.alloc(3_000_000));
    const controller = new AbortController();
    const running = run({ argv: ['yes'] }, controller.signal);
    controller.abort(new Error('left'));
    await expect(running).rejects.toThrow('left');
    await until(() => fake.processes.size === 1 && only().written() === 3_000_000);
  });

  it('is killed once, however often that is asked for', async () => {
    const command = await run({ argv: ['sleep'] });
    const exits = await Promise.all([command.kill(0), command.kill(), command.exited]);
    expect(new Set(exits).size).toBe(1);
    expect(fake.requests.filter((request) => request.endsWith('/kill'))).toHaveLength(1);
  });

  it('runs on when it is detached, and its exit is still told', async () => {
    const controller = new AbortController();
    const command = await run({ argv: ['sleep'] }, controller.signal);
    command.detach();
    controller.abort();
    expect(await collect(command.output)).toBe('');
    expect(only().isRunning).toBe(true);
    // It is read on, so that it does not stand still.
    only().write(FRAME.stdout, Buffer.alloc(3_000_000));
    await until(() => only().written() === 3_000_000);
    only().end({ code: 3 });
    expect(await command.exited).toMatchObject({ code: 3 });
    const other = await run({ argv: ['sleep'], overflow: 'drop' });
    other.detach();
    fake.processes.get('abcd-2')!.end({ code: 4 });
    expect(await other.exited).toMatchObject({ code: 4 });
  });

  it('tells its exit although nobody reads its output', async () => {
    const command = await run();
    only().write(FRAME.stdout, Buffer.alloc(3_000_000, 65));
    only().end({ code: 4 });
    expect(await command.exited).toMatchObject({ code: 4 });
    expect(await collect(command.output)).toHaveLength(3_000_000);
  });

  it('waits for its reader, and runs on when that leaves', async () => {
    const command = await run();
    only().write(FRAME.stdout, Buffer.alloc(9_000_000));
    for (let round = 0; round < 500; round++) await new Promise((resolve) => setImmediate(resolve));
    // Its window, what waits for the reader, and what is on its way.
    expect(only().written()).toBeLessThan(2_000_000);
    for await (const { bytes } of command.output) {
      expect(bytes.length).toBeGreaterThan(0);
      break;
    }
    await until(() => only().written() === 9_000_000);
    only().end();
    expect(await command.exited).toMatchObject({ code: 0 });
  });

  it('is forgotten in the container when it wrote much and all of it was read, unless it was let go of', async () => {
    const play = async (length: number, spec: Parameters<typeof run>[0], isDetached = false): Promise<boolean> => {
      const command = await run(spec);
      const { id } = command.process;
      if (isDetached) command.detach();
      fake.processes.get(id)!.write(FRAME.stdout, Buffer.alloc(length, 65));
      fake.processes.get(id)!.end();
      await collect(command.output);
      await command.exited;
      for (let round = 0; round < 100; round++) await new Promise((resolve) => setImmediate(resolve));
      return !fake.processes.has(id);
    };
    expect(await play(200_000, { argv: ['x'] })).toBe(true);
    expect(await play(20_000, { argv: ['x'] })).toBe(false);
    expect(await play(200_000, { argv: ['x'], key: 'k' })).toBe(false);
    expect(await play(200_000, { argv: ['x'] }, true)).toBe(false);
  });

  it('is kept when what it left in the background may still write', async () => {
    const command = await run();
    only().write(FRAME.stdout, Buffer.alloc(200_000, 65));
    only().end({ background_held: true });
    await collect(command.output);
    expect(await command.exited).toMatchObject({ backgroundHeld: true });
    for (let round = 0; round < 100; round++) await new Promise((resolve) => setImmediate(resolve));
    expect(fake.processes.size).toBe(1);
    await command.kill();
    expect(fake.requests).toContain('POST /v1/processes/abcd-1/kill');
  });

  it('can be killed as often as anybody likes once it has ended and was forgotten', async () => {
    const command = await run();
    only().write(FRAME.stdout, Buffer.alloc(200_000, 65));
    only().end({ code: 3 });
    await collect(command.output);
    await until(() => fake.processes.size === 0);
    expect(await command.kill()).toMatchObject({ code: 3, reason: 'exit' });
    expect(await command.kill(0)).toBe(await command.exited);
  });

  it('is lost when its agent dies, and its reader is told', async () => {
    const command = await run();
    only().write(FRAME.stdout, 'half');
    const text = collect(command.output);
    text.catch(() => {});
    fake.die();
    await clock.run(1_000);
    expect(await command.exited).toEqual({
      code: null,
      signal: null,
      reason: 'lost',
      survivors: [],
      backgroundHeld: false,
      via: 'resident',
    });
    await expect(text).rejects.toMatchObject({ code: 'runtime-unavailable' });
    expect(await command.kill()).toMatchObject({ reason: 'lost' });
    await expect(run()).rejects.toMatchObject({ code: 'runtime-unavailable' });
  });

  it('is started once, although the answer to its start was lost', async () => {
    const running = run({ argv: ['make'] });
    running.catch(() => {});
    await until(() => fake.requests.includes('POST /v1/exec'));
    cut();
    const command = await running;
    expect(fake.processes.size).toBe(1);
    only().write(FRAME.stdout, 'made');
    only().end();
    expect(await collect(command.output)).toBe('made');
  });

  it('goes on with its input over a new connection when all of it had arrived', async () => {
    const command = await run({ argv: ['cat'], stdin: true });
    await command.write('one ');
    await until(() => only().stdin.length === 1);
    await (await agent.link.ready('Waiting')).confirm();
    for (let round = 0; round < 20; round++) await new Promise((resolve) => setImmediate(resolve));
    cut();
    await until(() => fake.requests.some((request) => request.includes('/attach')));
    await command.write('two');
    command.closeStdin();
    await until(() => only().isEof);
    expect(Buffer.concat(only().stdin).toString()).toBe('one two');
  });

  it.each([
    ['is told the end of its input again over a new connection', undefined, true],
    ['on a terminal is not, for it is a key there', { width: 80, height: 24 }, false],
  ])('%s', async (_, tty, isToldAgain) => {
    const command = await run({ argv: ['cat'], stdin: true, tty });
    command.closeStdin();
    await until(() => only().isEof);
    Object.assign(only(), { isEof: false });
    cut();
    await until(() => fake.requests.some((request) => request.includes('/attach')));
    await (await agent.link.ready('Waiting')).confirm();
    for (let round = 0; round < 20; round++) await new Promise((resolve) => setImmediate(resolve));
    expect(only().isEof).toBe(isToldAgain);
  });

  it('is ended and lost when input may have been lost with a connection', async () => {
    const command = await run({ argv: ['cat'], stdin: true });
    const writing = command.write(Buffer.alloc(5_000_000));
    writing.catch(() => {});
    await until(() => only().stdin.length > 0);
    cut();
    await expect(writing).rejects.toMatchObject({ code: 'runtime-unavailable' });
    expect(await command.exited).toMatchObject({ reason: 'lost' });
    await until(() => !only().isRunning);
    await expect(command.write('more')).rejects.toThrow('input was lost with the connection');
  });

  it('is ended when its agent had not written all of its input, though that had arrived there', async () => {
    const command = await run({ argv: ['cat'], stdin: true });
    await command.write('one ');
    await until(() => only().stdin.length === 1);
    command.closeStdin();
    await until(() => only().isEof);
    // As of a process that does not read: what was to be written is dropped, and the end that came after it too.
    only().stdin.pop();
    Object.assign(only(), { isEof: false });
    cut();
    expect(await command.exited).toMatchObject({ reason: 'lost' });
    await until(() => !only().isRunning);
  });

  it('runs on when it had closed its input itself, whatever had not been written of it', async () => {
    const command = await run({ argv: ['head', '-c1'], stdin: true });
    await command.write('one ');
    await until(() => only().stdin.length === 1);
    // As `head -c1; sleep 600` does.
    Object.assign(only(), { isEof: true });
    only().stdin.pop();
    cut();
    await until(() => fake.requests.some((request) => request.includes('/attach')));
    await command.write('and nobody reads this');
    expect(only().isRunning).toBe(true);
    only().end({ code: 3 });
    expect(await command.exited).toMatchObject({ code: 3, reason: 'exit' });
  });

  it('a view breaks off when input may have been lost, and its process goes on', async () => {
    const { process } = await run({ argv: ['cat'], stdin: true });
    const view = await attachProcess(agent, process.id, {}, undefined);
    await view.write('one ');
    await until(() => only().stdin.length === 1);
    only().stdin.pop();
    const text = collect(view.output);
    text.catch(() => {});
    cut();
    await expect(text).rejects.toThrow('a part of its standard input may be lost');
    expect(only().isRunning).toBe(true);
  });

  it('that answers with another process ends its connection', async () => {
    const bad = createFakeResident({ hello: { instance: 'ffff0000' } });
    const other = await agentOf(bad, clock);
    await expect(runCommand(other, { argv: ['x'] }, undefined)).rejects.toMatchObject({
      code: 'runtime-unavailable',
      message: expect.stringContaining('an id of another agent'),
    });
    expect(await other.link.ended).toMatchObject({ reason: 'violation' });
  });
});

describe('over connections that are cut', () => {
  const pieces = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.integer({ min: 1, max: 250_000 })), {
    minLength: 1,
    maxLength: 6,
  });
  const cuts = fc.array(fc.integer({ min: 0, max: 250_000 }), { maxLength: 6 });

  test.prop([pieces, cuts, fc.constantFrom('exec', 'terminal', 'attach', 'output')], { numRuns: 25 })(
    'no byte of output is lost or doubled',
    async (written, places, how) => {
      const time = createFakeClock();
      const left = [...places];
      const made: MemorySession[] = [];
      const world = createFakeResident();
      // Each session after the first is cut after so many bytes, its greeting and its requests among them.
      const cutNext = (session: MemorySession): void => {
        made.push(session);
        const next = made.length > 1 ? left.shift() : undefined;
        if (next !== undefined) session.cutAfter(500 + next);
      };
      const peer = await agentOf(world, time, { onSession: cutNext });
      const expected = createHash('sha256');
      const actual = createHash('sha256');
      let sent = 0;

      const command = await runCommand(
        peer,
        // With a key it is kept for those who look at it beside the one who started it.
        { argv: ['x'], key: 'kept', ...(how === 'terminal' && { tty: { width: 9, height: 9 } }) },
        undefined,
      );
      const [process] = world.processes.values();
      const output =
        how === 'attach'
          ? (await attachProcess(peer, process!.id, {}, undefined)).output
          : how === 'output'
            ? readOutput(peer, process!.id, { follow: true })
            : command.output;
      made[0]!.cutAfter(left.shift() ?? Infinity);

      const reading = (async () => {
        let offset = 0;
        for await (const chunk of output) {
          expect(chunk.offset).toBe(offset);
          offset += chunk.bytes.length;
          actual.update(chunk.bytes);
        }
        return offset;
      })();
      reading.catch(() => {});
      for (const [index, [stream, length]] of written.entries()) {
        const bytes = Buffer.alloc(length, `${index}-${stream}-`);
        process!.write(stream === 2 ? FRAME.stderr : FRAME.stdout, bytes);
        expected.update(bytes);
        sent += length;
        await new Promise((resolve) => setImmediate(resolve));
      }
      process!.end();
      let isRead = false;
      const onRead = (): void => void (isRead = true);
      reading.then(onRead, onRead);
      for (let round = 0; !isRead && round < 20_000; round++) {
        await new Promise((resolve) => setImmediate(resolve));
        const next = time.pending()[0];
        // Time goes on for the waits between tries, not for an answer that is on its way.
        if (next && /reconnect|events/.test(next.tag)) await time.advanceToNext();
      }
      expect(await reading).toBe(sent);
      expect(actual.digest('hex')).toBe(expected.digest('hex'));
      expect(await command.exited).toMatchObject({ code: 0, reason: 'exit' });
      peer.close();
      await until(() => world.sessions.size === 0 && time.pending().length === 0);
    },
  );
});
