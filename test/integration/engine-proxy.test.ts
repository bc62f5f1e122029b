import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { pack } from 'tar-stream';
import type { EngineEvent, ExecSession } from '../../src/agentcontainers/ports.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { createDockerEngine } from '../../src/engine/docker-engine.ts';
import type { DockerEngine } from '../../src/engine/docker-engine.ts';
import { isAgentContainersError } from '../../src/errors.ts';
import { createAgentContainers, silentLogger } from '../../src/index.ts';
import type { AgentContainers } from '../../src/index.ts';
import { engineApi } from './engine-api.ts';
import { countingClock } from './support/counting-clock.ts';
import { startEngineProxy } from './support/engine-proxy.ts';
import type { EngineProxy } from './support/engine-proxy.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import type { TestEngine } from './support/engine-harness.ts';
import { eventually } from './support/eventually.ts';
import { seededRandom } from './support/proxy-faults.ts';
import type { RandomFaults } from './support/proxy-faults.ts';

// A real engine behind a connection that loses, delays, doubles and cuts off what the engine says.

const direct = engineApi();
const within = (ms = 30_000): AbortSignal => AbortSignal.timeout(ms);
let harness: TestEngine;
let proxy: EngineProxy;
let engine: DockerEngine;

beforeAll(() => {
  harness = testEngine();
});
afterAll(() => harness.cleanup());

beforeEach(async () => {
  proxy = await startEngineProxy(harness.dockerHost);
  engine = createDockerEngine({ dockerHost: proxy.dockerHost, clock: systemClock, logger: silentLogger });
});
afterEach(async () => {
  proxy.calm();
  await engine.close();
  try {
    await eventually('no connection left', () => proxy.connections === 0);
  } finally {
    await proxy.close();
  }
});

let count = 0;

/** A container made past the proxy. */
async function create(more: Record<string, unknown> = {}, labels: Record<string, string> = {}): Promise<string> {
  const [key = '', value = ''] = harness.label.split('=');
  const { Id } = (await direct('POST', `/containers/create?name=${harness.prefix}-${++count}`, {
    Image: BASE_IMAGE,
    Cmd: ['sleep', '3600'],
    StopSignal: 'SIGKILL',
    Labels: { [key]: value, ...labels },
    ...more,
  })) as { Id: string };
  return Id;
}

async function started(): Promise<string> {
  const id = await create();
  await direct('POST', `/containers/${id}/start`);
  return id;
}

const stateOf = async (id: string): Promise<string> => {
  const { State } = (await direct('GET', `/containers/${id}/json`)) as { State: { Status: string } };
  return State.Status;
};

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const asked = (method: string, path: RegExp): number =>
  proxy.exchanges.filter((exchange) => exchange.method === method && path.test(exchange.path)).length;

describe('a call whose answer is lost', () => {
  test.each(['before', 'after'] as const)('is made good by asking once more (%s the engine did it)', async (when) => {
    const id = await create();
    const lose = (method: string, path: RegExp): void => {
      proxy.spoil({ method, path, times: 1, fault: { kind: 'drop', when } });
    };
    lose('POST', /\/start$/);
    await engine.startContainer(id, within());
    expect(await stateOf(id)).toBe('running');
    lose('POST', /\/rename$/);
    await engine.renameContainer(id, `${harness.prefix}-renamed-${when}`, within());
    lose('POST', /\/stop$/);
    await engine.stopContainer(id, { graceSeconds: 1, signal: within() });
    expect(await stateOf(id)).toBe('exited');
    lose('GET', /\/containers\/json$/);
    expect((await engine.listContainers({ labels: [harness.label], signal: within() })).map((one) => one.id)).toContain(
      id,
    );
    const blueprint = await engine.describeContainer(id, within());
    const { imageId } = await engine.inspectContainer(id, within());
    lose('DELETE', /\/containers\//);
    await engine.removeContainer(id, { volumes: true, force: false, signal: within() });
    await expect(stateOf(id)).rejects.toThrow(/no such container/i);
    lose('POST', /\/containers\/create$/);
    const again = await engine.createContainer(blueprint, imageId, within());
    expect(await stateOf(again)).toBe('created');
    expect(
      (await engine.listContainers({ labels: [harness.label], signal: within() })).filter(
        ({ name }) => name === `${harness.prefix}-renamed-${when}`,
      ),
    ).toHaveLength(1);
    await engine.removeContainer(again, { volumes: true, force: true, signal: within() });
  });

  test('twice in a row is an error, after which the same call succeeds', async () => {
    const id = await create();
    const lose = (): void => void proxy.spoil({ method: 'POST', times: 2, fault: { kind: 'drop', when: 'after' } });
    lose();
    await expect(engine.startContainer(id, within())).rejects.toMatchObject({
      code: 'engine-unreachable',
      message: expect.stringMatching(/^Starting container .*closed the connection/),
    });
    expect(await stateOf(id)).toBe('running');
    await engine.startContainer(id, within());
    lose();
    await expect(engine.stopContainer(id, { graceSeconds: 1, signal: within() })).rejects.toMatchObject({
      code: 'engine-unreachable',
    });
    await engine.stopContainer(id, { graceSeconds: 1, signal: within() });
    expect(await stateOf(id)).toBe('exited');
    await engine.removeContainer(id, { volumes: true, force: true, signal: within() });
  });

  test('of an image is not asked for again, and the image is found by its label', async () => {
    const id = await create();
    const labels = { 'agentcontainers.swap': harness.prefix };
    proxy.spoil({ path: /\/commit$/, times: 1, fault: { kind: 'drop', when: 'after' } });
    await expect(engine.commitContainer(id, { labels }, within())).rejects.toMatchObject({
      code: 'engine-unreachable',
    });
    expect(asked('POST', /\/commit$/)).toBe(1);
    const query = { labels: [`agentcontainers.swap=${harness.prefix}`], signal: within() };
    const [image, ...others] = await engine.listImages(query);
    expect([image, others]).toEqual([expect.stringMatching(/^sha256:/), []]);
    await engine.removeImage(image ?? '', within());
    expect(await engine.listImages(query)).toEqual([]);
    await engine.removeContainer(id, { volumes: true, force: true, signal: within() });
  });
});

describe('an answer that does not come, or not whole', () => {
  test.each(['before', 'after'] as const)(
    'is left at the deadline, and its connection is closed (%s)',
    async (when) => {
      const stop = proxy.spoil({ path: /json$/, fault: { kind: 'freeze', when } });
      await expect(engine.listContainers({ labels: [], signal: within(300) })).rejects.toMatchObject({
        code: 'timeout',
      });
      await expect(engine.inspectImage(BASE_IMAGE, within(300))).rejects.toMatchObject({ code: 'timeout' });
      await eventually('the connections to be closed', () => proxy.connections === 0);
      const late = engine.inspectImage(BASE_IMAGE, within());
      await eventually('the third to be frozen', () => proxy.frozen === 1);
      stop();
      proxy.release();
      expect(await late).toMatchObject({ id: expect.stringMatching(/^sha256:/) });
    },
  );

  test('is waited for as long as the caller wants to', async () => {
    for (const when of ['before', 'after'] as const) {
      proxy.spoil({ path: /json$/, times: 1, fault: { kind: 'delay', when, ms: 300 } });
      expect(await engine.inspectImage(BASE_IMAGE, within())).toBeDefined();
    }
  });

  test('is an error that says so, never half an answer', async () => {
    const id = await started();
    const cut = (cleanly: boolean, times: number): void => {
      proxy.spoil({ path: /json$/, times, fault: { kind: 'truncate', bytes: 100, cleanly } });
    };
    const list = () => engine.listContainers({ labels: [harness.label], signal: within() });
    cut(false, 1);
    expect((await list()).map((one) => one.id)).toContain(id);
    cut(false, 2);
    await expect(list()).rejects.toMatchObject({ code: 'engine-unreachable' });
    cut(true, 1);
    await expect(list()).rejects.toMatchObject({ code: 'engine-request-failed' });
    proxy.spoil({ path: /json$/, times: 1, fault: { kind: 'answer', status: 500, message: 'no space left' } });
    await expect(list()).rejects.toMatchObject({
      code: 'engine-request-failed',
      message: expect.stringContaining('no space'),
    });
    await engine.removeContainer(id, { volumes: true, force: true, signal: within() });
  });
});

describe('streams', () => {
  const end = (session: ExecSession) => Promise.all([collect(session.stdout).then(String), session.exited]);

  test('of commands go through in both directions, and end with their connection', async () => {
    const containerId = await started();
    const cat = await engine.exec({ containerId, argv: ['cat'], stdin: true, signal: within() });
    const piece = 'x'.repeat(100_000);
    const whole = end(cat);
    for (let times = 0; times < 20; times++) await cat.write(piece);
    cat.closeStdin();
    expect(await whole).toEqual([piece.repeat(20), { exitCode: 0, outputHeld: false }]);

    proxy.spoil({ path: /\/start$/, times: 1, fault: { kind: 'truncate', bytes: 1_000 } });
    const broken = await engine.exec({ containerId, argv: ['sh', '-c', 'head -c 9000 /dev/zero; sleep 1'] });
    // The engine can still be asked how it ended.
    expect(await broken.exited).toMatchObject({ exitCode: expect.any(Number) });

    proxy.spoil({ path: /\/exec$/, times: 1, fault: { kind: 'drop', when: 'before' } });
    await expect(engine.exec({ containerId, argv: ['true'], signal: within() })).rejects.toMatchObject({
      code: 'engine-unreachable',
    });
    proxy.spoil({ path: /\/exec\/.*\/start$/, fault: { kind: 'freeze', when: 'after' } });
    await expect(engine.exec({ containerId, argv: ['true'], signal: within(500) })).rejects.toMatchObject({
      code: 'timeout',
    });
    await engine.removeContainer(containerId, { volumes: true, force: true, signal: within() });
  });

  test('of files arrive whole or fail', async () => {
    const id = await create();
    const tar = pack();
    tar.entry({ name: 'big' }, Buffer.alloc(3_000_000, 1));
    tar.finalize();
    const bytes = await collect(tar as unknown as AsyncIterable<Uint8Array>);
    proxy.spoil({ method: 'PUT', times: 2, fault: { kind: 'drop', when: 'before' } });
    await expect(engine.putArchive(id, '/tmp', bytes, within())).rejects.toMatchObject({ code: 'engine-unreachable' });
    await engine.putArchive(id, '/tmp', bytes, within());
    expect(await engine.statPath(id, '/tmp/big', within())).toMatchObject({ size: 3_000_000 });
    await engine.removeContainer(id, { volumes: true, force: true, signal: within() });
  });

  test('of events can be doubled, out of order, held back and cut, and stay events', async () => {
    const abort = new AbortController();
    // Of other tests on the engine too; an event can come before the id of its container is known.
    const all: EngineEvent[] = [];
    let id = '';
    const seen = (): string[] => all.filter(({ subjectId }) => subjectId === id).map(({ action }) => action);
    const ended = (async () => {
      for await (const event of engine.events({ since: Date.now() - 1_000, signal: abort.signal })) {
        all.push(event);
      }
    })();
    ended.catch(() => {});
    await eventually('the stream', () => proxy.eventStreams === 1);
    proxy.spoilEvents({ duplicate: 1 });
    id = await create();
    await eventually('both', () => seen().length === 2);
    expect(seen()).toEqual(['create', 'create']);
    proxy.freezeEvents();
    await direct('POST', `/containers/${id}/start`);
    await direct('POST', `/containers/${id}/pause`);
    await direct('POST', `/containers/${id}/unpause`);
    expect(await stateOf(id)).toBe('running');
    expect(seen()).toHaveLength(2);
    proxy.thawEvents();
    await eventually('what was held back', () => seen().length === 8);
    expect(seen().slice(2)).toEqual(['start', 'start', 'pause', 'pause', 'unpause', 'unpause']);
    proxy.spoilEvents({ reorder: 1 });
    // An event is put off for a second at most, which a slow engine may take for the next one.
    await eventually('two in the wrong order', async () => {
      all.length = 0;
      await direct('POST', `/containers/${id}/pause`);
      await direct('POST', `/containers/${id}/unpause`);
      await eventually('both', () => seen().length === 2);
      return seen().join() === 'unpause,pause';
    });
    proxy.spoilEvents({ lose: 1 });
    const lost = proxy.lostEvents;
    await direct('DELETE', `/containers/${id}?force=true`);
    await eventually('its two events to be lost', () => proxy.lostEvents >= lost + 2);
    expect(seen()).not.toContain('destroy');
    proxy.cutEvents();
    await expect(ended).rejects.toMatchObject({ code: 'engine-unreachable' });
    await eventually('the stream to be gone', () => proxy.eventStreams === 0);
  });
});

const CHAOS_MS = 12_000;
const SEED = 3;
const CHANCES: RandomFaults = {
  drop: 0.12,
  delay: 0.2,
  longestDelay: 150,
  freeze: 0.06,
  truncate: 0.06,
  error: 0.06,
  duplicate: 0.3,
  reorder: 0.3,
  lose: 0.1,
};

describe('the library', () => {
  let api: AgentContainers;
  let timers: ReadonlyMap<symbol, string>;
  const label = (): string => `agentcontainers.proxy=${harness.prefix}`;
  const slots: { readonly folder: string; id: string }[] = [];

  async function fill(slot: { readonly folder: string; id: string }): Promise<void> {
    const Binds = [`${slot.folder}:/workspaces/app`];
    const labels = { 'devcontainer.local_folder': slot.folder, 'agentcontainers.proxy': harness.prefix };
    slot.id = await create({ HostConfig: { Binds } }, labels);
  }

  beforeEach(async () => {
    slots.length = 0;
    for (let index = 0; index < 5; index++) {
      const slot = { folder: await harness.makeFolder(`slot${index}`), id: '' };
      await fill(slot);
      slots.push(slot);
    }
    const { clock, pending } = countingClock();
    timers = pending;
    api = createAgentContainers({
      dockerHost: proxy.dockerHost,
      adopt: 'all',
      trust: 'all',
      labels: [label()],
      injectSubAgents: false,
      updateIntervalMs: 500,
      listTimeoutMs: 1_500,
      clock,
      logger: silentLogger,
    });
    await api.start();
  });
  afterEach(async () => {
    await api.close();
    expect([...timers.values()]).toEqual([]);
    await eventually('no connection left', () => proxy.connections === 0);
    for (const { id } of slots) await engine.removeContainer(id, { volumes: true, force: true, signal: within() });
  });

  /** What the engine says, asked directly. */
  async function truth(): Promise<string[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [label()] }));
    const found = (await direct('GET', `/containers/json?all=true&filters=${filters}`)) as {
      Id: string;
      State: string;
    }[];
    return found.map(({ Id, State }) => `${Id.slice(0, 12)} ${State}`).sort();
  }

  /** What the library shows. */
  async function shown(): Promise<{ containers: string[]; devcontainers: string[] }> {
    const { containers, devcontainers } = await api.list({ labels: [label()] });
    return {
      containers: containers.map(({ id, state }) => `${id.slice(0, 12)} ${state}`).sort(),
      devcontainers: devcontainers.map(({ container, status }) => `${container?.id.slice(0, 12)} ${status}`).sort(),
    };
  }

  /** The library says what the engine says, and stays with it. */
  async function converged(): Promise<void> {
    let last: unknown;
    await eventually('the state to converge', async () => {
      const wanted = await truth();
      const seen = await shown();
      last = { wanted, seen };
      const statuses = wanted.map((one) => one.replace(/ (?!running$)\S+$/, ' stopped'));
      return seen.containers.join() === wanted.join() && seen.devcontainers.join() === statuses.join();
    }).catch((error: unknown) => {
      throw new Error(`${String(error)} ${JSON.stringify(last, null, 1)}`, { cause: error });
    });
  }

  test('converges after any disorder on its connection, and nothing hangs or is left', async () => {
    await converged();
    const random = seededRandom(SEED);
    const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
    const open = new Set<Promise<unknown>>();
    const unexpected: unknown[] = [];
    const watch = (call: Promise<unknown>): void => {
      const settled = call.catch((error: unknown) => {
        if (!isAgentContainersError(error, 'list-failed')) unexpected.push(error);
      });
      open.add(settled);
      void settled.finally(() => open.delete(settled));
    };

    proxy.randomly(SEED, CHANCES);
    const end = performance.now() + CHAOS_MS;
    let isFrozen = false;
    while (performance.now() < end) {
      const slot = pick(slots);
      const path = `/containers/${slot.id}`;
      // What is already so, and what cannot be, is refused.
      const refused = (): void => {};
      switch (pick(['start', 'start', 'kill', 'restart', 'remove'])) {
        case 'start':
          await direct('POST', `${path}/start`).catch(refused);
          break;
        case 'kill':
          await direct('POST', `${path}/kill`).catch(refused);
          break;
        case 'restart':
          await direct('POST', `${path}/restart?t=0`).catch(refused);
          break;
        default:
          await direct('DELETE', `${path}?force=true`);
          await fill(slot);
      }
      watch(api.refresh());
      watch(api.list());
      if (!isFrozen && performance.now() > end - CHAOS_MS / 3) {
        proxy.freezeEvents();
        isFrozen = true;
      }
      await new Promise((resolve) => setTimeout(resolve, random() * 100));
    }

    proxy.calm();
    await converged();
    await eventually('every call to have ended', () => open.size === 0);
    expect(unexpected).toEqual([]);
    // How many of its faults came about depends on the speed of the machine.
    const kinds = new Set(proxy.exchanges.flatMap(({ fault }) => fault?.kind ?? []));
    expect(kinds.size).toBeGreaterThanOrEqual(2);

    // And events are followed again.
    await eventually('the event stream', () => proxy.eventStreams >= 1);
    const slot = slots[0] as (typeof slots)[0];
    await direct('POST', `/containers/${slot.id}/restart?t=0`);
    await converged();
  });

  test.each([
    ['is made good', 1],
    ['fails a stop, which can be asked for again', 2],
  ])('does what it was asked to although an answer is lost, which %s', async (_what, times) => {
    const slot = slots[0] as (typeof slots)[0];
    await direct('POST', `/containers/${slot.id}/start`);
    await converged();
    const { devcontainers } = await api.list();
    const { id = '' } = devcontainers.find(({ container }) => container?.id === slot.id) ?? {};
    const lose = (path: RegExp, method: string): void => {
      proxy.spoil({ method, path, times, fault: { kind: 'drop', when: 'after' } });
    };

    lose(/\/stop$/, 'POST');
    const stopped = await (await api.stopDevcontainer(id)).done;
    expect(stopped.status).toBe(times === 1 ? 'succeeded' : 'failed');
    expect(await stateOf(slot.id)).toBe('exited');
    // An entry whose stop failed says so until somebody asks again.
    expect((await (await api.stopDevcontainer(id)).done).status).toBe('succeeded');
    await converged();
    expect(await api.get(id)).toMatchObject({ status: 'stopped', container: { id: slot.id } });

    lose(/^\/containers\/[0-9a-f]{64}$/, 'DELETE');
    const removed: unknown = await api.remove(id, { volumes: 'anonymous' }).catch((error: unknown) => error);
    if (times > 1) {
      expect(isAgentContainersError(removed, 'remove-failed')).toBe(true);
      await api.remove(id).catch((error: unknown) => {
        // The next pass has seen that there is nothing left to remove.
        expect(isAgentContainersError(error, 'devcontainer-not-found')).toBe(true);
      });
    } else {
      expect(removed).toBeUndefined();
    }
    await converged();
    await expect(stateOf(slot.id)).rejects.toThrow(/no such container/i);
  });

  test('notices changes although its event stream has fallen silent', async () => {
    await eventually('the event stream', () => proxy.eventStreams === 1);
    const slot = slots[0] as (typeof slots)[0];
    await direct('POST', `/containers/${slot.id}/start`);
    await converged();
    proxy.freezeEvents();
    await direct('POST', `/containers/${slot.id}/kill`);
    await converged();
    expect(proxy.eventStreams).toBe(1);
  });
});

describe('an adapter that meets disorder all the time', () => {
  /** Bytes, once nothing is under way. */
  async function heapUsed(): Promise<number> {
    await eventually('the connections to be closed', () => proxy.connections === 0);
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    // What has a finalizer goes with the next collection only.
    for (let times = 0; times < 4; times++) {
      collectGarbage();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return process.memoryUsage().heapUsed;
  }

  test('keeps no memory', async () => {
    const id = await started();
    const { clock, pending } = countingClock();
    const adapter = createDockerEngine({ dockerHost: proxy.dockerHost, clock, logger: silentLogger });
    proxy.randomly(SEED, { ...CHANCES, longestDelay: 20 });

    /** Given up only if it takes too long: what a call leaves behind that has ended well must show too. */
    const limited = async (call: (signal: AbortSignal) => Promise<unknown>): Promise<void> => {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(), 80);
      await call(controller.signal).catch(() => {});
      clearTimeout(timer);
    };
    const calls = (): Promise<void>[] =>
      [
        (signal: AbortSignal) => adapter.listContainers({ labels: [], signal }),
        (signal: AbortSignal) => adapter.inspectContainer(id, signal),
        (signal: AbortSignal) => adapter.inspectImage(BASE_IMAGE, signal),
        (signal: AbortSignal) => adapter.statPath(id, '/tmp', signal),
        (signal: AbortSignal) => adapter.startContainer(id, signal),
        (signal: AbortSignal) => adapter.removeContainer('no-such-container', { volumes: true, force: true, signal }),
        async (signal: AbortSignal) => {
          for await (const _event of adapter.events({ since: Date.now() - 60_000, signal }));
        },
      ].map(limited);
    const round = (): Promise<unknown> => Promise.all(Array.from({ length: 6 }, calls).flat());
    const rounds = async (times: number): Promise<number> => {
      for (let index = 0; index < times; index++) await round();
      return heapUsed();
    };

    await rounds(10);
    const heap = [await rounds(15), await rounds(15), await rounds(15)] as const;
    // The runtime grows in a step now and then; a leak grows every time.
    const growth = Math.min(heap[1] - heap[0], heap[2] - heap[1]);
    expect(growth / 1024 / 1024, 'MiB more, twice').toBeLessThan(1);
    proxy.calm();
    expect(await adapter.inspectContainer(id, within())).toMatchObject({ running: true });
    await adapter.close();
    expect([...pending.values()]).toEqual([]);
    await eventually('no connection left', () => proxy.connections === 0);
    await engine.removeContainer(id, { volumes: true, force: true, signal: within() });
  });
});
