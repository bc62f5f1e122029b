import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectTo, until } from '../../../test/support/resident/connected.ts';
import { createFakeResident } from '../../../test/support/resident/fake-resident.ts';
import type { FakeResident } from '../../../test/support/resident/fake-resident.ts';
import { createMemorySession } from '../../../test/support/resident/memory-session.ts';
import { silentLogger } from '../../logger.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import type { FakeClock } from '../../testing/fake-clock.ts';
import { requestJson } from './request-json.ts';
import { unavailable } from './resident-errors.ts';
import type { ResidentConnection } from './resident-connection.ts';
import { createResidentLink } from './resident-link.ts';
import type { Connected, ContainerLook, ResidentLink } from './resident-link.ts';
import { processesSchema } from './wire.ts';

const doing = 'Listing';
let clock: FakeClock;
let fake: FakeResident;
let link: ResidentLink;
let look: ContainerLook;
let tries: number[];
let connect: () => Promise<Connected>;

beforeEach(async () => {
  clock = createFakeClock();
  fake = createFakeResident();
  look = 'runs';
  tries = [];
  connect = () => connectTo(fake, clock, { start: false });
  const began = clock.now();
  link = createResidentLink(await connectTo(fake, clock), {
    connect() {
      tries.push(clock.now() - began);
      return connect();
    },
    look: async () => look,
    clock,
    logger: silentLogger,
  });
});
afterEach(async () => {
  link.close();
  await until(() => fake.sessions.size === 0 && clock.pending().length === 0);
});

const list = (connection: ResidentConnection): Promise<unknown> =>
  requestJson(connection, { doing, method: 'GET', path: '/v1/processes', schema: processesSchema });
const ask = (mayRepeat = true): Promise<unknown> => link.use(doing, list, { mayRepeat });
const cut = (): void => {
  for (const session of fake.sessions) session.end(null);
};

/** Answers the greeting, and takes all that comes. */
function createSilentResident(): FakeResident {
  const silent = createFakeResident();
  return {
    ...silent,
    connect() {
      const memory = createMemorySession();
      memory.inside.resume();
      const hello = { ok: true, protocol: 1, version: '1', digest: 'a'.repeat(64), instance: 'abcd1234', pid: 7 };
      memory.inside.write(`${JSON.stringify({ ...hello, adopted: true, others: [] })}\n`);
      return memory;
    },
  };
}

describe('a link', () => {
  it('connects again at once when its connection breaks off, and no caller notices', async () => {
    const before = await link.ready(doing);
    cut();
    expect(await ask()).toEqual({ processes: [] });
    expect(await link.ready(doing)).not.toBe(before);
    expect(tries).toEqual([0]);
    expect(link.end).toBeUndefined();
  });

  it('repeats only what may be repeated', async () => {
    const once = ask(false);
    once.catch(() => {});
    const again = ask();
    await until(() => fake.requests.length === 0);
    cut();
    await expect(once).rejects.toMatchObject({ code: 'runtime-unavailable', details: { isCut: true } });
    expect(await again).toEqual({ processes: [] });
  });

  it('tries again after 100 ms to 5 s, and gives up after 15 s', async () => {
    connect = () => Promise.reject(unavailable('Connecting', 'the engine is restarting'));
    cut();
    const asked = ask();
    asked.catch(() => {});
    await clock.run(30_000);
    expect(tries).toEqual([0, 100, 300, 700, 1_500, 3_100, 6_300, 11_300, 16_300]);
    expect(await link.ended).toEqual({
      reason: 'lost',
      message: 'The connection to the resident was lost: Connecting failed: the engine is restarting.',
    });
    await expect(asked).rejects.toMatchObject({ code: 'runtime-unavailable', details: { reason: 'lost' } });
    await expect(ask()).rejects.toMatchObject({ code: 'runtime-unavailable' });
  });

  it('goes on when the engine comes back meanwhile', async () => {
    const real = connect;
    connect = () => Promise.reject(unavailable('Connecting', 'the engine is restarting'));
    cut();
    const asked = ask();
    await clock.run(2_000);
    connect = real;
    await clock.run(1_100);
    expect(await asked).toEqual({ processes: [] });
  });

  it('gives an engine that goes away again soon the same time to come back', async () => {
    const real = connect;
    for (let round = 0; round < 3; round++) {
      connect = () => Promise.reject(unavailable('Connecting', 'the engine is restarting'));
      cut();
      await clock.run(10_000);
      connect = real;
      await clock.run(5_000);
      expect(await ask()).toEqual({ processes: [] });
    }
    expect(link.end).toBeUndefined();
  });

  it('gives up on an agent that greets, and says nothing after that', async () => {
    const silent = createSilentResident();
    connect = () => connectTo(silent, clock, { start: false });
    cut();
    for (let round = 0; round < 20 && !link.end; round++) {
      const asked = ask(false);
      asked.catch(() => {});
      await clock.run(10_000);
    }
    expect(await link.ended).toMatchObject({ reason: 'lost', message: expect.stringContaining('again and again') });
    expect(tries.length).toBeLessThan(5);
  });

  it('does not connect for ever to what breaks off again and again', async () => {
    for (let round = 0; !link.end && round < 50; round++) {
      cut();
      await clock.run(1_000);
    }
    expect(await link.ended).toMatchObject({ reason: 'lost', message: expect.stringContaining('again and again') });
    expect(tries.length).toBeLessThan(15);
  });

  it('begins anew with the tries after a connection that stood', async () => {
    for (let round = 0; round < 30; round++) {
      cut();
      await until(() => fake.sessions.size === 1);
      await clock.run(6_000);
    }
    expect(link.end).toBeUndefined();
    expect(tries).toHaveLength(30);
  });

  it.each<[string, () => void, string, string]>([
    ['gone', () => fake.die(), 'gone', 'runtime-unavailable'],
    ['taken over by another', () => (connect = () => other()), 'gone', 'runtime-unavailable'],
    ['stopped with its container', () => (look = 'gone'), 'container-gone', 'devcontainer-not-running'],
    ['out of memory', () => (look = 'oom'), 'oom', 'devcontainer-not-running'],
    ['of another token', () => (connect = () => Promise.reject(refused('wrong-token'))), 'lost', 'runtime-unavailable'],
  ])('ends within a second when the agent is %s', async (_, happens, reason, code) => {
    happens();
    cut();
    await clock.run(900);
    expect(await link.ended).toMatchObject({ reason });
    await expect(ask()).rejects.toMatchObject({ code });
  });

  it('ends as its container does, when that is seen only after the agent', async () => {
    fake.die();
    await until(() => tries.length === 1);
    look = 'gone';
    await clock.run(300);
    expect(await link.ended).toMatchObject({ reason: 'container-gone' });
  });

  it('waits for a container that is paused, however long', async () => {
    look = 'paused';
    cut();
    const asked = ask();
    await clock.run(120_000);
    expect(tries).toEqual([]);
    look = 'runs';
    await clock.run(2_000);
    expect(await asked).toEqual({ processes: [] });
  });

  it('ends with what breaks the protocol, and does not connect again', async () => {
    (await link.ready(doing)).fail('it lies');
    expect(await link.ended).toEqual({
      reason: 'violation',
      message: 'Speaking to the resident failed: it broke the protocol: it lies.',
    });
    expect(tries).toEqual([]);
  });

  it('ends when it is closed, also while it connects', async () => {
    connect = () => new Promise(() => {});
    cut();
    const asked = ask();
    asked.catch(() => {});
    await until(() => tries.length === 1);
    link.close();
    expect(await link.ended).toMatchObject({ reason: 'closed' });
    await expect(asked).rejects.toMatchObject({ code: 'runtime-unavailable' });
  });

  it('lets a caller leave while it connects', async () => {
    connect = () => new Promise(() => {});
    cut();
    await until(() => tries.length === 1);
    const controller = new AbortController();
    const asked = link.use(doing, list, { signal: controller.signal });
    controller.abort(new Error('left'));
    await expect(asked).rejects.toThrow('left');
  });
});

function refused(reason: string): Error {
  return unavailable('Connecting', 'no', { reason });
}
function other(): Promise<Connected> {
  return connectTo(createFakeResident({ instance: 'beef9999' }), clock);
}
