import type { ServerHttp2Stream } from 'node:http2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentOf, until } from '../../../test/support/resident/connected.ts';
import { answer, createFakeResident, refuse } from '../../../test/support/resident/fake-resident.ts';
import type { FakeResident } from '../../../test/support/resident/fake-resident.ts';
import type { ContainerRuntime } from '../../agentcontainers/ports.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import type { FakeClock } from '../../testing/fake-clock.ts';
import { FRAME, createFrameParser, encodeFrame, encodeJsonFrame } from './frames.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { createResidentRuntime } from './resident-runtime.ts';
import { wireProcess } from '../../../test/support/resident/wire-process.ts';

let clock: FakeClock;
let fake: FakeResident;
let agent: ResidentAgent;
let runtime: ContainerRuntime;
let older: ResidentAgent[];
let play: ((stream: ServerHttp2Stream, method: string, path: string) => boolean | undefined) | undefined;

beforeEach(async () => {
  clock = createFakeClock();
  play = undefined;
  older = [];
  fake = createFakeResident({ onRequest: (stream, method, path) => play?.(stream, method, path) });
  agent = await agentOf(fake, clock);
  runtime = createResidentRuntime({ newest: agent, older: () => older }, clock);
});
afterEach(async () => {
  agent.close();
  await until(() => fake.sessions.size === 0 && clock.pending().length === 0);
});

/** Answers one path, and leaves the others to the resident. */
function on(begin: string, how: (stream: ServerHttp2Stream) => void): void {
  play = (stream, _method, path) => {
    if (!path.startsWith(begin)) return false;
    how(stream);
    return true;
  };
}
const cut = (): void => {
  for (const session of fake.sessions) session.end(null);
};
const STAT = {
  path: '/f',
  type: 'file',
  size: 3,
  mode: '0644',
  modified_at: '2025-01-01T00:00:00.000Z',
  uid: 1,
  gid: 1,
};
const never = new AbortController().signal;
const wire = wireProcess();

describe('processes', () => {
  it('are started once, although the answer was lost', async () => {
    const spawning = runtime.spawn({ argv: ['sleep'] });
    await until(() => fake.processes.size === 1);
    cut();
    expect(await spawning).toMatchObject({ id: 'abcd-1', kind: 'background', key: undefined });
    expect(fake.processes.size).toBe(1);
    expect([...fake.processes.values()][0]?.start).toMatchObject({ overflow: 'drop' });
  });

  it('with a key that an older agent knows were started already', async () => {
    const other = createFakeResident({ instance: 'beef1111' });
    older = [await agentOf(other, clock)];
    const before = createResidentRuntime({ newest: older[0]!, older: () => [] }, clock);
    const made = await before.spawn({ argv: ['build'], key: 'k' });
    expect(await runtime.spawn({ argv: ['build'], key: 'k' })).toEqual(made);
    await expect(runtime.spawn({ argv: ['other'], key: 'k' })).rejects.toMatchObject({ code: 'command-refused' });
    expect(await runtime.spawn({ argv: ['other'], key: 'l' })).toMatchObject({ id: 'abcd-1' });
    expect((await runtime.processes()).map(({ id }) => id)).toEqual(['abcd-1', 'beef-1']);
    expect(await runtime.kill('beef-1')).toMatchObject({ running: false, exit: { reason: 'killed' } });
    older[0]!.close();
  });

  it('with a key that an older agent knows are the same however long their command line is, and for exec too', async () => {
    const other = createFakeResident({ instance: 'beef1111' });
    older = [await agentOf(other, clock)];
    const before = createResidentRuntime({ newest: older[0]!, older: () => [] }, clock);
    const long = 'x'.repeat(20_000);
    const made = await before.spawn({ command: long, key: 'k' });
    expect(await runtime.spawn({ command: long, key: 'k' })).toEqual(made);
    await expect(runtime.spawn({ command: `${long}y`, key: 'k' })).rejects.toMatchObject({
      code: 'command-refused',
      message: expect.stringContaining('the key belongs to another command'),
    });
    const args = [long, 'last'];
    const list = await before.spawn({ argv: args, key: 'l' });
    expect(await runtime.spawn({ argv: args, key: 'l' })).toEqual(list);
    const command = await runtime.exec({ argv: args, key: 'l' });
    expect(command.process.id).toBe(list.id);
    await expect(runtime.exec({ argv: ['other'], key: 'l' })).rejects.toMatchObject({ code: 'command-refused' });
    await command.kill();
    expect(fake.processes.size).toBe(0);
    older[0]!.close();
  });

  it('with a key are not started while an older agent does not tell what it runs, and are once it has ended', async () => {
    const other = createFakeResident({
      instance: 'beef1111',
      onRequest(stream, method, path) {
        if (method !== 'GET' || path !== '/v1/processes') return false;
        refuse(stream, 500, 'failed', 'not now');
        return true;
      },
    });
    older = [await agentOf(other, clock)];
    for (const start of [runtime.spawn({ argv: ['build'], key: 'k' }), runtime.exec({ argv: ['build'], key: 'k' })]) {
      await expect(start).rejects.toThrow('not now');
    }
    expect(fake.processes.size).toBe(0);
    older[0]!.close();
    expect(await runtime.spawn({ argv: ['build'], key: 'k' })).toMatchObject({ id: 'abcd-1' });
  });

  it('are told to, read and waited for by their id', async () => {
    const { id } = await runtime.spawn({ argv: ['cat'] });
    const process = fake.processes.get(id)!;
    await runtime.writeStdin(id, 'input');
    await runtime.resize(id, { width: 1, height: 2 });
    await runtime.signal(id, 'SIGINT', { tree: true });
    expect(process.stdin.map(String)).toEqual(['input']);
    expect(process.sizes).toEqual([
      { width: 1, height: 2 },
      { signal: 'INT', tree: true },
    ]);
    process.write(FRAME.stdout, '0123456789');
    const read = async (query: object): Promise<string> => {
      let text = '';
      for await (const { bytes } of runtime.output(id, query)) text += Buffer.from(bytes).toString();
      return text;
    };
    expect(await read({ offset: 2, limit: 5 })).toBe('23456');
    expect(await read({})).toBe('0123456789');
    const waiting = runtime.process(id, { waitMs: 60_000 });
    const following = read({ offset: 8, follow: true });
    process.end({ code: 2 });
    expect(await waiting).toMatchObject({ running: false, exit: { code: 2 } });
    expect(await following).toBe('89');
    await runtime.forget(id);
    await expect(runtime.process(id)).rejects.toMatchObject({ code: 'process-not-found' });
  });

  it('whose reader leaves are read no further', async () => {
    const { id } = await runtime.spawn({ argv: ['yes'] });
    fake.processes.get(id)!.write(FRAME.stdout, 'y');
    let closed = false;
    play = (stream, _method, path) => {
      if (path.includes('/output')) stream.on('close', () => (closed = true));
      return false;
    };
    for await (const { bytes } of runtime.output(id, { follow: true })) {
      expect(bytes).toHaveLength(1);
      break;
    }
    await until(() => closed);
  });

  it.each([
    ['another process', { id: 'abcd-9' }],
    ['that of another agent', { id: 'zzzz-1' }],
    ['an id that is none', { id: '../x' }],
  ])('that are answered with %s end the connection', async (_, lie) => {
    const { id } = await runtime.spawn({ argv: ['cat'] });
    on('/v1/processes/', (stream) => answer(stream, { ...wire, ...lie }));
    await expect(runtime.process(id)).rejects.toMatchObject({ code: 'runtime-unavailable' });
    expect(await agent.link.ended).toMatchObject({ reason: 'violation' });
  });

  it.each<[string, readonly Buffer[]]>([
    ['of another process', [encodeJsonFrame({ offset: 5, process: { ...wire, id: 'abcd-2' } })]],
    ['from before the offset', [encodeJsonFrame({ offset: 4, process: wire })]],
    ['before its process', [encodeFrame(FRAME.stdout, Buffer.from('x'))]],
    ['of no process', [encodeJsonFrame({ offset: 5 })]],
  ])('whose output is %s end the connection', async (_, frames) => {
    on('/v1/processes/abcd-1/output', (stream) => {
      stream.respond({ ':status': 200 });
      for (const frame of frames) stream.write(frame);
    });
    const reading = (async () => {
      for await (const { offset } of runtime.output('abcd-1', { offset: 5 })) expect.unreachable(String(offset));
    })();
    await expect(reading).rejects.toMatchObject({ code: 'runtime-unavailable', details: { isViolation: true } });
    expect(await agent.link.ended).toMatchObject({ reason: 'violation' });
  });

  it('in lists of another agent, and in events of one, end the connection', async () => {
    on('/v1/processes', (stream) => answer(stream, { processes: [{ ...wire, id: 'zzzz-1' }] }));
    await expect(runtime.processes()).rejects.toMatchObject({ code: 'runtime-unavailable' });
    expect(await agent.link.ended).toMatchObject({ reason: 'violation' });

    const liar = createFakeResident({
      onRequest(stream, _method, path) {
        if (path !== '/v1/events') return false;
        stream.respond({ ':status': 200 });
        stream.write(encodeJsonFrame({ type: 'snapshot', processes: [], busy: { commands: 0, terminals: 0 } }));
        stream.write(encodeJsonFrame({ type: 'process', process: { ...wire, id: 'zzzz-1' } }));
        return true;
      },
    });
    const other = await agentOf(liar, clock);
    expect(await other.link.ended).toMatchObject({ reason: 'violation' });
  });
});

describe('files', () => {
  it('that are not there are undefined to a look, and an error to everything else', async () => {
    on('/v1/files', (stream) => refuse(stream, 404, 'not-found', 'there is no such file'));
    expect(await runtime.files.stat('/x')).toBeUndefined();
    for (const asked of [runtime.files.list('/x'), runtime.files.read('/x'), runtime.files.remove('/x')]) {
      await expect(asked).rejects.toMatchObject({ code: 'path-not-found' });
    }
  });

  it('are named whatever they are called', async () => {
    on('/v1/files', (stream) => answer(stream, STAT));
    await runtime.files.stat('/a b/ü&path=/etc\n');
    expect(fake.requests.at(-1)).toBe('GET /v1/files/stat?path=%2Fa+b%2F%C3%BC%26path%3D%2Fetc%0A');
  });

  it.each<[string, (stream: ServerHttp2Stream) => void]>([
    ['break off', (stream) => stream.destroy(new Error('gone'))],
    ['end too early', (stream) => stream.end()],
  ])('that %s while they are read are never taken for whole', async (_, how) => {
    on('/v1/files/read', (stream) => {
      stream.respond({ ':status': 200, 'x-size': '10' });
      stream.write('12345', () => how(stream));
    });
    const { bytes } = await runtime.files.read('/x');
    const reading = (async () => {
      for await (const piece of bytes) expect(piece.length).toBeLessThan(10);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'runtime-unavailable' });
    on('/v1/files/read', (stream) => {
      stream.respond({ ':status': 200 });
      stream.end('x');
    });
    await expect(runtime.files.read('/x')).rejects.toMatchObject({ code: 'runtime-unavailable' });
  });

  it('are written whole, or given up by a reset and never by an end', async () => {
    const ends: string[] = [];
    on('/v1/files/write', (stream) => {
      let length = 0;
      stream.on('data', (chunk: Buffer) => (length += chunk.length));
      stream.on('end', () => {
        if (stream.rstCode === 0) ends.push(`end after ${length}`);
        if (!stream.destroyed && !stream.aborted) answer(stream, STAT);
      });
      stream.on('aborted', () => ends.push('reset'));
    });
    expect(await runtime.files.write('/x', Buffer.alloc(300_000))).toMatchObject({ path: '/f', mode: '0644' });
    expect(ends).toEqual(['end after 300000']);
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(10);
      throw new Error('the source broke');
    }
    await expect(runtime.files.write('/x', failing())).rejects.toThrow('the source broke');
    const controller = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(10);
      controller.abort(new Error('left'));
      await new Promise(() => {});
    }
    await expect(runtime.files.write('/x', endless(), {}, controller.signal)).rejects.toThrow('left');
    await until(() => ends.length === 3);
    expect(ends.slice(1)).toEqual(['reset', 'reset']);
  });

  it('are found line by line, to the end that is said, with word of what is left out', async () => {
    let truncated = false;
    on('/v1/files/search', (stream) => {
      stream.respond({ ':status': 200 });
      for (let line = 1; line <= 3; line++) stream.write(encodeJsonFrame({ path: '/f', line, text: 'x' }));
      stream.end(encodeJsonFrame({ done: true, truncated }));
    });
    const searched = async () => {
      const found = [];
      for await (const line of runtime.files.search('/', { text: 'x' })) found.push('path' in line ? line.line : line);
      return found;
    };
    expect(await searched()).toEqual([1, 2, 3]);
    truncated = true;
    expect(await searched()).toEqual([1, 2, 3, { truncated: true }]);
    on('/v1/files/search', (stream) => {
      stream.respond({ ':status': 200 });
      stream.end(encodeJsonFrame({ path: '/f' }));
    });
    const search = async (): Promise<void> => {
      for await (const line of runtime.files.search('/', { glob: '*' })) expect(line).toMatchObject({ path: '/f' });
    };
    await expect(search()).rejects.toMatchObject({ code: 'runtime-unavailable' });
  });
});

describe('ports', () => {
  const port = (number: number) => ({
    port: number,
    address: '::',
    family: 6,
    pid: 7,
    name: 'node',
    process: 'abcd-1',
  });

  it('are told when they change, each state once, over a lost connection too', async () => {
    const streams: ServerHttp2Stream[] = [];
    play = (stream, _method, path) => {
      if (path !== '/v1/events?ports=1') return false;
      stream.respond({ ':status': 200 });
      const snapshot = { type: 'snapshot', processes: [], busy: { commands: 0, terminals: 0 }, ports: [port(80)] };
      stream.write(encodeJsonFrame(snapshot));
      streams.push(stream);
      return true;
    };
    const told: number[][] = [];
    const controller = new AbortController();
    const watching = runtime.watchPorts((ports) => told.push(ports.map((each) => each.port)), controller.signal);
    await until(() => told.length === 1);
    streams[0]!.write(encodeJsonFrame({ type: 'ports', ports: [port(80), port(81)] }));
    await until(() => told.length === 2);
    cut();
    await until(() => told.length === 3);
    expect(told).toEqual([[80], [80, 81], [80]]);
    controller.abort();
    await watching;
  });

  it('whose listener throws end the watching with that, and nothing else', async () => {
    let isClosed = false;
    play = (stream, _method, path) => {
      if (path !== '/v1/events?ports=1') return false;
      stream.on('close', () => (isClosed = true));
      stream.respond({ ':status': 200 });
      const snapshot = { type: 'snapshot', processes: [], busy: { commands: 0, terminals: 0 }, ports: [port(80)] };
      stream.write(Buffer.concat([encodeJsonFrame(snapshot), encodeJsonFrame({ type: 'ports', ports: [port(81)] })]));
      return true;
    };
    let calls = 0;
    const watching = runtime.watchPorts(() => {
      calls++;
      throw new Error('the caller broke');
    }, never);
    await expect(watching).rejects.toThrow('the caller broke');
    await until(() => isClosed);
    expect(calls).toBe(1);
    expect(agent.link.end).toBeUndefined();
    expect(await runtime.processes()).toEqual([]);
  });

  it('are watched until nobody can tell any more', async () => {
    const watching = runtime.watchPorts(() => {}, never);
    watching.catch(() => {});
    await until(() => fake.requests.includes('GET /v1/events?ports=1'));
    fake.die();
    await clock.run(1_000);
    await expect(watching).rejects.toMatchObject({ code: 'runtime-unavailable' });
  });

  it.each([
    ['no host', 'a b', 80],
    ['a path', 'a/b', 80],
    ['no port', 'db', 0],
    ['a large port', 'db', 65_536],
  ])('that are named by %s are refused', async (_, host, number) => {
    await expect(runtime.connect(host, number)).rejects.toMatchObject({ code: 'invalid-request' });
  });

  it('are connected to, with both directions ending on their own', async () => {
    const received: string[] = [];
    play = (stream, method) => {
      if (method !== 'CONNECT') return false;
      stream.respond({ ':status': 200 });
      stream.write(encodeFrame(FRAME.stdout, Buffer.from('welcome')));
      // The other side says no more, and still listens.
      stream.write(encodeFrame(FRAME.stdout, Buffer.alloc(0)));
      const parser = createFrameParser(({ payload }) => {
        received.push(payload.toString());
        if (payload.length === 0) stream.end();
      });
      stream.on('data', (chunk: Buffer) => parser.push(chunk));
      return true;
    };
    const connection = await runtime.connect('::1', 8080);
    expect(fake.requests.at(-1)).toBe('CONNECT [::1]:8080');
    let text = '';
    for await (const piece of connection.incoming) text += Buffer.from(piece).toString();
    expect(text).toBe('welcome');
    await Promise.all([connection.write(Buffer.from('one')), connection.write(Buffer.from('two'))]);
    connection.end();
    await connection.closed;
    expect(received).toEqual(['one', 'two', '']);
    on('db', (stream) => refuse(stream, 502, 'unreachable', 'connection refused'));
    await expect(runtime.connect('db', 5432)).rejects.toMatchObject({
      code: 'connection-refused',
      message: 'Connecting to db:5432 in the container failed: connection refused.',
    });
  });

  it.each([
    ['another end', Buffer.alloc(0)],
    ['more', Buffer.from('more')],
  ])('that say %s after their end break the protocol', async (_, more) => {
    play = (stream, method) => {
      if (method !== 'CONNECT') return false;
      stream.respond({ ':status': 200 });
      stream.write(Buffer.concat([encodeFrame(FRAME.stdout, Buffer.alloc(0)), encodeFrame(FRAME.stdout, more)]));
      return true;
    };
    const connection = await runtime.connect('db', 5432);
    expect(await agent.link.ended).toMatchObject({ reason: 'violation' });
    await connection.closed;
  });

  it('whose connection breaks off are not taken for ended', async () => {
    play = (stream, method) => {
      if (method !== 'CONNECT') return false;
      stream.respond({ ':status': 200 });
      return true;
    };
    const connection = await runtime.connect('db', 5432);
    const reading = (async () => {
      for await (const piece of connection.incoming) expect.unreachable(String(piece));
    })();
    reading.catch(() => {});
    cut();
    await expect(reading).rejects.toMatchObject({ code: 'runtime-unavailable' });
    await connection.closed;
    await expect(connection.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'runtime-unavailable' });
  });
});

it.each<[string, (runtime: ContainerRuntime, signal: AbortSignal) => Promise<unknown>]>([
  ['a look at a process', (of, signal) => of.process('ffff-1', undefined, signal)],
  ['its output', (of, signal) => of.output('ffff-1', { signal })[Symbol.asyncIterator]().next()],
  ['an attach', (of, signal) => of.attach('ffff-1', undefined, signal)],
  ['input', (of, signal) => of.writeStdin('ffff-1', 'x', undefined, signal)],
  ['a resize', (of, signal) => of.resize('ffff-1', { width: 80, height: 24 }, signal)],
  ['a signal', (of, signal) => of.signal('ffff-1', 'SIGTERM', undefined, signal)],
  ['a kill', (of, signal) => of.kill('ffff-1', undefined, signal)],
  ['a forget', (of, signal) => of.forget('ffff-1', signal)],
  ['a list', (of, signal) => of.processes(signal)],
  ['a start with a key', (of, signal) => of.spawn({ argv: ['x'], key: 'k' }, signal)],
  ['a command with a key', (of, signal) => of.exec({ argv: ['x'], key: 'k' }, signal)],
])('%s does not wait for older agents longer than its caller does', async (_, ask) => {
  const waiting = createResidentRuntime(
    { newest: agent, older: () => [], olderFound: new Promise<void>(() => {}) },
    clock,
  );
  const leaving = new AbortController();
  const asked = ask(waiting, leaving.signal).catch((error: unknown) => error);
  leaving.abort(new Error('left'));
  const late = until(() => false).catch(() => 'it waits');
  expect(await Promise.race([asked, late])).toMatchObject({ message: 'left' });
});

it('statistics that nobody tells are null', async () => {
  on('/v1/stats', (stream) => answer(stream, { memory: { current: 5, max: null }, resident: { rss: 9 } }));
  expect(await runtime.stats()).toEqual({
    memory: { current: 5, max: null, oomKills: null },
    cpu: { usageUsec: null },
    pids: { current: null, max: null },
    residentBytes: 9,
  });
});
