import { spawn } from 'node:child_process';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stateDirectoryAt } from '../../src/daemon/state/state-directory.ts';
import { createStateStorage } from '../../src/daemon/state/state-storage.ts';
import { createAgentContainers, createHttpSubAgentClient, silentLogger, systemClock } from '../../src/index.ts';
import type { AgentContainers, Devcontainer } from '../../src/index.ts';
import { createLabelSigner } from '../../src/agentcontainers/runtime/labels.ts';
import { createLimiter } from '../../src/async/limiter.ts';
import { subAgentsIn } from './support/container-processes.ts';
import { startControlPlane, type ControlPlaneServer } from './support/control-plane-server.ts';
import { testEngine, type TestEngine } from './support/engine-harness.ts';
import { eventually } from './support/eventually.ts';
import { buildFaultProgram, type FaultProgram } from './support/fault-program.ts';

// The daemon is killed hard right after each single thing that a job changes outside of it, one run for each, and started
// again: everything comes into order by itself.

const engine = testEngine();
let program: FaultProgram;
beforeAll(async () => {
  program = await buildFaultProgram();
});
afterAll(async () => {
  await program?.remove();
  await engine.cleanup();
});

type Job = 'create' | 'recreate' | 'delete';

interface Run {
  readonly folder: string;
  readonly stateDir: string;
  readonly controlPlane: ControlPlaneServer;
  /** What the victim changed, in order; the last one was its end, unless it says `done`. */
  readonly points: readonly string[];
  /** What it set out to do was on disk when it ended. */
  readonly wasNoted: boolean;
}

/**
 * One life of a daemon, which ends right after the point that it is to be killed at, or when its job is done.
 * @param at a point and which time it is reached, e.g. `state save#2`
 * @param dockerKill also a call of the docker client by the CLI counts: the n-th of these
 */
async function kill(job: Job, kind: Kind, at: string | undefined, dockerKill = 0): Promise<Run> {
  const folder = await kind.folder();
  const stateDir = await engine.makeFolder('state');
  await mkdir(join(stateDir, 'logs'));
  // One daemon deletes the records of another at a control plane that they share.
  const controlPlane = await startControlPlane();
  const docker = dockerKill > 0 ? await killingDocker(stateDir, dockerKill) : undefined;
  const child = spawn(process.execPath, [program.main], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      TEST_DOCKER_HOST: engine.dockerHost,
      TEST_STATE: stateDir,
      TEST_FOLDER: folder,
      TEST_JOB: job,
      TEST_CONTROL_PLANE: controlPlane.url,
      ...(at ? { TEST_KILL_AT: at } : {}),
      ...(docker ? { TEST_DOCKER_PATH: docker } : {}),
    },
  });
  let errors = '';
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.on('close', (...end) => resolve(end)),
  );
  const points = (await readFile(join(stateDir, 'points'), 'utf8').catch(() => '')).trim().split('\n');
  if (signal !== 'SIGKILL' && code !== 0) throw new Error(`The victim ended with ${code}: ${errors}`);
  const state = await readFile(stateDirectoryAt(stateDir).state, 'utf8').catch(() => '{}');
  const { entries = [] } = JSON.parse(state) as { entries?: { intent?: object }[] };
  return { folder, stateDir, controlPlane, points, wasNoted: entries.some(({ intent }) => intent !== undefined) };
}

/** A docker client that kills the daemon after its n-th call that changes something, and does everything else as told. */
async function killingDocker(stateDir: string, at: number): Promise<string> {
  const path = join(stateDir, 'docker');
  const lines = [
    '#!/bin/sh',
    `d=${stateDir}`,
    'hit() { [ -e "$d/pid" ] || return 0; echo "docker $1" >>"$d/points"; echo x >>"$d/hits"',
    `  [ "$(wc -l <"$d/hits")" -eq ${at} ] && kill -9 "$(cat "$d/pid")"; return 0; }`,
    'case "$1" in',
    // It stays as long as its container: the events of the engine tell when that is there.
    '  run) label=$(printf "%s\\n" "$@" | grep -m1 "^devcontainer.local_folder=")',
    '    for event in create start; do',
    '      (timeout 120 docker events --filter type=container --filter "label=$label" --filter "event=$event" --format x | head -n 1 >/dev/null; hit "run: $event") >/dev/null 2>&1 &',
    '    done; sleep 0.3; exec docker "$@" ;;',
    '  build|start|rm|tag|buildx) docker "$@"; code=$?; hit "$1"; exit $code ;;',
    '  *) exec docker "$@" ;;',
    'esac',
  ];
  await writeFile(path, `${lines.join('\n')}\n`);
  await chmod(path, 0o755);
  return path;
}

/** Without the look at what profiles set, which changes nothing, and for which no job waits. */
const CONFIG = { userEnvProbe: 'none' };

interface Kind {
  readonly name: string;
  folder(): Promise<string>;
}

function kindOf(fixture: string, files: Readonly<Record<string, string>>): Kind {
  return {
    name: fixture,
    async folder() {
      const folder = await engine.makeFolder(fixture);
      await mkdir(join(folder, '.devcontainer'));
      for (const [name, text] of Object.entries(files)) await writeFile(join(folder, '.devcontainer', name), text);
      return folder;
    },
  };
}

/** It is made beside the job, which may have ended by then. */
const NO_PROBE = { userEnvProbe: 'none' };

const IMAGE = kindOf('image', {
  'devcontainer.json': JSON.stringify({
    ...CONFIG,
    image: 'agentcontainers-base:1',
    init: true,
    containerEnv: { WHEN: 'before' },
    postCreateCommand: 'true',
    ...NO_PROBE,
  }),
});
const DOCKERFILE = kindOf('dockerfile', {
  Dockerfile: 'FROM agentcontainers-base:1\nARG WHEN\nRUN echo $WHEN > /when\n',
  'devcontainer.json': JSON.stringify({
    ...CONFIG,
    build: { dockerfile: 'Dockerfile', args: { WHEN: 'before' } },
    init: true,
  }),
});
const COMPOSE = kindOf('compose', {
  'docker-compose.yml': [
    "version: '3.7'",
    'services:',
    '  main:',
    '    image: agentcontainers-base:1',
    '    init: true',
    '    command: sleep infinity',
    '    volumes: [ "..:/workspace" ]',
  ].join('\n'),
  'devcontainer.json': JSON.stringify({
    ...CONFIG,
    dockerComposeFile: 'docker-compose.yml',
    service: 'main',
    workspaceFolder: '/workspace',
    containerEnv: { WHEN: 'before' },
    ...NO_PROBE,
  }),
});

/** A daemon after the kill, over the same state. */
async function restart({ stateDir, controlPlane }: Run): Promise<AgentContainers> {
  const api = createAgentContainers({
    dockerHost: engine.dockerHost,
    logger: silentLogger,
    storage: createStateStorage(stateDirectoryAt(stateDir), silentLogger),
    subAgentClient: createHttpSubAgentClient({ url: controlPlane.url, clock: systemClock }),
    // Of this one alone: whoever has it acts on each container that it has signed.
    labelSecret: stateDir,
    adopt: 'none',
  });
  await api.start();
  return api;
}

/** All containers of a folder, running or not: id and name. */
async function containersOf(of: TestEngine, folder: string): Promise<{ id: string; name: string }[]> {
  const filter = `label=devcontainer.local_folder=${folder}`;
  const text = await of.docker('ps', '-a', '--no-trunc', '--filter', filter, '--format', '{{.ID}} {{.Names}}');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => ({ id: line.split(' ')[0] ?? '', name: line.split(' ')[1] ?? '' }));
}

const ofFolder = (devcontainers: readonly Devcontainer[], folder: string): Devcontainer | undefined =>
  devcontainers.find((one) => one.workspaceFolder === folder);

/** One container, running, with one sub-agent under the one record there is. */
async function untilInOrder(api: AgentContainers, run: Run): Promise<Devcontainer> {
  return eventually(`order after: ${run.points.join(', ')}`, async () => {
    await api.refresh();
    const seen = ofFolder((await api.list()).devcontainers, run.folder);
    const containers = await containersOf(engine, run.folder);
    const [only, ...others] = containers;
    if (!seen || !only || others.length > 0 || seen.container?.id !== only.id)
      throw new Error(JSON.stringify({ containers, seen }));
    if (seen.status !== 'running' || seen.agent?.status !== 'running') throw new Error(JSON.stringify(seen));
    const agents = await subAgentsIn(engine, only.id);
    if (agents.length !== 1) throw new Error(await engine.docker('top', only.id, '-eo', 'pid,ppid,etime,args'));
    return seen;
  });
}

/** @param imageId of its container, which may be a copy that brought it back */
async function leftOvers({ folder, stateDir }: Run, imageId: string): Promise<string[]> {
  const labels = Object.entries(createLabelSigner(stateDir).backupLabels).map(([name, value]) => `${name}=${value}`);
  const backups = await engine.docker(
    'images',
    '-q',
    '--no-trunc',
    ...labels.flatMap((label) => ['--filter', `label=${label}`]),
  );
  const images = backups.split('\n').filter((id) => id !== '' && id !== imageId);
  const aside = (await containersOf(engine, folder))
    .filter(({ name }) => name.includes('-before-'))
    .map(({ name }) => name);
  return [...images.map((id) => `backup image ${id}`), ...aside];
}

/**
 * Each point of a run, and which time it is: `state save#2`. In CI only every second of the saves, which are most of them;
 * all, with `AGENTCONTAINERS_FAULTS=all`, are for a change of what is saved.
 */
function pointsOf({ points }: Run): string[] {
  const isWhole = process.env['CI'] === undefined || process.env['AGENTCONTAINERS_FAULTS'] === 'all';
  const times = new Map<string, number>();
  return points
    .filter((point) => point !== 'done')
    .map((point) => {
      times.set(point, (times.get(point) ?? 0) + 1);
      return `${point}#${times.get(point)}`;
    })
    .filter((point) => isWhole || !/^state save#\d*[02468]$/.test(point));
}

type Check = (api: AgentContainers, run: Run) => Promise<void>;

/** Sees which points a job has, and runs it once for each of them. */
async function afterEachPoint(job: Job, kind: Kind, check: Check): Promise<string[]> {
  const broken: string[] = [];
  const whole = await kill(job, kind, undefined);
  expect(whole.points.at(-1)).toBe('done');
  const points = pointsOf(whole);
  await verify(whole, `${job} ${kind.name}, whole`, async () => {}, broken);
  const missed: string[] = [];
  await inParallel(points, async (point) => {
    const run = await kill(job, kind, point);
    // Saves fall together at times.
    const isOver = run.points.at(-1) === 'done';
    if (isOver) missed.push(point);
    await verify(run, `${job} ${kind.name}, killed after ${point}`, isOver ? async () => {} : check, broken);
  });
  console.info(`${job} ${kind.name}: killed after ${points.filter((point) => !missed.includes(point)).join(', ')}`);
  expect(missed.filter((point) => !point.startsWith('state '))).toEqual([]);
  return broken;
}

/** Each run mostly waits. */
async function inParallel<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const limiter = createLimiter(4);
  await Promise.all(all.map((one) => limiter.run(new AbortController().signal, () => work(one))));
}

async function verify(run: Run, what: string, check: Check, broken: string[]): Promise<void> {
  const api = await restart(run);
  try {
    await check(api, run);
  } catch (error) {
    const { message, cause } = error as Error;
    broken.push(`${what}: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}`);
  } finally {
    await api.close();
    if (run.controlPlane.names().length > 0)
      broken.push(`${what}: records left: ${run.controlPlane.names().join(', ')}`);
    await run.controlPlane[Symbol.asyncDispose]();
    const ids = (await containersOf(engine, run.folder)).map(({ id }) => id);
    if (ids.length > 0) await engine.docker('rm', '-f', '-v', ...ids);
    // An engine has addresses for some thirty networks.
    const networks = await engine.docker('network', 'ls', '--format', '{{.Name}}');
    const ours = networks.split('\n').filter((name) => name.startsWith(basename(run.folder)));
    if (ours.length > 0) await engine.docker('network', 'rm', ...ours);
    await rm(run.stateDir, { recursive: true, force: true });
  }
}

/** After a create: what there is is one container; a further `up` brings it to its end. */
async function checkCreate(api: AgentContainers, run: Run): Promise<void> {
  const containers = await containersOf(engine, run.folder);
  expect(containers.length).toBeLessThanOrEqual(1);
  await eventually('a create that is accepted', async () => {
    const { done } = await api.create({ workspaceFolder: run.folder });
    return (await done).status === 'succeeded';
  });
  await untilInOrder(api, run);
}

/** After a recreate nobody does anything: the new container, or the old one, runs again by itself. */
async function checkRecreate(api: AgentContainers, run: Run): Promise<void> {
  const seen = await untilInOrder(api, run);
  await eventually('nothing left over', async () => (await leftOvers(run, seen.container?.imageId ?? '')).length === 0);
  const when = await engine.docker('inspect', '-f', '{{json .Config.Env}}', seen.container?.id ?? '');
  // What it shows is true of the container that it has.
  if (run.points.length > 1 && !run.folder.includes('dockerfile'))
    expect(seen.dirty).toBe(when.includes('WHEN=before'));
  const operations = seen.operationId;
  expect(operations).toBeUndefined();
}

async function checkDelete(api: AgentContainers, run: Run): Promise<void> {
  if (!run.wasNoted) {
    await untilInOrder(api, run);
    return;
  }
  await eventually('the end of the delete', async () => {
    const { devcontainers } = await api.list();
    return !ofFolder(devcontainers, run.folder) && (await containersOf(engine, run.folder)).length === 0;
  });
}

describe('a daemon that is killed after each thing that it changes', { timeout: 600_000 }, () => {
  it.each([IMAGE, DOCKERFILE])('in a create ($name) leaves what the next one brings into order', async (kind) => {
    expect(await afterEachPoint('create', kind, checkCreate)).toEqual([]);
  });

  it.each([IMAGE, COMPOSE])('in a recreate ($name) leaves what the next one brings into order', async (kind) => {
    expect(await afterEachPoint('recreate', kind, checkRecreate)).toEqual([]);
  });

  it('in a delete leaves what the next one brings into order', async () => {
    expect(await afterEachPoint('delete', IMAGE, checkDelete)).toEqual([]);
  });

  it('by the engine calls of the CLI leaves what the next one brings into order', async () => {
    const broken: string[] = [];
    for (const [job, check] of [
      ['create', checkCreate],
      ['recreate', checkRecreate],
    ] as const) {
      const whole = await kill(job, DOCKERFILE, undefined, Number.MAX_SAFE_INTEGER);
      const calls = whole.points.filter((point) => point.startsWith('docker '));
      await verify(whole, `${job}, whole`, async () => {}, broken);
      expect(calls.length).toBeGreaterThan(2);
      await inParallel([...calls.keys()], async (index) => {
        const run = await kill(job, DOCKERFILE, undefined, index + 1);
        const isOver = run.points.at(-1) === 'done';
        await verify(run, `${job}, killed after ${calls[index]}`, isOver ? async () => {} : check, broken);
      });
      console.info(`${job}: killed after ${calls.join(', ')}`);
    }
    expect(broken).toEqual([]);
  });
});
