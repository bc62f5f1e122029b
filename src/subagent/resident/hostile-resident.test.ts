import type { ClientHttp2Stream } from 'node:http2';
import { fc, test } from '@fast-check/vitest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentOf, until } from '../../../test/support/resident/connected.ts';
import { createFakeResident } from '../../../test/support/resident/fake-resident.ts';
import { createMemorySession } from '../../../test/support/resident/memory-session.ts';
import type { MemorySession } from '../../../test/support/resident/memory-session.ts';
import type { ContainerEngine, ContainerRuntime } from '../../agentcontainers/ports.ts';
import { isAgentContainersError } from '../../errors.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import type { FakeClock } from '../../testing/fake-clock.ts';
import { connectResident } from './connect-resident.ts';
import { encodeFrame, encodeJsonFrame } from './frames.ts';
import { requestJson } from './request-json.ts';
import { createResidentRuntime } from './resident-runtime.ts';
import { nothingSchema } from './wire.ts';
import { writeBody } from './write-body.ts';
import { http2Frame } from '../../../test/support/resident/http2-frame.ts';
import { wireProcess } from '../../../test/support/resident/wire-process.ts';

// Whatever it says: every call ends, with what it should give or an error of ours, and nothing is left of it after that.

const doing = 'Asking';
const HELLO = {
  ok: true,
  protocol: 1,
  version: '1.2.3',
  digest: 'a'.repeat(64),
  instance: 'abcd1234',
  pid: 77,
  adopted: false,
  others: [],
};

let clock: FakeClock;
beforeEach(() => {
  clock = createFakeClock();
});
afterEach(async () => {
  await until(() => clock.pending().length === 0);
});
const SETTINGS = http2Frame(4, 0, 0, Buffer.alloc(0));

function connectOver(memory: MemorySession) {
  memory.inside.resume();
  return connectResident({
    engine: { exec: async () => memory.session } as unknown as ContainerEngine,
    clock,
    containerId: 'c0ffee',
    path: '/resident',
    user: undefined,
    greeting: { token: 'token', start: true },
    timeoutMs: 5_000,
    signal: new AbortController().signal,
  });
}

describe('a greeting', () => {
  const line = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.json({ maxDepth: 3 }).map((text) => Buffer.from(`${text}\n`)),
    fc
      .tuple(fc.constantFrom(...Object.keys(HELLO)), fc.jsonValue({ maxDepth: 2 }))
      .map(([name, value]) => Buffer.from(`${JSON.stringify({ ...HELLO, [name]: value })}\n`)),
  );
  test.prop([fc.array(line, { maxLength: 4 }), fc.boolean()], { numRuns: 200 })(
    'of any bytes ends in time, as a connection or an error of ours',
    async (pieces, ends) => {
      const memory = createMemorySession();
      const connecting = connectOver(memory).then(
        ({ connection, hello }) => {
          connection.close();
          return hello.protocol === 1;
        },
        (error: unknown) => isAgentContainersError(error, 'runtime-unavailable', 'timeout'),
      );
      for (const piece of pieces) memory.inside.write(piece);
      if (ends) memory.end(1);
      let hasSettled = false;
      void connecting.then(() => (hasSettled = true));
      for (let round = 0; round < 200 && !hasSettled; round++) await new Promise((resolve) => setImmediate(resolve));
      if (!hasSettled) await clock.run(5_000);
      expect(await connecting).toBe(true);
      await until(() => memory.isClosed && clock.pending().length === 0);
    },
  );

  it('that drips byte by byte is over when its time is', async () => {
    const memory = createMemorySession();
    const connecting = connectOver(memory);
    connecting.catch(() => {});
    for (let byte = 0; byte < 50; byte++) {
      memory.inside.write('{');
      await clock.run(100);
    }
    await expect(connecting).rejects.toMatchObject({ code: 'timeout' });
    expect(memory.isClosed).toBe(true);
  });
});

describe('a connection', () => {
  async function opened(): Promise<{ memory: MemorySession; connection: Awaited<ReturnType<typeof connectOver>> }> {
    const memory = createMemorySession();
    memory.inside.write(`${JSON.stringify(HELLO)}\n`);
    return { memory, connection: await connectOver(memory) };
  }
  const frame = fc
    .record({
      type: fc.integer({ min: 0, max: 13 }),
      flags: fc.nat(255),
      stream: fc.constantFrom(0, 1, 1, 1, 2, 3, 0x7fffffff),
      payload: fc.uint8Array({ maxLength: 64 }),
    })
    .map(({ type, flags, stream, payload }) => http2Frame(type, flags, stream, payload));
  const garbage = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));

  test.prop([fc.array(fc.oneof({ arbitrary: frame, weight: 5 }, garbage), { maxLength: 12 })], { numRuns: 300 })(
    'of any frames ends every request, and itself when it is closed',
    async (frames) => {
      const { memory, connection } = await opened();
      const asked = connection.connection.open({ doing, method: 'GET', path: '/v1/x', timeoutMs: 7_000 }).then(
        () => true,
        (error: unknown) => isAgentContainersError(error),
      );
      let hasSettled = false;
      void asked.then(() => (hasSettled = true));
      memory.inside.write(SETTINGS);
      for (const bytes of frames) memory.inside.write(bytes);
      for (let round = 0; round < 50 && !hasSettled; round++) await new Promise((resolve) => setImmediate(resolve));
      if (!hasSettled) await clock.run(7_000);
      expect(await asked).toBe(true);
      connection.connection.close();
      await connection.connection.ended;
      await until(() => memory.isClosed && clock.pending().length === 0);
    },
  );

  it('that answers without content and takes no more of the request has nothing left of it', async () => {
    const { memory, connection } = await opened();
    memory.inside.write(SETTINGS);
    let body: ClientHttp2Stream | undefined;
    let isWritten = false;
    const asked = requestJson(connection.connection, {
      doing,
      method: 'POST',
      path: '/v1/processes/abcd-1/stdin',
      schema: nothingSchema,
      send: async (to) => {
        body = to;
        // More than its window.
        await writeBody(to, Buffer.alloc(1_000_000));
        isWritten = true;
      },
    });
    await until(() => body !== undefined);
    memory.inside.write(http2Frame(1, 5, 1, Buffer.from([0x89])));
    expect(await asked).toBe(undefined);
    await until(() => isWritten && body?.destroyed === true);
    expect(connection.connection.isOpen).toBe(true);
    connection.connection.close();
  });

  it('that says again and again that it leaves is left once', async () => {
    const { memory, connection } = await opened();
    const asked = connection.connection.open({ doing, method: 'GET', path: '/v1/x' });
    asked.catch(() => {});
    const leaving = http2Frame(7, 0, 0, Buffer.from('0000000100000000', 'hex'));
    memory.inside.write(Buffer.concat([SETTINGS, ...Array<Buffer>(5).fill(leaving)]));
    await until(() => !connection.connection.isOpen);
    for (let round = 0; round < 50; round++) await new Promise((resolve) => setImmediate(resolve));
    expect(clock.pending().filter(({ tag }) => tag === 'resident: goaway')).toHaveLength(1);
    await clock.run(2_000);
    await connection.connection.ended;
  });

  const okHeaders = http2Frame(1, 4, 1, Buffer.from([0x88]));
  const floods: [string, Buffer, Buffer?][] = [
    ['settings', SETTINGS],
    ['pings', http2Frame(6, 0, 0, Buffer.alloc(8))],
    ['answers to pings that were not sent', http2Frame(6, 1, 0, Buffer.alloc(8))],
    ['windows of the connection', http2Frame(8, 0, 0, Buffer.from('00000001', 'hex'))],
    ['windows of a stream', http2Frame(8, 0, 1, Buffer.from('00000001', 'hex'))],
    ['priorities', http2Frame(2, 0, 1, Buffer.from('0000000000', 'hex'))],
    ['frames of no known type', http2Frame(0x5f, 0, 1, Buffer.alloc(10))],
    ['resets', http2Frame(3, 0, 1, Buffer.from('00000008', 'hex'))],
    ['empty content', http2Frame(0, 0, 1, Buffer.alloc(0)), okHeaders],
    ['content that nobody reads', http2Frame(0, 0, 1, Buffer.alloc(1)), okHeaders],
    ['padding', http2Frame(0, 8, 1, Buffer.concat([Buffer.from([255]), Buffer.alloc(255)])), okHeaders],
    ['headers of answers to come', http2Frame(1, 4, 1, Buffer.from([0x08, 3, 0x31, 0x30, 0x33]))],
    ['other places', http2Frame(10, 0, 0, Buffer.from('0000', 'hex'))],
    ['origins', http2Frame(12, 0, 0, Buffer.alloc(0))],
  ];
  it.each(floods)('flooded with %s is ended, and costs no memory', async (_, piece, first) => {
    const { memory, connection } = await opened();
    const asked = connection.connection.open({ doing, method: 'GET', path: '/v1/x' });
    asked.catch(() => {});
    memory.inside.write(SETTINGS);
    await until(() => memory.unread() === 0);
    if (first) memory.inside.write(first);
    const before = process.memoryUsage().rss;
    const many = Buffer.concat(Array.from({ length: 1_000 }, () => piece));
    for (let round = 0; round < 200 && connection.connection.isOpen; round++) {
      memory.inside.write(many);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await connection.connection.ended).toMatchObject({
      code: 'runtime-unavailable',
      details: { isViolation: true },
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1_048_576);
    await until(() => memory.isClosed);
  });
});

describe('the runtime', () => {
  const PROCESS = wireProcess({
    running: false,
    exit: { code: 0, signal: null, reason: 'exit', survivors: [], background_held: false },
  });
  /** One field is something else; also of a process that belongs to another agent. */
  const twisted = fc.oneof(
    fc
      .tuple(fc.constantFrom(...Object.keys(PROCESS)), fc.jsonValue({ maxDepth: 2 }))
      .map(([name, value]): unknown => ({ ...PROCESS, [name]: value })),
    fc.constantFrom<unknown>({ ...PROCESS, id: 'ffff-1' }, { ...PROCESS, id: 'abcd-2' }, PROCESS),
  );
  const said = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>,
    twisted,
    twisted.map((process): unknown => ({ processes: [process, process] })),
    twisted.map((process): unknown => ({ offset: 1e15, process })),
  );
  const content = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    said.map((value) => Buffer.from(JSON.stringify(value) ?? '')),
    fc
      .array(
        fc.oneof(
          said.map((value) => encodeJsonFrame(value ?? null)),
          twisted.map((process) => encodeJsonFrame({ offset: 0, process })),
          fc
            .tuple(fc.constantFrom(1 as const, 2 as const), fc.uint8Array({ maxLength: 20 }))
            .map(([kind, bytes]) => encodeFrame(kind, bytes)),
        ),
        { maxLength: 5 },
      )
      .map((frames) => Buffer.concat(frames)),
  );
  const calls: Record<string, (runtime: ContainerRuntime) => Promise<unknown>> = {
    exec: async (runtime) => all((await runtime.exec({ argv: ['x'] })).output),
    spawn: (runtime) => runtime.spawn({ argv: ['x'] }),
    processes: (runtime) => runtime.processes(),
    process: (runtime) => runtime.process('abcd-1'),
    output: (runtime) => all(runtime.output('abcd-1', { follow: true })),
    attach: async (runtime) => all((await runtime.attach('abcd-1')).output),
    kill: (runtime) => runtime.kill('abcd-1'),
    forget: (runtime) => runtime.forget('abcd-1'),
    stat: (runtime) => runtime.files.stat('/x'),
    list: (runtime) => runtime.files.list('/x'),
    read: async (runtime) => all((await runtime.files.read('/x')).bytes),
    write: (runtime) => runtime.files.write('/x', Buffer.from('x')),
    search: (runtime) => all(runtime.files.search('/x', {})),
    ports: (runtime) => runtime.ports(),
    connect: async (runtime) => all((await runtime.connect('localhost', 1)).incoming),
    stats: (runtime) => runtime.stats(),
  };
  async function all(source: AsyncIterable<unknown>): Promise<number> {
    let count = 0;
    for await (const _ of source) if (++count >= 1_000) break;
    return count;
  }

  test.prop([fc.constantFrom(...Object.keys(calls)), content, fc.constantFrom(200, 201, 204, 302, 404, 500)], {
    numRuns: 400,
  })('gets something right or an error of ours, whatever is answered', async (name, bytes, status) => {
    const fake = createFakeResident({
      onRequest(stream, _method, path) {
        if (path.startsWith('/v1/events')) return undefined;
        stream.respond({ ':status': status, 'x-size': '3' });
        stream.end(bytes);
        return true;
      },
    });
    const agent = await agentOf(fake, clock, { look: () => 'gone' });
    const runtime = createResidentRuntime({ newest: agent, older: () => [] }, clock);
    const asked = calls[name]!(runtime).then(
      () => true,
      (error: unknown) => isAgentContainersError(error) || error,
    );
    let hasSettled = false;
    void asked.then(() => (hasSettled = true));
    for (let round = 0; round < 500 && !hasSettled; round++) await new Promise((resolve) => setImmediate(resolve));
    for (let round = 0; round < 20 && !hasSettled; round++) await clock.run(10_000);
    expect(hasSettled).toBe(true);
    expect(await asked).toBe(true);
    agent.close();
    await until(() => fake.sessions.size === 0 && clock.pending().length === 0);
  });

  it('holds no more of an answer than its limit, however long it is said to be', async () => {
    let sent = 0;
    const fake = createFakeResident({
      onRequest(stream, _method, path) {
        if (path.startsWith('/v1/events')) return undefined;
        stream.respond({ ':status': 200 });
        const more = (): void => {
          if (stream.destroyed) return;
          sent += 65_536;
          stream.write(Buffer.alloc(65_536, '['), more);
        };
        more();
        return true;
      },
    });
    const agent = await agentOf(fake, clock, { look: () => 'gone' });
    const runtime = createResidentRuntime({ newest: agent, older: () => [] }, clock);
    await expect(runtime.process('abcd-1')).rejects.toMatchObject({ code: 'runtime-unavailable' });
    expect(sent).toBeLessThan(16 * 1_048_576);
    agent.close();
    await until(() => fake.sessions.size === 0);
  });
});
