import { expect, test } from 'vitest';
import type { PersistedState } from '../../src/index.ts';
import { createLabelSigner } from '../../src/agentcontainers/runtime/labels.ts';
import { createMemoryStorage, createTestWorld } from '../../src/testing/index.ts';
import type { ContainerSeed, TestWorld } from '../../src/testing/index.ts';
import { APP, tell, type Story } from './support/story.ts';

const PROCESS = { pid: 4711, startedAt: 'boot 1' };
const SECRET = 'secret of these tests';

type Intent = NonNullable<PersistedState['entries'][number]['intent']>;
type Swap = Partial<NonNullable<Extract<Intent, { kind: 'up' }>['swap']>>;

/** The state that a daemon leaves which is killed in the middle of a recreate. */
function killedInRecreate(world: TestWorld, old: string, swap: Swap | undefined): PersistedState {
  const intent: Intent = {
    kind: 'up',
    operationId: 'op-1',
    fingerprint: 'new',
    inputs: {},
    since: world.clock.now(),
    knownContainers: [old],
    process: PROCESS,
    ...(swap && { swap: { oldContainerId: old, oldName: 'app-1', wasRunning: true, isReady: false, ...swap } }),
  };
  return stateWith(world, intent, 'recreate');
}

function stateWith(world: TestWorld, intent: Intent, kind: string): PersistedState {
  const now = world.clock.now();
  const made = [{ containerId: 'old', fingerprint: 'old', inputs: {}, ours: true }];
  const operation = {
    id: 'op-1',
    devcontainerId: 'x',
    kind,
    status: 'running',
    phase: 'create',
    startedAt: now,
    logOffset: 0,
  };
  return {
    version: 1,
    entries: [{ id: 'x', ...APP, adopted: true, made, intent }],
    operations: [operation],
  };
}

const AFTER: ContainerSeed = { name: 'new-1', labels: { 'agentcontainers.generation': 'op-1' } };

async function startAfter(
  arrange: (world: TestWorld) => PersistedState,
  before?: (world: TestWorld) => void,
): Promise<Story> {
  const world = createTestWorld({ labelSecret: SECRET });
  world.subAgentsSucceed();
  world.addWorkspace('/src/app');
  const story = tell(world, { storage: createMemoryStorage(arrange(world)) });
  before?.(world);
  await story.api.start();
  await world.clock.run(1_000);
  return story;
}

const names = (world: TestWorld): [string, boolean][] =>
  world.engine.containers().map(({ name, running }) => [name, running]);

test.each<[string, (world: TestWorld) => Swap | undefined, [string, boolean][]]>([
  [
    'while it was built',
    ({ engine }) => {
      engine.addContainer({ workspaceFolder: '/src/app', id: 'old', name: 'app-1' });
      return undefined;
    },
    [['app-1', true]],
  ],
  [
    'before the old container was stopped',
    ({ engine }) => {
      engine.addContainer({ workspaceFolder: '/src/app', id: 'old', name: 'app-1' });
      return {};
    },
    [['app-1', true]],
  ],
  [
    'when the old container was stopped',
    ({ engine }) => {
      engine.addContainer({ workspaceFolder: '/src/app', id: 'old', name: 'app-1', state: 'exited' });
      return {};
    },
    [['app-1', true]],
  ],
  [
    'when the old container was renamed',
    ({ engine }) => {
      engine.addContainer({ workspaceFolder: '/src/app', id: 'old', name: 'app-1-before-op1', state: 'exited' });
      return {};
    },
    [['app-1', true]],
  ],
  [
    'when the new container was made and was not ready',
    ({ engine }) => {
      engine.addContainer({ workspaceFolder: '/src/app', id: 'old', name: 'app-1-before-op1', state: 'exited' });
      engine.addContainer({ workspaceFolder: '/src/app', ...AFTER });
      return {};
    },
    [['app-1', true]],
  ],
  [
    'when the new container was ready',
    ({ engine }) => {
      engine.addContainer({ workspaceFolder: '/src/app', id: 'old', name: 'app-1-before-op1', state: 'exited' });
      engine.addContainer({ workspaceFolder: '/src/app', ...AFTER });
      return { isReady: true };
    },
    [['new-1', true]],
  ],
  [
    'when the old container was gone',
    ({ engine }) => {
      engine.addContainer({ workspaceFolder: '/src/app', ...AFTER });
      return { isReady: true };
    },
    [['new-1', true]],
  ],
  [
    'when the old container had been stopped before',
    ({ engine }) => {
      engine.addContainer({ workspaceFolder: '/src/app', id: 'old', name: 'app-1-before-op1', state: 'exited' });
      return { wasRunning: false };
    },
    [['app-1', false]],
  ],
])('a recreate whose daemon was killed %s is brought to an end', async (_when, arrange, expected) => {
  const { world, api, only, end } = await startAfter((it) => killedInRecreate(it, 'old', arrange(it)));
  expect(names(world)).toEqual(expected);
  const [[, runs]] = expected as [[string, boolean]];
  expect(await only()).toMatchObject({
    status: runs ? 'running' : 'error',
    error: expect.stringContaining('Bringing up was interrupted'),
    ...(runs ? { degraded: [{ phase: 'interrupted' }] } : {}),
  });
  // Its own process may have lived on.
  expect(world.cli.endedProcesses).toEqual([PROCESS]);
  expect(await api.operation('op-1')).toMatchObject({ status: 'interrupted' });
  expect(world.cli.calls).toMatchObject({ build: 0, up: 0 });
  expect(world.subAgentLauncher.running()).toHaveLength(runs ? 1 : 0);

  // Everything is possible again.
  await api.recreate((await only()).id);
  await world.clock.settle();
  const after = await only();
  expect(after).toMatchObject({ status: 'running' });
  expect(after.error).toBeUndefined();
  expect(world.engine.containers()).toHaveLength(1);
  await end();
});

test('nothing is injected into a container that will go, and nobody else begins before it is in order', async () => {
  const { world, api, only, end } = await startAfter(
    (it) => {
      it.engine.addContainer({ workspaceFolder: '/src/app', id: 'old', name: 'app-1-before-op1', state: 'exited' });
      it.engine.addContainer({ workspaceFolder: '/src/app', ...AFTER });
      return killedInRecreate(it, 'old', {});
    },
    (it) => it.engine.goDown(),
  );
  await expect(api.list()).rejects.toMatchObject({ code: 'list-failed' });
  world.engine.comeBack();
  await world.clock.run(60_000);
  expect(names(world)).toEqual([['app-1', true]]);
  const { container } = await only();
  expect(world.subAgentLauncher.calls.launch).toBe(1);
  expect(world.subAgentLauncher.running()).toMatchObject([{ request: { containerId: container?.id } }]);
  await end();
});

test('a delete whose daemon was killed goes on', async () => {
  const { world, api, end } = await startAfter((it) => {
    it.engine.addContainer({ workspaceFolder: '/src/app', id: 'old', name: 'app-1', state: 'exited' });
    const intent: Intent = { kind: 'delete', operationId: 'op-1', since: it.clock.now(), volumes: 'anonymous' };
    return stateWith(it, intent, 'delete');
  });
  await world.clock.settle();
  expect(world.engine.containers()).toEqual([]);
  expect((await api.list()).devcontainers).toEqual([]);
  await end();
});

test('a copy that the engine finishes after the daemon was killed is removed when its container runs on', async () => {
  const { world, only, end } = await startAfter(
    (at) => {
      at.engine.addContainer({ workspaceFolder: '/src/app', id: 'old', name: 'app-1' });
      return killedInRecreate(at, 'old', undefined);
    },
    ({ engine }) => engine.pause('app-1'),
  );
  const { signal } = new AbortController();
  const { backupLabels: labels } = createLabelSigner(SECRET);
  await world.engine.commitContainer('old', { labels }, signal);
  world.engine.unpause('app-1');
  await world.clock.run(2_000);
  const kept = Object.keys(labels);
  expect(kept).not.toEqual([]);
  expect(await world.engine.listImages({ labels: kept, signal })).toEqual([]);
  expect(await only()).toMatchObject({ status: 'running', agent: { status: 'running' } });
  await end();
});

test('an interrupted up of a container that somebody holds ends within bounds', async () => {
  const { world, only, end } = await startAfter(
    (at) => {
      at.engine.addContainer({ workspaceFolder: '/src/app', id: 'old', name: 'app-1' });
      return killedInRecreate(at, 'old', undefined);
    },
    ({ engine }) => engine.pause('app-1'),
  );
  await world.clock.run(60_000);
  expect((await only()).operationId).toBeUndefined();
  expect((await only()).error).toMatch(/interrupted/);
  await end();
});
