import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SubAgentBinary } from '../agentcontainers/ports.ts';
import { AgentContainersError } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import type { FakeClock } from '../testing/fake-clock.ts';
import type { ContainerSeed } from '../testing/build-container.ts';
import { createFakeEngine } from '../testing/fake-engine.ts';
import type { FakeEngine } from '../testing/fake-engine.ts';
import { createRecordingLogger } from '../testing/recording-logger.ts';
import type { RecordingLogger } from '../testing/recording-logger.ts';
import { createSubAgentLauncher } from './launcher.ts';

const CONTENT = '#!/bin/sh\necho agent 1.2.3\n';
const { signal } = new AbortController();

let folder: string;
let store: string;
let binary: SubAgentBinary;
let fileName: string;
let clock: FakeClock;
let engine: FakeEngine;
let logger: RecordingLogger;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ac-mounted-'));
  store = join(folder, 'sub-agents');
  const path = join(folder, 'agent');
  await writeFile(path, CONTENT);
  const sha256 = createHash('sha256').update(CONTENT).digest('hex');
  binary = { name: 'agent', path, sha256 };
  fileName = `agent-${sha256.slice(0, 12)}`;
  // Later than the directory of the real file system.
  clock = createFakeClock({ start: Date.now() + 3_600_000 });
  engine = createFakeEngine({ clock });
  logger = createRecordingLogger();
});
afterEach(async () => {
  expect(engine.leaks()).toEqual([]);
  expect(clock.pending()).toEqual([]);
  await rm(folder, { recursive: true });
});

const launcher = (more: Partial<Parameters<typeof createSubAgentLauncher>[0]> = {}) =>
  createSubAgentLauncher({ engine, clock, logger, storeDirectory: store, ...more });
const deliver = (containerId: string, on = launcher(), user = 'dev') =>
  on.deliver({ containerId, binary, user, signal });

/** A container with a mount at our place. The fake engine's files stand for what the engine says of it. */
function container(mount: { source?: string; writable?: boolean; type?: string } = {}, seed: ContainerSeed = {}) {
  const { source = store, writable = false, type = 'bind' } = mount;
  const mounts = [{ type, source, destination: '/.agentcontainers', writable }];
  const { id } = engine.addContainer({ mounts, ...seed });
  engine.addFile(id, '/bin/sh', 'shell', 0o755);
  return id;
}
const seesStore = (id: string) => engine.addFile(id, `/.agentcontainers/${fileName}`, CONTENT, 0o755);
/** Answers of the version call by where it is made; default: it runs. */
function versionCall(inside: 'runs' | 'refused' = 'runs', copied: 'runs' | 'refused' = 'runs') {
  const answer = (how: string) => (how === 'runs' ? { stdout: 'agent 1.2.3\n' } : { stderr: 'denied', exitCode: 126 });
  engine.onExec([`/.agentcontainers/${fileName}`, '--version'], answer(inside));
  engine.onExec([`/.agentcontainers-root/${fileName}`, '--version'], answer(copied));
}
const told = () => logger.messages('info');

describe('what is mounted into new containers', () => {
  it('is the store, which everybody can read', async () => {
    expect(await launcher().readOnlyMount(signal)).toEqual({ source: store, target: '/.agentcontainers' });
    expect(told()).toEqual([]);
  });

  it.each(['unix:///run/user/1000/docker.sock', 'npipe:////./pipe/docker_engine', undefined])(
    'also with the engine at %s',
    async (address) => {
      const mount = await launcher({ engineAddress: async () => address }).readOnlyMount(signal);
      expect(mount?.source).toBe(store);
    },
  );

  it.each(['tcp://build.example:2376', 'tcp://127.0.0.1:2375', 'ssh://me@build.example', 'https://build.example'])(
    'is nothing with the engine at %s, which is said once',
    async (address) => {
      const one = launcher({ engineAddress: async () => address });
      expect(await one.readOnlyMount(signal)).toBeUndefined();
      expect(await one.readOnlyMount(signal)).toBeUndefined();
      expect(told()).toEqual([
        `Sub-agents are copied into containers: the engine at ${address} may be on another machine.`,
      ]);
    },
  );

  it('is nothing without a store, and when the store cannot be made', async () => {
    expect(await launcher({ storeDirectory: undefined }).readOnlyMount(signal)).toBeUndefined();
    await writeFile(store, 'a file');
    expect(await launcher().readOnlyMount(signal)).toBeUndefined();
    expect(told()).toEqual([expect.stringMatching(/sub-agents cannot be prepared: EEXIST/)]);
  });

  it('ends with the reason of its signal', async () => {
    const gone = AbortSignal.abort(new Error('superseded'));
    await expect(launcher().readOnlyMount(gone)).rejects.toThrow('superseded');
  });
});

describe('delivery through the mount', () => {
  it('sends nothing: the executable is put into the store, and runs from there as the target user', async () => {
    const id = container();
    const users: (string | undefined)[] = [];
    engine.onExec([`/.agentcontainers/${fileName}`, '--version'], ({ spec, stdout }) => {
      users.push(spec.user);
      stdout('agent 1.2.3\n');
      return 0;
    });
    const one = launcher();
    seesStore(id);
    expect(await deliver(id, one)).toEqual({
      path: `/.agentcontainers/${fileName}`,
      way: 'mounted',
      version: 'agent 1.2.3',
    });
    expect(await readFile(join(store, fileName), 'utf8')).toBe(CONTENT);
    expect(engine.calls).toMatchObject({ putArchive: 0, exec: 1 });
    expect(users).toEqual(['dev']);
  });

  it('is proved once for each image, executable and user', async () => {
    versionCall();
    const one = launcher();
    const [first, second, third] = [container(), container(), container({}, { imageId: `sha256:${'2'.repeat(64)}` })];
    for (const id of [first, second, third]) seesStore(id);
    await deliver(first, one);
    expect(await deliver(second, one)).toMatchObject({ way: 'mounted', version: 'agent 1.2.3' });
    expect(engine.calls.exec).toBe(1);
    await deliver(second, one, 'root');
    expect(engine.calls.exec).toBe(2);
    await deliver(third, one);
    expect(engine.calls.exec).toBe(3);
    await one.deliver({ containerId: second, binary, user: 'dev', signal });
    expect(engine.calls.exec).toBe(3);
  });

  it('is proved in each container that was started before the store was made, whose mount is another directory', async () => {
    versionCall();
    const one = launcher();
    const [fresh, stale] = [container(), container({}, { startedAt: Date.now() - 3_600_000 })];
    for (const id of [fresh, stale]) seesStore(id);
    await deliver(fresh, one);
    expect(engine.calls.exec).toBe(1);
    await deliver(stale, one);
    expect(engine.calls.exec).toBe(2);
  });

  it('takes the path that Docker Desktop shows for ours', async () => {
    versionCall();
    const id = container({ source: `/host_mnt${store}` });
    seesStore(id);
    expect((await deliver(id)).way).toBe('mounted');
  });

  it('has to prove itself again after a start that failed', async () => {
    versionCall();
    const one = launcher();
    const id = container();
    seesStore(id);
    const { path } = await deliver(id, one);
    engine.onExec([path], { stderr: 'no such file or directory', exitCode: 127 });
    await expect(one.launch({ containerId: id, binary, path, workingDir: '/', env: {}, signal })).rejects.toMatchObject(
      { code: 'sub-agent-start-failed' },
    );
    versionCall('refused');
    expect(await deliver(id, one)).toMatchObject({ way: 'archive', path: `/.agentcontainers-root/${fileName}` });
    // It did work here: only this container is copied into.
    expect(await one.readOnlyMount(signal)).toBeDefined();
  });
});

describe('where the mount is of no use, the file is copied beside it', () => {
  it.each([
    ['the engine sees an empty directory', () => {}, 'the engine sees another directory there'],
    [
      'programs cannot be run from it',
      (id: string) => {
        seesStore(id);
        versionCall('refused');
      },
      'denied (exit code 126)',
    ],
  ])('when %s; that is remembered and said once', async (_, prepare, reason) => {
    versionCall();
    const one = launcher();
    const first = container();
    prepare(first);
    expect(await deliver(first, one)).toEqual({
      path: `/.agentcontainers-root/${fileName}`,
      way: 'archive',
      version: 'agent 1.2.3',
    });
    expect(await one.readOnlyMount(signal)).toBeUndefined();
    const { exec, putArchive } = engine.calls;
    expect((await deliver(first, one)).way).toBe('present');
    const second = container();
    seesStore(second);
    expect((await deliver(second, one)).way).toBe('archive');
    expect(engine.calls).toMatchObject({ exec: exec + 1, putArchive: putArchive + 1 });
    expect(told()).toEqual([
      `Sub-agents are copied into containers: a directory of this machine that is mounted into them is of no use there: ${reason}.`,
    ]);
    // Nothing was sent to where the host's directory is.
    expect([...engine.files(first).keys()].filter((path) => path.startsWith('/.agentcontainers/'))).toEqual(
      reason.startsWith('denied') ? [`/.agentcontainers/${fileName}`] : [],
    );
  });

  it('when it is of no use in this container only, new ones get it still', async () => {
    versionCall();
    const one = launcher();
    const [good, bad] = [container(), container()];
    seesStore(good);
    await deliver(good, one);
    expect((await deliver(bad, one)).way).toBe('archive');
    expect(await one.readOnlyMount(signal)).toBeDefined();
    expect(told()).toEqual([]);
  });

  it('when the container is older than the store, that says nothing of the engine', async () => {
    versionCall();
    const one = launcher();
    const stale = container({}, { startedAt: Date.now() - 3_600_000 });
    expect((await deliver(stale, one)).way).toBe('archive');
    expect(await one.readOnlyMount(signal)).toBeDefined();
  });

  it('when the store cannot take the file', async () => {
    versionCall();
    const one = launcher();
    const id = container();
    await one.readOnlyMount(signal);
    // A copy for others brings the file into memory; then it is gone, and so cannot be put into the store.
    await deliver(engine.addContainer({ name: 'plain', mounts: [] }).id, one);
    await rename(binary.path, join(folder, 'moved'));
    expect(await deliver(id, one)).toMatchObject({ way: 'archive', path: `/.agentcontainers-root/${fileName}` });
    expect(await one.readOnlyMount(signal)).toBeDefined();
  });

  it.each([
    ['is another directory', { source: '/elsewhere/sub-agents' }],
    ['can be written', { writable: true }],
    ['is a volume that cannot be written', { type: 'volume', source: 'name' }],
  ])('when the mount %s, of which nothing is used and into which nothing is written', async (_, mount) => {
    versionCall();
    const one = launcher();
    const id = container(mount);
    seesStore(id);
    expect(await deliver(id, one)).toMatchObject({ way: 'archive', path: `/.agentcontainers-root/${fileName}` });
    expect(engine.calls).toMatchObject({ putArchive: 1, exec: 1 });
    expect((await deliver(id, one)).way).toBe('present');
    expect((await deliver(id)).way).toBe('present');
    expect(await one.readOnlyMount(signal)).toBeDefined();
  });

  it('also without a store of our own', async () => {
    versionCall();
    const id = container();
    seesStore(id);
    const one = launcher({ storeDirectory: undefined });
    expect(await deliver(id, one)).toMatchObject({ way: 'archive', path: `/.agentcontainers-root/${fileName}` });
  });

  it('and a script without its interpreter is refused, which says nothing of the engine either', async () => {
    const one = launcher();
    const { id } = engine.addContainer({
      mounts: [{ type: 'bind', source: store, destination: '/.agentcontainers', writable: false }],
    });
    seesStore(id);
    versionCall('refused');
    await expect(deliver(id, one)).rejects.toMatchObject({ code: 'sub-agent-unsupported' });
    expect(engine.calls.putArchive).toBe(0);
    expect(await one.readOnlyMount(signal)).toBeDefined();
  });
});

it('does not go on when the file runs but does not do what it should, or the engine is gone', async () => {
  const one = launcher();
  const id = container();
  seesStore(id);
  engine.onExec([`/.agentcontainers/${fileName}`], { stderr: 'panic\n', exitCode: 3 });
  await expect(deliver(id, one)).rejects.toThrow('does not work there: panic (exit code 3)');
  expect(engine.calls.putArchive).toBe(0);
  engine.failNext('statPath', new AgentContainersError('engine-unreachable', 'Asking failed: it is down.'));
  await expect(deliver(id, one)).rejects.toMatchObject({ code: 'sub-agent-delivery-failed' });
  expect(await one.readOnlyMount(signal)).toBeDefined();
});
