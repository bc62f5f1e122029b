import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import type { EngineEvent, ExecSession } from '../agentcontainers/ports.ts';
import { createFakeClock, FAKE_CLOCK_START } from './fake-clock.ts';
import { createFakeEngine } from './fake-engine.ts';
import type { FakeEngine } from './fake-engine.ts';

const signal = new AbortController().signal;

function setUp() {
  const clock = createFakeClock();
  return { clock, engine: createFakeEngine({ clock }) };
}

const list = (engine: FakeEngine, ...labels: string[]) => engine.listContainers({ labels, signal });

async function text(stream: AsyncIterable<Uint8Array>): Promise<string> {
  let all = '';
  for await (const chunk of stream) all += Buffer.from(chunk).toString();
  return all;
}

function collectEvents(engine: FakeEngine, since = 0) {
  const abort = new AbortController();
  const events: EngineEvent[] = [];
  const ended = (async () => {
    for await (const event of engine.events({ since, signal: abort.signal })) events.push(event);
  })();
  return { abort, ended, actions: () => events.map(({ action }) => action), events };
}

describe('containers of a fake engine', () => {
  it('are listed by labels, newest first, with a bind mount that leads to their folder', async () => {
    const { engine } = setUp();
    engine.addContainer({ workspaceFolder: '/src/app', name: 'app' });
    engine.addContainer({
      labels: { 'devcontainer.local_folder': '/src/web' },
      name: 'web',
      state: 'exited',
      exitCode: 3,
    });
    expect((await list(engine)).map(({ name }) => name)).toEqual(['web', 'app']);
    const [app, ...others] = await list(engine, 'devcontainer.config_file', 'devcontainer.local_folder=/src/app');
    expect(others).toEqual([]);
    expect(app).toMatchObject({
      running: true,
      status: 'running',
      labels: { 'devcontainer.config_file': '/src/app/.devcontainer/devcontainer.json' },
      mounts: [{ type: 'bind', source: '/src/app', destination: '/workspaces/app', writable: true }],
    });
    expect((await list(engine))[0]).toMatchObject({ running: false, status: 'exited with code 3' });
  });

  it('are listed as by a real engine: in whole seconds, without error text and without the start of their run', async () => {
    const { engine, clock } = setUp();
    await clock.advance(1_234);
    const { id } = engine.addContainer({ state: 'exited', exitCode: 1, error: 'no such shell' });
    const [listed] = await list(engine);
    expect(listed).toMatchObject({ createdAt: FAKE_CLOCK_START + 1_000, status: 'exited with code 1' });
    expect(listed).not.toHaveProperty('startedAt');
    expect(await engine.inspectContainer(id, signal)).toMatchObject({
      createdAt: FAKE_CLOCK_START + 1_234,
      startedAt: FAKE_CLOCK_START + 1_234,
      status: 'exited with code 1: no such shell',
    });
  });

  it('start, stop, crash and go, by hand and through the port', async () => {
    const { engine, clock } = setUp();
    const { id } = engine.addContainer({ name: 'app' });
    await clock.advance(10);
    engine.restart('app');
    expect(await engine.inspectContainer(id, signal)).toMatchObject({ running: true, startedAt: clock.now() });
    engine.crash('app', { oomKilled: true });
    expect(await engine.inspectContainer('app', signal)).toMatchObject({
      exitCode: 137,
      oomKilled: true,
      running: false,
    });
    await engine.startContainer(id, signal);
    await engine.startContainer(id, signal);
    expect(engine.container(id)).toMatchObject({ state: 'running' });
    await expect(engine.removeContainer(id, { volumes: false, force: false, signal })).rejects.toMatchObject({
      code: 'engine-conflict',
    });
    await engine.stopContainer(id, { graceSeconds: 10, signal });
    await engine.stopContainer(id, { graceSeconds: 10, signal });
    await engine.removeContainer(id, { volumes: false, force: false, signal });
    await engine.removeContainer(id, { volumes: false, force: false, signal });
    await engine.stopContainer(id, { graceSeconds: 10, signal });
    await expect(engine.inspectContainer(id, signal)).rejects.toMatchObject({ code: 'engine-object-not-found' });
    expect(engine.calls).toMatchObject({ startContainer: 2, stopContainer: 3, removeContainer: 3 });
  });

  it('are found by a beginning of the id that is unique', () => {
    const { engine } = setUp();
    const first = engine.addContainer();
    engine.addContainer();
    expect(engine.container(first.id.slice(0, 4)).id).toBe(first.id);
    expect(() => engine.container('000')).toThrow('there is none');
    expect(() => engine.addContainer({ id: first.id })).toThrow('taken');
  });
});

describe('events of a fake engine', () => {
  it('are replayed from `since` on and then delivered live', async () => {
    const { engine, clock } = setUp();
    engine.addContainer({ name: 'old', state: 'created' });
    await clock.advance(1_000);
    const since = clock.now();
    engine.addContainer({ name: 'app', labels: { a: 'b' } });
    const stream = collectEvents(engine, since);
    await clock.settle();
    engine.stop('app');
    await clock.settle();
    expect(stream.actions()).toEqual(['create', 'start', 'kill', 'die', 'stop']);
    expect(stream.events[0]).toMatchObject({ at: since, labels: { a: 'b' }, subjectId: engine.container('app').id });
    stream.abort.abort(new Error('bye'));
    await expect(stream.ended).rejects.toThrow('bye');
    expect(engine.openEventStreams).toBe(0);
  });

  it('can be cut, with or without an error', async () => {
    const { engine, clock } = setUp();
    const ended = collectEvents(engine);
    await clock.settle();
    expect(engine.leaks()).toEqual(['an event stream of the engine is open']);
    engine.cutEvents();
    await ended.ended;
    const broken = collectEvents(engine);
    await clock.settle();
    engine.cutEvents(new Error('connection reset'));
    await expect(broken.ended).rejects.toThrow('connection reset');
    expect(engine.leaks()).toEqual([]);
  });

  it('fall silent when frozen, and what was missed can only be replayed', async () => {
    const { engine, clock } = setUp();
    const stream = collectEvents(engine);
    await clock.settle();
    engine.freezeEvents();
    engine.addContainer({ name: 'app' });
    engine.thawEvents();
    engine.remove('app');
    const second = collectEvents(engine);
    await clock.settle();
    expect(stream.actions()).toEqual(['kill', 'die', 'destroy']);
    expect(second.actions()).toEqual(['create', 'start', 'kill', 'die', 'destroy']);
    engine.cutEvents();
    await Promise.all([stream.ended, second.ended]);
  });
});

describe('images of a fake engine', () => {
  it('are there for each container that a test adds, and can be added with what they are', async () => {
    const { engine } = setUp();
    const { imageId } = engine.addContainer({ name: 'app' });
    expect(await engine.inspectImage('agentcontainers-base:1', signal)).toEqual({
      id: imageId,
      labels: {},
      platform: { operatingSystem: 'linux', architecture: 'amd64' },
    });
    expect(await engine.inspectImage('nothing:1', signal)).toBeUndefined();
    const platform = { operatingSystem: 'linux', architecture: 'arm', variant: 'v7' };
    const { id } = engine.addImage('tools', { labels: { a: '1' }, platform });
    for (const name of ['tools', 'tools:latest', id, id.slice(0, 'sha256:'.length + 12)]) {
      expect(await engine.inspectImage(name, signal)).toEqual({ id, labels: { a: '1' }, platform });
    }
    expect(engine.addContainer({ name: 'other', image: 'tools' }).imageId).toBe(id);
    expect(await engine.listImages({ labels: ['a=1'], signal })).toEqual([id]);
  });

  it('a reference that moves to another image says so, and the container keeps its image', async () => {
    const { engine, clock } = setUp();
    const { imageId } = engine.addContainer({ name: 'app' });
    await clock.advance(1_000);
    const events = collectEvents(engine, clock.now());
    const { id } = engine.addImage('agentcontainers-base:1');
    engine.addImage('agentcontainers-base:1', { id });
    await clock.settle();
    expect(id).not.toBe(imageId);
    expect(events.events.map(({ type, action, subjectId }) => [type, action, subjectId])).toEqual([
      ['image', 'untag', imageId],
      ['image', 'tag', id],
    ]);
    expect(await engine.inspectImage('agentcontainers-base:1', signal)).toMatchObject({ id });
    expect(engine.container('app').imageId).toBe(imageId);
    expect(engine.images.map(({ references }) => references)).toEqual([[], ['agentcontainers-base:1']]);
    engine.dropImage('agentcontainers-base:1');
    expect(await engine.inspectImage('agentcontainers-base:1', signal)).toBeUndefined();
    engine.cutEvents();
    await events.ended;
  });

  it('are made from containers and removed when nothing uses them', async () => {
    const { engine } = setUp();
    const labels = { project: 'p' };
    const mounts = [{ type: 'volume', source: 'data', destination: '/data', writable: true }];
    const old = engine.addContainer({ name: 'app', labels, mounts, env: ['A=1'] });
    engine.addFile('app', '/etc/written', 'by hand');
    const blueprint = await engine.describeContainer(old.id, signal);
    const image = await engine.commitContainer(old.id, { labels: { swap: '1' } }, signal);
    expect(await engine.inspectImage(image, signal)).toMatchObject({ labels: { project: 'p', swap: '1' } });
    await expect(engine.createContainer(blueprint, image, signal)).rejects.toMatchObject({ code: 'engine-conflict' });
    await engine.removeContainer(old.id, { volumes: false, force: true, signal });
    const id = await engine.createContainer(blueprint, image, signal);
    expect(await engine.createContainer(blueprint, image, signal)).toBe(id);
    expect(id).not.toBe(old.id);
    expect(await engine.inspectContainer(id, signal)).toMatchObject({
      name: 'app',
      state: 'created',
      imageId: image,
      labels,
      mounts,
      env: ['A=1'],
    });
    expect(await engine.statPath(id, '/etc/written', signal)).toMatchObject({ size: 7 });
    await engine.removeImage(image, signal);
    expect(await engine.inspectImage(image, signal)).toBeDefined();
    engine.remove('app');
    await engine.removeImage(image, signal);
    await engine.removeImage(image, signal);
    expect(await engine.inspectImage(image, signal)).toBeUndefined();
    await expect(engine.createContainer(blueprint, image, signal)).rejects.toMatchObject({
      code: 'engine-object-not-found',
    });
    await expect(engine.createContainer('{}', image, signal)).rejects.toMatchObject({ code: 'state-unreadable' });
  });
});

describe('names and volumes of a fake engine', () => {
  it('containers are renamed, but not to a name that is taken', async () => {
    const { engine } = setUp();
    const { id } = engine.addContainer({ name: 'app' });
    engine.addContainer({ name: 'other' });
    await engine.renameContainer(id, 'app', signal);
    await engine.renameContainer(id, 'app-old', signal);
    expect(engine.container('app-old').id).toBe(id);
    await expect(engine.renameContainer(id, 'other', signal)).rejects.toMatchObject({ code: 'engine-conflict' });
    await expect(engine.renameContainer('gone', 'x', signal)).rejects.toMatchObject({
      code: 'engine-object-not-found',
    });
  });

  it('volumes are there with their containers; those without a name go with them, others by name', async () => {
    const { engine } = setUp();
    const hash = 'e'.repeat(64);
    const mounts = [hash, 'data'].map((source) => ({ type: 'volume', source, destination: '/v', writable: true }));
    engine.addContainer({ name: 'app', mounts });
    engine.addVolume('labelled', { a: '1' });
    expect(await engine.listVolumes({ labels: ['a'], signal })).toEqual(['labelled']);
    expect(await engine.removeVolume('data', signal)).toBe(false);
    await engine.removeContainer('app', { volumes: true, force: true, signal });
    expect(engine.volumes).toEqual(['data', 'labelled']);
    expect(await engine.removeVolume('data', signal)).toBe(true);
    expect(await engine.removeVolume('data', signal)).toBe(true);
    engine.addNetwork('net', { a: '1' });
    expect(await engine.listNetworks({ labels: ['a=1'], signal })).toEqual(['net']);
  });
});

describe('a fake engine that is down', () => {
  it('refuses every call and breaks its streams until it comes back', async () => {
    const { engine, clock } = setUp();
    const stream = collectEvents(engine);
    await clock.settle();
    engine.goDown();
    await expect(stream.ended).rejects.toMatchObject({ code: 'engine-unreachable' });
    await expect(list(engine)).rejects.toMatchObject({ code: 'engine-unreachable' });
    await expect(collectEvents(engine).ended).rejects.toMatchObject({ code: 'engine-unreachable' });
    engine.comeBack();
    expect(await list(engine)).toEqual([]);
    expect(await engine.info(signal)).toMatchObject({ name: 'docker' });
  });
});

describe('commands in a fake engine', () => {
  async function run(engine: FakeEngine, argv: string[], more: { stdin?: boolean; signal?: AbortSignal } = {}) {
    return await engine.exec({ containerId: 'app', argv, ...more });
  }

  it('must be scripted, else they throw their argv and fail the leak check', async () => {
    const { engine } = setUp();
    engine.addContainer({ name: 'app' });
    await expect(run(engine, ['uname', '-m'])).rejects.toThrow('Unscripted call: engine.exec ["uname","-m"]');
    expect(engine.leaks()).toEqual(['Unscripted call: engine.exec ["uname","-m"]']);
  });

  it('print and end as scripted; the script given last wins', async () => {
    const { engine } = setUp();
    engine.addContainer({ name: 'app' });
    engine.onExec(['uname'], { stdout: 'riscv\n' });
    engine.onExec(/uname -m$/, { stdout: 'x86_64\n', stderr: 'warned', exitCode: 4 });
    const session = await run(engine, ['uname', '-m']);
    expect(await text(session.stdout)).toBe('x86_64\n');
    expect(await text(session.stderr)).toBe('warned');
    expect(await session.exited).toEqual({ exitCode: 4, outputHeld: false });
    expect(await text((await run(engine, ['uname'])).stdout)).toBe('riscv\n');
    expect(engine.leaks()).toEqual([]);
  });

  it('can be played by a function that reads standard input', async () => {
    const { engine } = setUp();
    engine.addContainer({ name: 'app' });
    engine.onExec(
      ({ argv }) => argv[0] === 'cat',
      async (exec) => {
        for await (const piece of exec.stdin) exec.stdout(piece.toUpperCase());
        return 0;
      },
    );
    const session = await run(engine, ['cat'], { stdin: true });
    await session.write('hello ');
    await session.write(Buffer.from('world'));
    session.closeStdin();
    expect(await text(session.stdout)).toBe('HELLO WORLD');
    await expect(session.write('more')).rejects.toThrow('it has ended');
    await expect((await run(engine, ['cat'])).write('x')).rejects.toThrow('was not asked for');
  });

  const waitForever = (exec: { signal: AbortSignal }) =>
    new Promise<number>((_resolve, reject) => {
      exec.signal.addEventListener('abort', () => reject(exec.signal.reason as Error));
    });

  it('end with their container, their signal or their session', async () => {
    const { engine, clock } = setUp();
    engine.addContainer({ name: 'app' });
    engine.onExec(['sleep'], waitForever);
    const abort = new AbortController();
    const sessions: ExecSession[] = [];
    for (const more of [{}, { signal: abort.signal }, {}]) sessions.push(await run(engine, ['sleep'], more));
    expect(engine.openExecs).toHaveLength(3);
    expect(engine.leaks()[0]).toBe('`sleep` is running in a container');
    sessions[0]?.close();
    abort.abort();
    engine.stop('app');
    const exits = await Promise.all(sessions.map(({ exited }) => exited));
    expect(exits.map(({ exitCode }) => exitCode)).toEqual([null, null, 137]);
    await clock.settle();
    expect(engine.leaks()).toEqual([]);
    await expect(run(engine, ['sleep'])).rejects.toMatchObject({ code: 'engine-conflict' });
  });

  it('report a script that throws', async () => {
    const { engine } = setUp();
    engine.addContainer({ name: 'app' });
    engine.onExec(['x'], () => {
      throw new Error('bug');
    });
    const session = await run(engine, ['x']);
    expect(await session.exited).toEqual({ exitCode: null, outputHeld: false });
    expect(engine.leaks()).toEqual(['The script of `x` threw: Error: bug']);
  });
});

describe('files of a fake engine', () => {
  it('come by archive with mode and owner, and are seen by stat', async () => {
    const { engine } = setUp();
    engine.addContainer({ name: 'app', state: 'exited' });
    const tar = pack();
    tar.entry({ name: '.agentcontainers/', type: 'directory', mode: 0o755 });
    tar.entry({ name: '.agentcontainers/agent', mode: 0o755, uid: 0, gid: 7 }, '#!/bin/sh\n');
    tar.finalize();
    await engine.putArchive('app', '/', tar as unknown as AsyncIterable<Uint8Array>, signal);
    expect(await engine.statPath('app', '/.agentcontainers/agent', signal)).toEqual({
      name: 'agent',
      size: 10,
      mode: 0o755,
      isDirectory: false,
    });
    expect(await engine.statPath('app', '/.agentcontainers', signal)).toMatchObject({ isDirectory: true });
    expect(await engine.statPath('app', '/nothing', signal)).toBeUndefined();
    expect(engine.files('app').get('/.agentcontainers/agent')).toMatchObject({ gid: 7 });
    await expect(engine.putArchive('app', '/missing', new Uint8Array(), signal)).rejects.toMatchObject({
      code: 'engine-object-not-found',
    });
    engine.addFile('app', '/etc/hostname', 'box');
    expect(await engine.statPath('app', '/etc/hostname', signal)).toMatchObject({ size: 3 });
  });

  it('know platforms of images, networks and log tails that a test gave', async () => {
    const { engine } = setUp();
    engine.addContainer({ name: 'app', image: 'one' });
    engine.setPlatform('two', { operatingSystem: 'linux', architecture: 'arm64' });
    expect(await engine.imagePlatform('one', signal)).toMatchObject({ architecture: 'amd64' });
    expect(await engine.imagePlatform('two', signal)).toMatchObject({ architecture: 'arm64' });
    await expect(engine.imagePlatform('three', signal)).rejects.toMatchObject({ code: 'engine-object-not-found' });
    engine.addNetwork('app_default', { project: 'app' });
    engine.addNetwork('other', { project: 'other' });
    await engine.removeNetworks({ labels: ['project=app'], signal });
    expect(engine.networks).toEqual(['other']);
    await expect(engine.containerLogTail('app', 1, signal)).rejects.toThrow('Unscripted call: engine.containerLogTail');
    engine.setLogTail('app', 'a\nb\nc');
    expect(await engine.containerLogTail('app', 2, signal)).toBe('b\nc');
  });
});
