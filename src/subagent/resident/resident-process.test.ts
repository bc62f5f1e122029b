import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../test/support/resident/connected.ts';
import { createFakeResident, refuse } from '../../../test/support/resident/fake-resident.ts';
import type { FakeResident, FakeResidentOptions } from '../../../test/support/resident/fake-resident.ts';
import { createMemorySession } from '../../../test/support/resident/memory-session.ts';
import type {
  ContainerEngine,
  ExecSpec,
  LaunchRequest,
  SubAgentBinary,
  SubAgentProcess,
} from '../../agentcontainers/ports.ts';
import { createDeferred } from '../../async/deferred.ts';
import { silentLogger } from '../../logger.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import type { FakeClock } from '../../testing/fake-clock.ts';
import { createFakeEngine } from '../../testing/fake-engine.ts';
import type { FakeEngine } from '../../testing/fake-engine.ts';
import { createSubAgentLauncher } from '../launcher.ts';
import type { LauncherLimits } from '../limits.ts';
import { encodeJsonFrame } from './frames.ts';

const PATH = '/.agentcontainers/resident-aaaaaaaaaaaa';
const BINARY: SubAgentBinary = {
  name: 'resident',
  path: '/host/resident',
  sha256: 'a'.repeat(64),
  protocol: 'resident',
};
const SECRET = 'the secret of a daemon';

let clock: FakeClock;
let fakeEngine: FakeEngine;
let engine: ContainerEngine;
let container: string;
let fake: FakeResident;
let older: FakeResident | undefined;
let connects: ExecSpec[];
let launched: SubAgentProcess | undefined;

beforeEach(() => {
  clock = createFakeClock();
  fakeEngine = createFakeEngine({ clock });
  container = fakeEngine.addContainer({ env: ['PATH=/opt/bin:/bin', 'LANG=C'] }).id;
  connects = [];
  older = undefined;
  launched = undefined;
  serve();
});
afterEach(async () => {
  if (launched) {
    fake.isAlive = false;
    const ending = launched.stop(0);
    for (let round = 0; round < 20; round++) await clock.run(1_000);
    await ending;
  }
  await until(() => fake.sessions.size === 0 && clock.pending().length === 0);
  expect(fakeEngine.openExecs).toEqual([]);
});

function serve(options: FakeResidentOptions = {}): void {
  fake = createFakeResident(options);
  engine = {
    ...fakeEngine,
    async exec(spec) {
      if (spec.argv[1] !== 'connect') return fakeEngine.exec(spec);
      connects.push(spec);
      // As the engine does it: there is nobody to ask.
      await fakeEngine.inspectContainer(container, spec.signal ?? new AbortController().signal);
      if (!fakeEngine.containers().find(({ id }) => id === container)?.running) throw new Error('it is not running');
      return (spec.argv[2] === '--digest' && older ? older : fake).connect().session;
    },
  };
}
function launch(
  more: Partial<LaunchRequest> = {},
  options: { readonly secret?: string; readonly limits?: Partial<LauncherLimits> } = {},
): Promise<SubAgentProcess> {
  const launcher = createSubAgentLauncher({
    engine,
    clock,
    logger: silentLogger,
    residentSecret: options.secret,
    limits: options.limits,
  });
  const made = launcher.launch({
    containerId: container,
    binary: BINARY,
    path: PATH,
    workingDir: '/workspaces/x',
    env: { LANG: 'de', AGENTCONTAINERS_TOKEN: 'token-canary', AGENTCONTAINERS_NAME: 'x' },
    signal: new AbortController().signal,
    ...more,
  });
  return made.then((process) => (launched = process));
}
/** The container dies with all that runs in it. */
function endContainer(how: () => void): void {
  how();
  fake.die();
}

describe('launching a resident', () => {
  it('starts it through one exec, with its token on standard input, and the environment of commands', async () => {
    const lines: string[] = [];
    const process = await launch({ user: 'dev', onOutput: (line) => lines.push(line) });
    expect(process).toMatchObject({ version: '1.2.3', runtime: { via: 'resident' } });
    expect(process.detach).toBeUndefined();
    expect(connects).toMatchObject([{ argv: [PATH, 'connect'], user: 'dev', stdin: true }]);
    expect(JSON.stringify(connects)).not.toContain('token');
    expect(fake.greetings).toEqual([
      {
        token: expect.stringMatching(/^[0-9a-f]{64}$/),
        start: true,
        env: { PATH: '/opt/bin:/bin', LANG: 'de', AGENTCONTAINERS_NAME: 'x' },
        workspace: '/workspaces/x',
        exit_when_alone_ms: 60_000,
      },
    ]);
    expect(lines).toEqual(['started 1.2.3']);
  });

  it('makes its token of the secret and the container, and leaves it running when it is let go of', async () => {
    const process = await launch({}, { secret: SECRET });
    const token = createHmac('sha256', SECRET).update(`resident ${container}`).digest('hex');
    expect(fake.greetings).toMatchObject([{ token, exit_when_alone_ms: 0 }]);
    await process.detach?.();
    expect(await process.exited).toMatchObject({
      reason: 'stopped',
      message: 'The sub-agent was let go of and runs on.',
    });
    expect(fake.isAlive).toBe(true);
    expect(fake.requests).not.toContain('POST /v1/shutdown');
    await expect(process.runtime?.processes()).rejects.toMatchObject({ code: 'runtime-unavailable' });
    const again = await launch({}, { secret: SECRET });
    expect(fake.greetings.map((greeting) => greeting['token'])).toEqual([token, token]);
    expect(again.version).toBe('1.2.3');
  });

  it.each([
    ['of another binary', { digest: 'b'.repeat(64) }, 'the one that answered is of another binary'],
    ['of another protocol', { hello: { protocol: 2 } }, 'it speaks version 2 of the protocol, we 1'],
    ['of another daemon', { token: 'x' }, 'the token is wrong. Another daemon started the one that runs there'],
    ['that lies', { hello: { version: 7 } }, 'its answer to the greeting is none that a resident gives'],
    ['that refuses', { hello: { ok: false, code: 'no-directory', message: 'no\nroom' } }, 'no room'],
  ])('refuses one %s', async (_, options, reason) => {
    serve(options);
    await expect(launch()).rejects.toMatchObject({
      code: 'sub-agent-start-failed',
      message: expect.stringMatching(new RegExp(`^Starting the sub-agent in container \\w{12} failed: .*${reason}`)),
    });
  });

  it('says so when its program cannot be run', async () => {
    engine = {
      ...engine,
      async exec() {
        const world = createMemorySession();
        world.stderr.write('exec format error\n');
        world.end(126);
        return world.session;
      },
    };
    await expect(launch()).rejects.toThrow(/failed: exec format error\. Check that the container runs\.$/);
  });

  it('gives up on one that does not answer, and when the signal aborts', async () => {
    engine = { ...engine, exec: async () => createMemorySession().session };
    const late = launch({}, { limits: { readyTimeoutMs: 3_000 } });
    late.catch(() => {});
    await clock.run(3_000);
    await expect(late).rejects.toMatchObject({ code: 'sub-agent-start-failed', cause: { code: 'timeout' } });
    const controller = new AbortController();
    const left = launch({ signal: controller.signal });
    left.catch(() => {});
    await clock.settle();
    controller.abort(new Error('left'));
    await expect(left).rejects.toThrow('left');
  });
});

describe('the environment that is known only when it runs', () => {
  it('is what commands have, and they wait for it', async () => {
    const probing = createDeferred<Record<string, string> | undefined>();
    let asked = 0;
    const commandEnv = (): typeof probing.promise => (asked++, probing.promise);
    const { runtime } = await launch({ commandEnv });
    expect(asked).toBe(1);
    const leaving = new AbortController();
    const left = runtime!.exec({ argv: ['left'] }, leaving.signal);
    const exec = runtime!.exec({ argv: ['a'] });
    const spawn = runtime!.spawn({ argv: ['b'] });
    expect(await runtime!.processes()).toEqual([]);
    leaving.abort(new Error('left'));
    await expect(left).rejects.toThrow('left');
    probing.resolve({ PATH: '/probed', AGENTCONTAINERS_TOKEN: 'token-canary' });
    await Promise.all([exec, spawn]);
    expect(fake.environments).toEqual([{ PATH: '/probed', LANG: 'C' }]);
    const requests = fake.requests.filter((request) => !request.startsWith('GET'));
    expect(requests[0]).toBe('PUT /v1/environment');
    expect(requests).toHaveLength(3);
    expect(fake.processes.size).toBe(2);
  });

  it('is done without when there is none, or its agent does not take it', async () => {
    const { runtime } = await launch({ commandEnv: async () => undefined });
    await runtime!.spawn({ argv: ['a'] });
    expect(fake.requests).not.toContain('PUT /v1/environment');

    serve({
      onRequest(stream, method) {
        if (method === 'PUT') refuse(stream, 404, 'not-found', 'there is no such route');
        return method === 'PUT';
      },
    });
    const other = await launch({ commandEnv: async () => ({ A: 'b' }) });
    await other.runtime!.spawn({ argv: ['a'] });
    expect(fake.requests).toContain('PUT /v1/environment');
  });

  it('is not asked for any longer when the resident is let go of', async () => {
    let given: AbortSignal | undefined;
    const process = await launch(
      {
        commandEnv: (signal) =>
          new Promise((resolve) => {
            given = signal;
            signal.addEventListener('abort', () => resolve(undefined));
          }),
      },
      { secret: SECRET },
    );
    const starting = process.runtime!.spawn({ argv: ['a'] });
    starting.catch(() => {});
    await process.detach?.();
    expect(given?.aborted).toBe(true);
    await expect(starting).rejects.toMatchObject({ code: 'runtime-unavailable' });
  });
});

describe('a resident', () => {
  it('tells what it is busy with, once a second at most', async () => {
    const told: (string | undefined)[] = [];
    const { runtime } = await launch({ onBusy: (reason) => told.push(reason) });
    const one = await runtime!.exec({ argv: ['make'] });
    await until(() => told.length === 1);
    await runtime!.exec({ argv: ['make'] });
    await runtime!.spawn({ argv: ['sh'], tty: { width: 80, height: 24 } });
    await until(() => fake.processes.size === 3);
    for (let round = 0; round < 50; round++) await new Promise((resolve) => setImmediate(resolve));
    await clock.run(1_000);
    for (const process of fake.processes.values()) process.end();
    await one.exited;
    for (let round = 0; round < 50; round++) await new Promise((resolve) => setImmediate(resolve));
    await clock.run(1_000);
    expect(told).toEqual(['1 command', '2 commands, 1 terminal', undefined]);
  });

  it('ends with all that runs under it when it is told to', async () => {
    const process = await launch();
    await Promise.all([process.stop(2_000), process.stop(1)]);
    expect(await process.exited).toEqual({
      reason: 'stopped',
      exitCode: 0,
      message: 'The sub-agent was told to end.',
      outputTail: '',
    });
    expect(fake.requests.filter((request) => request === 'POST /v1/shutdown')).toHaveLength(1);
    expect(fake.isAlive).toBe(false);
  });

  it('ends when the signal aborts', async () => {
    const controller = new AbortController();
    const process = await launch({ signal: controller.signal });
    controller.abort();
    expect(await process.exited).toMatchObject({ reason: 'stopped', exitCode: 0 });
  });

  it.each([
    ['', {}, 'It did not end by itself and was killed.'],
    [
      ', if that can be',
      { exitCode: 127 },
      'It may still run in the container: killing it failed: the container has no /bin/sh',
    ],
  ])('is killed when it does not end by itself%s', async (_, shell, message) => {
    serve({ onRequest: (_stream, _method, path) => path === '/v1/shutdown' });
    const scripts: ExecSpec[] = [];
    fakeEngine.onExec(['/bin/sh', '-c'], ({ spec }) => {
      scripts.push(spec);
      fake.die();
      return 'exitCode' in shell ? shell.exitCode : 0;
    });
    const process = await launch();
    const stopping = process.stop(1_000);
    for (let round = 0; round < 12; round++) {
      await clock.run(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stopping;
    expect(await process.exited).toMatchObject({ reason: 'stopped', message: expect.stringContaining(message) });
    const mark = connects[0]?.env?.[0];
    expect(mark).toMatch(/^AGENTCONTAINERS_RUN_ID=[0-9a-f]{32}$/);
    expect(scripts[0]?.argv.slice(-2)).toEqual([mark, 'KILL']);
  });

  it.each<[string, () => void, string, string]>([
    ['dies', () => fake.die(), 'exit', 'The resident ended although its container runs'],
    ['goes with its container', () => endContainer(() => fakeEngine.stop(container)), 'container-gone', 'container'],
    ['goes with its container, removed', () => endContainer(() => fakeEngine.remove(container)), 'container-gone', ''],
    ['is out of memory', () => endContainer(() => fakeEngine.crash(container, { oomKilled: true })), 'oom', 'memory'],
  ])('that %s is told within a second, with the reason', async (_, happens, reason, message) => {
    const told: (string | undefined)[] = [];
    const process = await launch({ onBusy: (busy) => told.push(busy) });
    const command = await process.runtime!.exec({ argv: ['sleep'] });
    await until(() => told.length === 1);
    happens();
    await clock.run(900);
    expect(await process.exited).toMatchObject({ reason, exitCode: null, message: expect.stringContaining(message) });
    expect(await command.exited).toMatchObject({ reason: 'lost' });
    expect(told).toEqual(['1 command', undefined]);
    await process.stop(1_000);
  });

  it('is lost when the engine does not come back', async () => {
    const process = await launch();
    fakeEngine.goDown();
    for (const session of fake.sessions) session.end(null);
    await clock.run(14_000);
    let isOver = false;
    void process.exited.then(() => (isOver = true));
    await clock.settle();
    expect(isOver).toBe(false);
    await clock.run(4_000);
    expect(await process.exited).toMatchObject({ reason: 'connection-lost' });
  });

  it('that breaks the protocol is ended', async () => {
    const scripts: (string | undefined)[] = [];
    fakeEngine.onExec(['/bin/sh', '-c'], ({ spec }) => {
      scripts.push(spec.argv.at(-1));
      return 0;
    });
    serve({
      onRequest(stream, _method, path) {
        if (path !== '/v1/stats') return false;
        stream.respond({ ':status': 200 });
        stream.end('{"memory":7}');
        return true;
      },
    });
    const process = await launch();
    await expect(process.runtime!.stats()).rejects.toMatchObject({ code: 'runtime-unavailable' });
    expect(await process.exited).toMatchObject({
      reason: 'connection-lost',
      message: expect.stringContaining('it broke the protocol: of an answer memory is wrong'),
    });
    expect(scripts).toEqual(['KILL']);
  });
});

describe('older residents', () => {
  const digest = 'b'.repeat(64);
  function withOlder(more: FakeResidentOptions = {}): FakeResident {
    const other = createFakeResident({ instance: 'dcba4321', digest, ...more });
    older = other;
    serve({ hello: { others: [{ digest, protocol: 1, version: '1.0.0', pid: 5 }], adopted: false } });
    return other;
  }

  it('are told to end when nothing runs, and are served until then', async () => {
    const before = withOlder();
    const told: (string | undefined)[] = [];
    const { runtime } = await launch({ onBusy: (reason) => told.push(reason) });
    expect(connects[1]?.argv).toEqual([PATH, 'connect', '--digest', digest]);
    await until(() => before.isDraining);
    expect(before.greetings[0]).toMatchObject({ start: false });

    // As if it had been started by the daemon before.
    const session = before.connect();
    session.end(0);
    const fresh = await runtime!.spawn({ argv: ['new'] });
    expect(fresh.id).toBe('abcd-1');
    await expect(runtime!.process('dcba-1')).rejects.toMatchObject({ code: 'process-not-found' });
    await expect(runtime!.process('eeee-1')).rejects.toMatchObject({ code: 'process-not-found' });
    expect(before.requests).toContain('GET /v1/processes/dcba-1');
    expect(fake.requests).not.toContain('GET /v1/processes/eeee-1');

    before.die();
    for (let round = 0; round < 10; round++) {
      await new Promise((resolve) => setImmediate(resolve));
      await clock.run(100);
    }
    expect(await runtime!.processes()).toMatchObject([{ id: 'abcd-1' }]);
    await expect(runtime!.process('dcba-1')).rejects.toThrow('there is none with this id');
  });

  it('that are still busy when the newest is let go of are told of no more', async () => {
    withOlder({
      onRequest(stream, _method, path) {
        if (path !== '/v1/events') return false;
        stream.respond({ ':status': 200 });
        stream.write(encodeJsonFrame({ type: 'snapshot', processes: [], busy: { commands: 1, terminals: 0 } }));
        return true;
      },
    });
    const told: (string | undefined)[] = [];
    const process = await launch({ onBusy: (reason) => told.push(reason) }, { secret: SECRET });
    await until(() => told.length === 1);
    await clock.run(1_000);
    await process.detach?.();
    for (let round = 0; round < 50; round++) await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual(['1 command', undefined]);
    expect(clock.pending()).toEqual([]);
  });

  it('hold up nothing that is new, and are waited for where they may be meant', async () => {
    const before = withOlder();
    const connecting = createDeferred<void>();
    const { exec } = engine;
    engine = {
      ...engine,
      async exec(spec) {
        if (spec.argv[2] === '--digest') await connecting.promise;
        return exec(spec);
      },
    };
    const { runtime } = await launch();
    expect(await runtime!.spawn({ argv: ['new'] })).toMatchObject({ id: 'abcd-1' });
    expect(await runtime!.process('abcd-1')).toMatchObject({ running: true });
    expect(before.greetings).toEqual([]);
    const all = runtime!.processes();
    const one = runtime!.process('dcba-1');
    one.catch(() => {});
    connecting.resolve();
    expect(await all).toMatchObject([{ id: 'abcd-1' }]);
    await expect(one).rejects.toMatchObject({ code: 'process-not-found' });
    expect(before.requests).toContain('GET /v1/processes');
    expect(before.requests).toContain('GET /v1/processes/dcba-1');
  });

  it('that do not answer are killed when all are to end', async () => {
    withOlder();
    const { exec } = engine;
    const killed: string[] = [];
    fakeEngine.onExec(
      ({ argv }) => argv[0] === '/bin/sh',
      ({ spec }) => {
        killed.push(spec.argv.at(-1) ?? '');
        return 0;
      },
    );
    engine = {
      ...engine,
      exec: (spec) => (spec.argv[2] === '--digest' ? new Promise(() => {}) : exec(spec)),
    };
    const process = await launch();
    const stopping = process.stop(1_000);
    await clock.run(4_000);
    await stopping;
    expect(killed).toEqual(['KILL']);
    expect(await process.exited).toMatchObject({ message: expect.stringContaining('was killed') });
  });

  it('of another protocol, and those that cannot be reached, are left alone', async () => {
    older = createFakeResident();
    older.isAlive = false;
    const others = [
      { digest, protocol: 9, version: '9.0.0', pid: 5 },
      { digest, protocol: 1, version: '1.0.0', pid: 6 },
    ];
    serve({ hello: { others } });
    const { runtime } = await launch();
    expect(connects).toHaveLength(2);
    expect(await runtime!.processes()).toEqual([]);
  });

  it('end with the newest one', async () => {
    const before = withOlder();
    const process = await launch();
    await process.stop(1_000);
    expect(before.requests).toContain('POST /v1/shutdown');
    expect(await process.exited).toMatchObject({ reason: 'stopped', exitCode: 0 });
  });
});
