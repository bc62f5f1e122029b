import { randomUUID } from 'node:crypto';
import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLabelSigner } from '../../src/agentcontainers/runtime/labels.ts';
import { createDockerEngine } from '../../src/engine/docker-engine.ts';
import { AgentContainersError, createSubAgentRegistry, silentLogger } from '../../src/index.ts';
import type { Devcontainer, Operation } from '../../src/index.ts';
import { countingClock } from './support/counting-clock.ts';
import { cliFor } from './support/devcontainer-cli.ts';
import {
  BASE_IMAGE,
  startPrivateEngine,
  testEngine,
  type PrivateEngine,
  type TestEngine,
} from './support/engine-harness.ts';
import { eventually, timed } from './support/eventually.ts';
import { faultyCli, faultyControlPlane, faultyEngine } from './support/fault-points.ts';
import { createHeldPoints } from './support/held-points.ts';
import { editConfig, startLibrary, type Library } from './support/library.ts';
import { backupImages, containersOfFolder, oneInOrder } from './support/one-in-order.ts';

// An engine of our own is killed while many jobs are under way, each held in the middle of what it does: in a build, in a
// hook, or right after a change that it has made. Started again, everything comes into order.

type Job = 'create' | 'recreate' | 'delete' | 'stop' | 'start' | 'restart' | 'inject';
type Status = Devcontainer['status'] | 'gone';

interface Case {
  readonly job: Job;
  readonly kind: 'image' | 'dockerfile' | 'compose';
  /** `build`, `hook`, or a fault point. */
  readonly at: string;
  /** What it comes to by itself when the engine is back only after it has heard of the loss, and when it is back before. */
  readonly comesTo: readonly [away: Status, back: Status];
  /** It cannot end while the engine is away: it has to put its container back, or to see the one that it made. */
  readonly needsEngine?: boolean;
}

const CASES: readonly Case[] = [
  { job: 'create', kind: 'dockerfile', at: 'build', comesTo: ['error', 'error'] },
  { job: 'create', kind: 'image', at: 'hook', comesTo: ['error', 'error'] },
  { job: 'create', kind: 'image', at: 'cli up ended', comesTo: ['stopped', 'stopped'], needsEngine: true },
  { job: 'create', kind: 'image', at: 'control plane create', comesTo: ['stopped', 'stopped'] },
  { job: 'inject', kind: 'image', at: 'engine exec', comesTo: ['stopped', 'stopped'] },
  // It went with its engine, and nothing was done to it.
  { job: 'recreate', kind: 'dockerfile', at: 'build', comesTo: ['error', 'error'] },
  { job: 'recreate', kind: 'image', at: 'engine stopContainer', comesTo: ['running', 'running'], needsEngine: true },
  { job: 'recreate', kind: 'image', at: 'engine renameContainer', comesTo: ['running', 'running'], needsEngine: true },
  { job: 'recreate', kind: 'image', at: 'hook', comesTo: ['running', 'running'], needsEngine: true },
  // The new one had been ready.
  { job: 'recreate', kind: 'image', at: 'engine removeContainer', comesTo: ['stopped', 'stopped'], needsEngine: true },
  // There is nothing of the old one but its copy.
  {
    job: 'recreate',
    kind: 'compose',
    at: 'engine removeContainer',
    comesTo: ['running', 'running'],
    needsEngine: true,
  },
  { job: 'delete', kind: 'image', at: 'engine stopContainer', comesTo: ['error', 'gone'] },
  { job: 'delete', kind: 'image', at: 'engine removeContainer', comesTo: ['gone', 'gone'] },
  { job: 'stop', kind: 'image', at: 'engine stopContainer', comesTo: ['stopped', 'stopped'] },
  { job: 'start', kind: 'image', at: 'hook', comesTo: ['error', 'error'] },
  { job: 'restart', kind: 'image', at: 'engine stopContainer', comesTo: ['error', 'running'] },
];

const records = async (): Promise<string[]> =>
  (await registry.list(AbortSignal.timeout(10_000))).map(({ name }) => name).toSorted();

const titleOf = ({ job, kind, at }: Case): string => `${job} of ${kind} at ${at}`;

/** A case with its folder, for as long as this file runs. */
interface Folder extends Case {
  readonly folder: string;
  version: number;
}

const turnOf = ({ at, kind }: Case): number => (!at.startsWith('engine') ? 0 : kind === 'compose' ? 1 : 2);

/** A job that is held. */
interface Held {
  readonly one: Folder;
  readonly id: string;
  /** Never rejects. */
  readonly done: Promise<Operation | undefined>;
}

const SECRET = 'secret of these tests';
const points = createHeldPoints();
const registry = createSubAgentRegistry({ newId: randomUUID });
const { clock, pending } = countingClock();
let privateEngine: PrivateEngine;
let engine: TestEngine;
let library: Library;
let folders: Folder[];

/** Waits as long as there is `.hold`, and says so. */
const HOOK = '[ ! -e .hold ] || { touch .held; while [ -e .hold ]; do sleep 0.1; done; }';
const BUILD_HOLDS = 'this build is held';

function filesOf({ kind }: Case, folder: string): Readonly<Record<string, string>> {
  const common = {
    userEnvProbe: 'none',
    workspaceFolder: '/workspace',
    waitFor: 'postStartCommand',
    onCreateCommand: HOOK,
    postStartCommand: HOOK,
    containerEnv: { VERSION: 'v0' },
  };
  if (kind === 'compose') {
    const service = {
      image: BASE_IMAGE,
      init: true,
      command: 'sleep infinity',
      stop_grace_period: '1s',
      volumes: ['..:/workspace'],
    };
    return {
      'docker-compose.yml': JSON.stringify({ version: '3.7', services: { main: service } }),
      'devcontainer.json': JSON.stringify({ ...common, dockerComposeFile: 'docker-compose.yml', service: 'main' }),
    };
  }
  const single = {
    ...common,
    init: true,
    runArgs: ['--stop-timeout', '1'],
    workspaceMount: `source=${folder},target=/workspace,type=bind`,
  };
  if (kind === 'image') return { 'devcontainer.json': JSON.stringify({ ...single, image: BASE_IMAGE }) };
  const [first, ...rest] = BUILD_HOLDS.split(' ');
  return {
    hold: '',
    // What it says must not stand in the line by which the builder shows it.
    Dockerfile: `FROM ${BASE_IMAGE}\nARG VERSION\nCOPY hold /hold\nRUN [ ! -s /hold ] || { echo "${first}" ${rest.join(' ')}; sleep 600; }\n`,
    'devcontainer.json': JSON.stringify({
      ...single,
      build: { dockerfile: 'Dockerfile', args: { VERSION: 'v0' } },
    }),
  };
}

async function makeFolder(one: Case): Promise<Folder> {
  const folder = await engine.makeFolder(`${one.job}-${one.kind}`);
  await mkdir(join(folder, '.devcontainer'));
  for (const [name, text] of Object.entries(filesOf(one, folder)))
    await writeFile(join(folder, '.devcontainer', name), text);
  return { ...one, folder, version: 0 };
}

const listed = async ({ folder }: Folder): Promise<Devcontainer | undefined> =>
  (await library.api.list()).devcontainers.find(({ workspaceFolder }) => workspaceFolder === folder);

/** Everything is so that the job can begin. */
async function prepare(one: Folder): Promise<void> {
  const { job, folder } = one;
  if (job === 'create') {
    const seen = await listed(one);
    if (seen) await library.api.remove(seen.id, { volumes: 'anonymous' });
    return;
  }
  const { devcontainer } = await library.up(folder);
  if (job === 'start') await (await library.api.stopDevcontainer(devcontainer.id)).done;
  if (job !== 'recreate') return;
  const next = `"v${one.version + 1}"`;
  await editConfig(folder, (text) => text.replaceAll(`"v${one.version}"`, next));
  one.version++;
  await library.until(folder, 'dirty', ({ dirty }) => dirty);
}

/** Begins the job; resolves when it is where the engine is to be killed. */
async function begin(one: Folder): Promise<Held> {
  const { at, folder } = one;
  const before = await listed(one);
  const offset = before ? Buffer.byteLength(await library.logText(before.id)) : 0;
  if (at === 'hook') await writeFile(join(folder, '.hold'), '');
  if (at === 'build') await writeFile(join(folder, '.devcontainer/hold'), `${one.version}`);
  const isPoint = at !== 'hook' && at !== 'build';
  const names = before?.container ? [before.container.id, before.container.name] : [basename(folder)];
  const reached = isPoint && points.hold(at, names);
  const { id, done } = await ask(one, before);
  if (at === 'build')
    await eventually('the build', async () => (await library.logText(id)).slice(offset).includes(BUILD_HOLDS));
  else if (at === 'hook')
    await eventually('the hook', async () => {
      await access(join(folder, '.held'));
      return true;
    });
  else await reached;
  return { one, id, done };
}

async function ask({ job, folder }: Folder, before: Devcontainer | undefined): Promise<Omit<Held, 'one'>> {
  const { api } = library;
  const id = before?.id ?? '';
  switch (job) {
    case 'inject': {
      const { agentPid } = await library.injected(folder);
      process.kill(agentPid, 'SIGKILL');
      return { id, done: Promise.resolve(undefined) };
    }
    case 'delete':
      return { id, done: api.remove(id, { volumes: 'anonymous' }).then(() => undefined, refusal) };
    case 'create': {
      const { operation, done } = await api.create({ workspaceFolder: folder });
      return { id: operation.devcontainerId, done };
    }
    case 'recreate':
      return { id, done: (await api.recreate(id)).done };
    case 'stop':
      return { id, done: (await api.stopDevcontainer(id)).done };
    case 'start':
      return { id, done: (await api.startDevcontainer(id)).done };
    case 'restart':
      return { id, done: (await api.restartDevcontainer(id)).done };
  }
}

/** A delete that failed, as an operation says it. */
function refusal(error: unknown): Operation {
  const text = error instanceof AgentContainersError ? error.details.detail : undefined;
  return { status: 'failed', error: text ?? String(error) } as Operation;
}

async function letGo({ one: { folder, kind } }: Held): Promise<void> {
  await rm(join(folder, '.hold'), { force: true });
  await rm(join(folder, '.held'), { force: true });
  if (kind === 'dockerfile') await writeFile(join(folder, '.devcontainer/hold'), '');
}

/** What a person may be shown: words, a next step, and not the insides of a tool. */
function expectReadable(text: string | undefined): void {
  expect(text).toMatch(/ failed: .+\. \S.*\.$/);
  expect(text).not.toMatch(/\bat async\b|^\s+at |devContainersSpecCLI|node_modules|\.js:\d|\n/m);
}

/** By itself it has come to what was to be expected, and the next command brings it to its end. */
async function check({ one, id, done }: Held, isBackFirst: boolean): Promise<void> {
  const { folder, comesTo } = one;
  const ended = await done;
  if (ended?.status === 'failed') {
    expectReadable(ended.error);
    // Whatever it was at, this is the reason.
    expect(ended.error).toMatch(/engine/);
  }
  const expected = comesTo[isBackFirst ? 1 : 0];
  const settled = await eventually(`the end of ${titleOf(one)}`, async () => {
    const seen = await listed(one);
    const containers = await containersOfFolder(engine, folder);
    const isSettled = seen?.operationId === undefined && containers.length < 2;
    const isExpected = privateEngine.containersOutliveIt || (seen?.status ?? 'gone') === expected;
    const isOwn = containers.every(({ id, name }) => id === seen?.container?.id && !name.includes('-before-'));
    if (!isSettled || !isExpected || !isOwn) throw new Error(JSON.stringify({ expected, ended, seen, containers }));
    return { seen };
  });
  if (settled.seen?.status === 'error') expectReadable(settled.seen.error);
  if (expected === 'running') await oneInOrder(engine, library.api, folder);

  // One that runs all the same, or was put back, shows why until it is made anew.
  const runsWithError = settled.seen?.status === 'running' && settled.seen.error !== undefined;
  if (runsWithError || (one.job === 'recreate' && ended?.status === 'failed')) {
    const { status, error } = (await (await library.api.recreate(id)).done) ?? {};
    if (status !== 'succeeded') throw new Error(`the next recreate ${status}: ${error}`);
  } else await library.up(folder);
  const after = await oneInOrder(engine, library.api, folder);
  expect(after.dirty).toBe(false);
  expect(after.error).toBeUndefined();
  expect(after.candidates ?? []).toEqual([]);
}

beforeAll(async () => {
  privateEngine = await startPrivateEngine();
  engine = testEngine(privateEngine.dockerHost);
  const { dockerHost } = engine;
  library = await startLibrary(engine, {
    dockerHost,
    engine: faultyEngine(createDockerEngine({ dockerHost, clock, logger: silentLogger }), points.reach),
    cli: faultyCli(cliFor(engine, { clock }), points.reach),
    subAgentClient: faultyControlPlane(registry, points.reach),
    clock,
    labelSecret: SECRET,
    updateIntervalMs: 1_000,
    listTimeoutMs: 5_000,
    injectTimeoutMs: 60_000,
    stopGraceSeconds: 1,
    maxUps: CASES.length,
  });
  folders = await Promise.all(CASES.map(makeFolder));
});
afterAll(async () => {
  points.release();
  await library?.api.close();
  await engine?.cleanup();
  await privateEngine?.close();
});

it.each([
  ['they hear of it while it is away', false],
  ['it is back when they hear of it', true],
])(
  'jobs in the midst of which the engine is killed come into order when %s',
  { timeout: 300_000 },
  async (_, isBackFirst) => {
    await timed('preparing', () => Promise.all(folders.map(prepare)));
    const held = await timed('coming to the points', async () => {
      const all: Held[] = [];
      // Calls of the engine have deadlines, also while they are held: what comes to its point at once goes last.
      for (const turn of [0, 1, 2])
        all.push(...(await Promise.all(folders.filter((one) => turnOf(one) === turn).map(begin))));
      return all;
    });

    await privateEngine.kill();
    await Promise.all(held.map(letGo));
    if (isBackFirst) await privateEngine.start();
    points.release();
    await timed('ending', async () => {
      if (!isBackFirst) {
        await Promise.all(held.filter(({ one }) => !one.needsEngine).map(({ done }) => done));
        await privateEngine.start();
      }
      await Promise.all(held.map(({ done }) => done));
    });

    const broken: string[] = [];
    await timed('coming into order', () =>
      Promise.all(
        held.map((job) =>
          check(job, isBackFirst).catch(({ message, cause }: Error) =>
            broken.push(`${titleOf(job.one)}: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}`),
          ),
        ),
      ),
    );
    expect(broken).toEqual([]);
    const { devcontainers } = await library.api.list();
    expect(await records()).toEqual(devcontainers.map(({ name }) => name).toSorted());
  },
);

it('nothing is left of it: containers, copies, networks, records, timers', { timeout: 120_000 }, async () => {
  const { devcontainers } = await library.api.list();
  await Promise.all(devcontainers.map(({ id }) => library.api.remove(id, { volumes: 'named' })));
  expect(await records()).toEqual([]);
  expect(await engine.docker('ps', '-aq', '--filter', 'label=devcontainer.local_folder')).toBe('');
  expect(await backupImages(engine, createLabelSigner(SECRET).backupLabels)).toEqual([]);
  expect(await engine.docker('network', 'ls', '-q', '--filter', 'label=com.docker.compose.project')).toBe('');
  await library.api.close();
  expect([...pending.values()]).toEqual([]);
});
