import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pack } from 'tar-stream';
import type { ExecSession, ExecSpec } from '../../src/agentcontainers/ports.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { createDockerEngine } from '../../src/engine/docker-engine.ts';
import type { DockerEngine } from '../../src/engine/docker-engine.ts';
import { isAgentContainersError } from '../../src/errors.ts';
import { silentLogger } from '../../src/logger.ts';
import { engineApi, engineHost } from './engine-api.ts';
import { testEngine } from './support/engine-harness.ts';
import { engineFeatures, eventsSince } from './support/engine-features.ts';
import { eventually } from './support/eventually.ts';

// A real engine. Containers are made with the raw API, since making them is the devcontainer CLI's work, not ours.

const run = randomUUID().slice(0, 8);
const api = engineApi();
const made: string[] = [];
let engine: DockerEngine;
let container: string;

/** 126, or 127 where the engine tells that there is no such file. */
const NOT_STARTED: unknown = expect.toBeOneOf([126, 127]);
const within = (ms = 30_000): AbortSignal => AbortSignal.timeout(ms);

async function createContainer(config: Record<string, unknown> = {}, name?: string): Promise<string> {
  const { Id } = (await api('POST', `/containers/create${name ? `?name=${name}` : ''}`, {
    Image: 'agentcontainers-base:1',
    Cmd: ['sleep', '3600'],
    Labels: { 'agentcontainers.test': run },
    StopSignal: 'SIGKILL',
    ...config,
  })) as { Id: string };
  made.push(Id);
  return Id;
}

async function started(config: Record<string, unknown> = {}): Promise<string> {
  const id = await createContainer(config);
  await engine.startContainer(id, within());
  return id;
}

async function bytes(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

interface Outcome {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly exitCode: number | null;
  readonly outputHeld: boolean;
}

async function outcome(session: ExecSession): Promise<Outcome> {
  const [stdout, stderr, exit] = await Promise.all([bytes(session.stdout), bytes(session.stderr), session.exited]);
  return { stdout, stderr, ...exit };
}

async function execute(argv: string[], spec: Partial<ExecSpec> = {}): Promise<Outcome> {
  return outcome(await engine.exec({ containerId: container, argv, signal: within(), ...spec }));
}

async function tarOf(files: Record<string, { body: Buffer | string; mode?: number }>): Promise<Buffer> {
  const stream = pack();
  for (const [name, { body, mode = 0o644 }] of Object.entries(files)) stream.entry({ name, mode }, body);
  stream.finalize();
  return bytes(stream as unknown as AsyncIterable<Uint8Array>);
}

beforeAll(async () => {
  engine = createDockerEngine({ dockerHost: engineHost(), clock: systemClock, logger: silentLogger });
  container = await started({
    HostConfig: { Tmpfs: { '/tmpfs': '', '/noexec': 'noexec' } },
  });
});

afterAll(async () => {
  for (const id of made) await engine.removeContainer(id, { volumes: true, force: true, signal: within() });
  await engine.close();
});

describe('the engine adapter on a real engine', () => {
  test('negotiates and tells what engine it is', async () => {
    const info = await engine.info(within());
    expect(info).toMatchObject({ operatingSystem: 'linux', apiVersion: expect.stringMatching(/^1\.\d+$/) });
    expect(info.version).not.toBe('');
    expect(await engine.address(within())).toBe(engineHost());
  });

  test('lists by label, with the states before, during and after a run', async () => {
    const label = `agentcontainers.list=${run}`;
    const Labels = { 'agentcontainers.test': run, 'agentcontainers.list': run };
    const volume = { Target: '/v', Type: 'volume', Source: `engine-test-${run}` };
    const id = await createContainer({
      Labels,
      Cmd: ['sh', '-c', 'exit 3'],
      ExposedPorts: { '9/udp': {}, '80/tcp': {} },
      HostConfig: { Mounts: [volume] },
    });
    const list = () => engine.listContainers({ labels: [label, 'agentcontainers.test'], signal: within() });

    const [created] = await list();
    expect(created).toMatchObject({ id, state: 'created', status: 'created', running: false, labels: Labels });
    expect(created?.mounts).toEqual([{ type: 'volume', source: volume.Source, destination: '/v', writable: true }]);
    expect(Math.abs((created?.createdAt ?? 0) - Date.now())).toBeLessThan(120_000);

    await engine.startContainer(id, within());
    await api('POST', `/containers/${id}/wait`);
    const [exited] = await list();
    expect(exited).toMatchObject({ state: 'exited', status: 'exited with code 3', running: false });
    expect(await engine.inspectContainer(id, within())).toMatchObject({ exitCode: 3, status: 'exited with code 3' });

    expect(await engine.listContainers({ labels: [label, 'no-such-label'], signal: within() })).toEqual([]);
    await engine.removeContainer(id, { volumes: true, force: true, signal: within() });
    await api('DELETE', `/volumes/${volume.Source}`);
  });

  test('inspects a running container and the platform of its image', async () => {
    const details = await engine.inspectContainer(container, within());
    expect(details).toMatchObject({ id: container, running: true, status: 'running', error: '' });
    expect(Math.abs((details.startedAt ?? 0) - Date.now())).toBeLessThan(120_000);
    const platform = await engine.imagePlatform(details.imageId, within());
    expect(platform.operatingSystem).toBe('linux');
    expect(await engine.imagePlatform(details.image, within())).toEqual(platform);
  });

  test('says which object is missing', async () => {
    await expect(engine.inspectContainer('no-such-container', within())).rejects.toMatchObject({
      code: 'engine-object-not-found',
      message: expect.stringMatching(/no such container/i),
    });
    await expect(engine.imagePlatform('no/such:image', within())).rejects.toMatchObject({
      code: 'engine-object-not-found',
    });
    await expect(engine.exec({ containerId: 'no-such-container', argv: ['true'] })).rejects.toMatchObject({
      code: 'engine-object-not-found',
    });
  });

  test('start, stop and remove succeed when there is nothing left to do', async () => {
    const id = await started();
    await engine.startContainer(id, within());
    await engine.stopContainer(id, { graceSeconds: 1, signal: within() });
    await engine.stopContainer(id, { graceSeconds: 1, signal: within() });
    const options = { volumes: true, force: false, signal: within() };
    await engine.removeContainer(id, options);
    await engine.removeContainer(id, options);
    await engine.stopContainer(id, { graceSeconds: 1, signal: within() });
    await expect(engine.startContainer(id, within())).rejects.toMatchObject({ code: 'engine-object-not-found' });
  });

  test('removing a running container without force is a conflict', async () => {
    const removal = engine.removeContainer(container, { volumes: false, force: false, signal: within() });
    await expect(removal).rejects.toMatchObject({ code: 'engine-conflict' });
  });

  test('a name is free again right after its removal, thirty times in a row, with several removing at once', async () => {
    const name = `engine-test-loop-${run}`;
    for (let round = 0; round < 30; round++) {
      const id = await createContainer({}, name);
      const remove = () => engine.removeContainer(id, { volumes: true, force: true, signal: within() });
      await Promise.all([remove(), remove(), remove()]);
    }
  });

  test('removes unused networks with a label and leaves those in use alone', async () => {
    const label = `agentcontainers.net=${run}`;
    const Labels = { 'agentcontainers.net': run };
    const names = [`engine-test-a-${run}`, `engine-test-b-${run}`];
    for (const Name of names) await api('POST', '/networks/create', { Name, Labels, Internal: true });
    const user = await started({ HostConfig: { NetworkMode: names[0] } });
    const left = async () => {
      const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
      return ((await api('GET', `/networks?filters=${filters}`)) as { Name: string }[]).map(({ Name }) => Name);
    };
    await engine.removeNetworks({ labels: [label], signal: within() });
    expect(await left()).toEqual([names[0]]);
    await engine.removeContainer(user, { volumes: true, force: true, signal: within() });
    await engine.removeNetworks({ labels: [label], signal: within() });
    expect(await left()).toEqual([]);
  });
});

describe('exec on a real engine', () => {
  test('keeps the two outputs apart and gives the exit code', async () => {
    const result = await execute(['sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect(result).toMatchObject({ exitCode: 7, outputHeld: false });
    expect(String(result.stdout)).toBe('out\n');
    expect(String(result.stderr)).toBe('err\n');
  });

  test('runs as the user, in the directory and with the environment that were given', async () => {
    const script = 'id -u; pwd; echo "$SECRET"';
    const result = await execute(['sh', '-c', script], { user: 'dev', workingDir: '/tmp', env: ['SECRET=a b=c\n"'] });
    expect(String(result.stdout)).toBe('1000\n/tmp\na b=c\n"\n');
  });

  test('10 MiB of standard input arrive whole, and its end is seen', async () => {
    const session = await engine.exec({ containerId: container, argv: ['wc', '-c'], stdin: true, signal: within() });
    const done = outcome(session);
    const piece = Buffer.alloc(1024 * 1024, 7);
    for (let sent = 0; sent < 10; sent++) await session.write(piece);
    session.closeStdin();
    const result = await done;
    expect(String(result.stdout).trim()).toBe(String(10 * piece.length));
    expect(result).toMatchObject({ exitCode: 0, outputHeld: false });
  });

  test('half-closing standard input leaves the output that follows whole', async () => {
    const argv = ['sh', '-c', 'cat >/dev/null; sleep 1; head -c 3000000 /dev/zero; echo end >&2'];
    const session = await engine.exec({ containerId: container, argv, stdin: true, signal: within() });
    session.closeStdin();
    const result = await outcome(session);
    expect(result.stdout.length).toBe(3_000_000);
    expect(String(result.stderr)).toBe('end\n');
  });

  test('binary output comes through unchanged, also to a slow reader', async () => {
    const content = randomBytes(6 * 1024 * 1024);
    const session = await engine.exec({ containerId: container, argv: ['cat'], stdin: true, signal: within() });
    const hash = createHash('sha256');
    const reading = (async () => {
      let size = 0;
      let next = 0;
      for await (const chunk of session.stdout) {
        hash.update(chunk);
        size += chunk.length;
        if (size < next) continue;
        next = size + 1024 * 1024;
        // Gives the connection several turns in which it must stay paused.
        for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
      }
      return size;
    })();
    await session.write(content);
    session.closeStdin();
    expect(await reading).toBe(content.length);
    expect(hash.digest('hex')).toBe(createHash('sha256').update(content).digest('hex'));
    expect(await session.exited).toEqual({ exitCode: 0, outputHeld: false });
  });

  // Fact 8.
  test('settles soon after the command although a child of it holds its output', async () => {
    // In a container of its own: until the engine gives up on the output, it does not notice other exits there.
    const containerId = await started();
    const begun = performance.now();
    const result = await execute(['sh', '-c', 'sleep 6 & echo done'], { containerId });
    expect(String(result.stdout)).toBe('done\n');
    expect(result).toMatchObject({ exitCode: 0, outputHeld: engineFeatures().holdsExecOutput });
    expect(performance.now() - begun).toBeLessThan(4_000);
  });

  test('a command that ends while nobody closes its standard input has ended', async () => {
    const result = await execute(['sh', '-c', 'sleep 0.4; exit 5'], { stdin: true });
    expect(result).toMatchObject({ exitCode: 5 });
  });

  // Fact 9.
  test.each([
    { what: 'a missing program', argv: ['/no/such/program'], reason: 'no such file or directory' },
    { what: 'an unknown user', argv: ['true'], user: 'nobody-here', reason: 'unable to find user nobody-here' },
    { what: 'a missing directory', argv: ['true'], workingDir: '/no/such/dir', reason: 'no such file or directory' },
  ])('$what is an error of the start, not an exit', async ({ reason, ...spec }) => {
    const session = await engine.exec({ containerId: container, signal: within(), ...spec });
    const error: unknown = await session.exited.catch((thrown: unknown) => thrown);
    expect(isAgentContainersError(error, 'engine-request-failed')).toBe(true);
    expect(error).toMatchObject({ message: expect.stringContaining(reason), details: { exitCode: NOT_STARTED } });
    expect((error as Error).message).toMatch(/^Starting "[^"]+" in container [0-9a-f]{12} failed: [^\n]+\.$/);
  });

  test('a command that itself exits with 126 or 127 has an exit', async () => {
    expect(await execute(['sh', '-c', 'echo no; exit 126'])).toMatchObject({ exitCode: 126 });
    expect(await execute(['sh', '-c', 'no-such-command'])).toMatchObject({ exitCode: 127 });
    expect(await execute(['sh', '-c', String.raw`printf 'gone\r\n'; exit 127`])).toMatchObject({ exitCode: 127 });
  });

  // Fact 7.
  test('closing a session ends it at once and leaves its process running', async () => {
    const session = await engine.exec({ containerId: container, argv: ['sleep', '4217'] });
    const controller = new AbortController();
    const aborted = await engine.exec({ containerId: container, argv: ['sleep', '4218'], signal: controller.signal });
    session.close();
    controller.abort();
    expect(await session.exited).toEqual({ exitCode: null, outputHeld: false });
    expect(await aborted.exited).toEqual({ exitCode: null, outputHeld: false });
    expect(await bytes(session.stdout)).toHaveLength(0);
    // The engine has answered before it starts them.
    await eventually('both processes', async () => {
      const { stdout } = await execute(['ps', '-o', 'args']);
      return ['sleep 4217', 'sleep 4218'].every((args) => String(stdout).includes(args));
    });
  });

  test('a session ends when its container is removed', async () => {
    const id = await started();
    const session = await engine.exec({ containerId: id, argv: ['sh', '-c', 'echo up; sleep 600'] });
    await session.stdout[Symbol.asyncIterator]().next();
    await engine.removeContainer(id, { volumes: true, force: true, signal: within() });
    const exit = await session.exited;
    expect([null, 137]).toContain(exit.exitCode);
  });

  // Fact 10.
  test('values of the environment are in no event and not in the inspection of an exec', async () => {
    const secret = `secret-${randomUUID()}`;
    const since = Math.floor(Date.now() / 1000) - 1;
    const session = await engine.exec({ containerId: container, argv: ['env'], env: [`TOKEN=${secret}`] });
    const { stdout } = await outcome(session);
    expect(String(stdout)).toContain(secret);
    const inspected = JSON.stringify(await api('GET', `/exec/${session.id}/json`));
    const events = await eventsSince(testEngine().docker, since);
    expect(inspected).toContain('env');
    expect(events).toContain(engineFeatures().eventsTellExecs ? 'exec_start: env' : '"Action":"exec"');
    expect(inspected + events).not.toContain(secret);
  });
});

describe('archives on a real engine', () => {
  const put = async (path: string, files: Parameters<typeof tarOf>[0], id = container) =>
    engine.putArchive(id, path, await tarOf(files), within());

  test('what is put in is found with its mode, from a buffer or a stream', async () => {
    const tar = await tarOf({ 'put/a.sh': { body: '#!/bin/sh\necho ran\n', mode: 0o4755 } });
    async function* pieces() {
      for (let at = 0; at < tar.length; at += 100) yield tar.subarray(at, at + 100);
    }
    await engine.putArchive(container, '/', tar, within());
    expect(await engine.statPath(container, '/put/a.sh', within())).toEqual({
      name: 'a.sh',
      size: 19,
      mode: 0o4755,
      isDirectory: false,
    });
    expect(await engine.statPath(container, '/put', within())).toMatchObject({ isDirectory: true });
    await engine.putArchive(container, '/tmp', pieces(), within());
    expect(String((await execute(['/tmp/put/a.sh'])).stdout)).toBe('ran\n');
  });

  test('a missing path is undefined, a missing container an error', async () => {
    expect(await engine.statPath(container, '/no/such', within())).toBeUndefined();
    await expect(engine.statPath('no-such-container', '/', within())).rejects.toMatchObject({
      code: 'engine-object-not-found',
    });
  });

  test('works on a container that never ran', async () => {
    const id = await createContainer();
    await put('/tmp', { 'early.txt': { body: 'early' } }, id);
    expect(await engine.statPath(id, '/tmp/early.txt', within())).toMatchObject({ size: 5 });
  });

  test('a large archive for a container that is gone is refused with the reason', async () => {
    const tar = await tarOf({ big: { body: Buffer.alloc(8 * 1024 * 1024) } });
    await expect(engine.putArchive('no-such-container', '/', tar, within())).rejects.toMatchObject({
      code: 'engine-object-not-found',
    });
  });

  // Fact 6.
  test('an archive put on a tmpfs is accepted, and visible inside only where uploads reach mounts', async () => {
    await put('/tmpfs', { 'lost.txt': { body: 'x' } });
    const { exitCode } = await execute(['test', '-e', '/tmpfs/lost.txt']);
    expect(exitCode).toBe(engineFeatures().uploadReachesMounts ? 0 : 1);
  });

  test('a read-only root refuses an archive, and a volume below it takes it', async () => {
    const id = await started({
      HostConfig: { ReadonlyRootfs: true, Mounts: [{ Type: 'volume', Target: '/volume' }] },
    });
    await expect(put('/', { 'no.txt': { body: 'x' } }, id)).rejects.toMatchObject({
      code: 'engine-request-failed',
      message: expect.stringMatching(/marked read-only|read-only file system/),
    });
    await put('/volume', { 'yes.txt': { body: 'x' } }, id);
    expect(await engine.statPath(id, '/volume/yes.txt', within())).toMatchObject({ size: 1 });
  });

  test('a program on a noexec mount cannot be started', async () => {
    const session = await engine.exec({
      containerId: container,
      argv: ['sh', '-c', 'cat >/noexec/p && chmod 755 /noexec/p'],
      stdin: true,
      signal: within(),
    });
    await session.write('#!/bin/sh\n');
    session.closeStdin();
    expect(await session.exited).toMatchObject({ exitCode: 0 });
    const start = await engine.exec({ containerId: container, argv: ['/noexec/p'], signal: within() });
    await expect(start.exited).rejects.toMatchObject({
      message: expect.stringContaining('permission denied'),
      details: { exitCode: NOT_STARTED },
    });
  });
});

describe('events and logs on a real engine', () => {
  // Fact 16 (headers) is covered with a server that withholds them.
  test('events since a time are replayed, then followed, without those of execs', async () => {
    const since = Date.now() - 2_000;
    const id = await createContainer({ Labels: { 'agentcontainers.test': run, flavour: 'früh' } });
    await engine.startContainer(id, within());
    expect(await outcome(await engine.exec({ containerId: id, argv: ['true'] }))).toMatchObject({ exitCode: 0 });

    const controller = new AbortController();
    const seen: string[] = [];
    for await (const event of engine.events({ since, signal: AbortSignal.any([controller.signal, within()]) })) {
      if (event.subjectId !== id) continue;
      seen.push(event.action);
      expect(event.labels['flavour']).toBe('früh');
      expect(Math.abs(event.at - Date.now())).toBeLessThan(120_000);
      if (event.action === 'start') void engine.removeContainer(id, { volumes: true, force: true, signal: within() });
      if (event.action === 'destroy') break;
    }
    // Podman tells of a stop as well, at times.
    expect(seen.filter((action) => action !== 'stop')).toEqual(['create', 'start', 'die', 'destroy']);
    controller.abort();
  });

  test('an aborted event stream throws the reason that was given', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const events = engine.events({ since: Date.now(), signal: controller.signal })[Symbol.asyncIterator]();
    const next = events.next();
    controller.abort(reason);
    await expect(next).rejects.toMatchObject({ code: 'cancelled', cause: reason });
  });

  test.each([{ Tty: false }, { Tty: true }])('gives the end of a container log, terminal: $Tty', async ({ Tty }) => {
    const id = await started({ Tty, Cmd: ['sh', '-c', 'for i in 1 2 3 4 5; do echo line $i; done'] });
    await api('POST', `/containers/${id}/wait`);
    const text = await engine.containerLogTail(id, 2, within());
    expect(text.replaceAll('\r', '')).toBe('line 4\nline 5\n');
  });
});
