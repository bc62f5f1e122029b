import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLabelSigner } from '../../src/agentcontainers/runtime/labels.ts';
import { createDockerEngine } from '../../src/engine/docker-engine.ts';
import { silentLogger } from '../../src/index.ts';
import type { Devcontainer, Operation } from '../../src/index.ts';
import { countingClock } from './support/counting-clock.ts';
import { cliFor } from './support/devcontainer-cli.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import { startEngineProxy, type EngineProxy } from './support/engine-proxy.ts';
import { eventually } from './support/eventually.ts';
import { startLibrary, type Library } from './support/library.ts';
import type { RandomFaults } from './support/proxy-faults.ts';
import { backupImages, containersOfFolder, oneInOrder } from './support/one-in-order.ts';

// A recreate whose engine is heard through a connection that loses answers, delays them and lets them hang. Whatever
// becomes of it, it ends, and one container with one sub-agent is left.

const SECRET = randomUUID();
const engine = testEngine();
const { clock, pending } = countingClock();
/** Between the library and the engine. */
let proxy: EngineProxy;
/** Between the CLI and the engine, when it is used. */
let cliProxy: EngineProxy;
let library: Library;
/** Where the CLI speaks to the engine. */
let cliHost = engine.dockerHost;

beforeAll(async () => {
  proxy = await startEngineProxy(engine.dockerHost);
  cliProxy = await startEngineProxy(engine.dockerHost);
  const { dockerHost } = proxy;
  library = await startLibrary(engine, {
    dockerHost,
    engine: createDockerEngine({ dockerHost, clock, logger: silentLogger }),
    cli: cliFor(engine, { dockerHost: async () => cliHost, clock }),
    clock,
    labelSecret: SECRET,
    updateIntervalMs: 1_000,
    stopGraceSeconds: 1,
  });
});
afterAll(async () => {
  calm();
  await library?.api.close();
  await Promise.all([proxy?.close(), cliProxy?.close()]);
  await engine.cleanup();
});

function calm(): void {
  for (const one of [proxy, cliProxy]) {
    one?.calm();
    one?.release();
  }
}

/** A devcontainer that is recreated again and again. */
interface Subject {
  readonly id: string;
  readonly folder: string;
  version: number;
}

type Kind = 'image' | 'compose';

const NOBODY = 'nobody-of-this-name';

/** @param comesUp its container can be started */
function filesOf(kind: Kind, version: number, comesUp: boolean): Readonly<Record<string, string>> {
  const environment = { VERSION: `v${version}` };
  if (kind === 'image') {
    const config = { image: BASE_IMAGE, init: true, userEnvProbe: 'none', containerEnv: environment };
    return { 'devcontainer.json': JSON.stringify({ ...config, ...(comesUp ? {} : { containerUser: NOBODY }) }) };
  }
  const service = {
    image: BASE_IMAGE,
    init: true,
    command: 'sleep infinity',
    stop_grace_period: '1s',
    volumes: ['..:/workspace'],
    environment,
    ...(comesUp ? {} : { user: NOBODY }),
  };
  const config = { dockerComposeFile: 'docker-compose.yml', service: 'main', workspaceFolder: '/workspace' };
  return {
    'docker-compose.yml': JSON.stringify({ version: '3.7', services: { main: service } }),
    'devcontainer.json': JSON.stringify({ ...config, userEnvProbe: 'none' }),
  };
}

async function write(kind: Kind, folder: string, version: number, comesUp = true): Promise<void> {
  await mkdir(join(folder, '.devcontainer'), { recursive: true });
  for (const [name, text] of Object.entries(filesOf(kind, version, comesUp)))
    await writeFile(join(folder, '.devcontainer', name), text);
}

async function bringUp(kind: Kind): Promise<Subject> {
  const folder = await engine.makeFolder(kind);
  await write(kind, folder, 0);
  const { devcontainer } = await library.up(folder);
  return { id: devcontainer.id, folder, version: 0 };
}

/** The next version of its configuration, and a recreate from that, to its end. */
async function recreate(kind: Kind, one: Subject, comesUp = true): Promise<Operation> {
  one.version++;
  await write(kind, one.folder, one.version, comesUp);
  await library.until(one.folder, 'dirty', ({ dirty }) => dirty);
  return (await library.api.recreate(one.id)).done;
}

/** What its container was made from. */
async function versionOf({ container }: Devcontainer): Promise<string> {
  const environment = await engine.docker('inspect', '-f', '{{json .Config.Env}}', container?.id ?? '');
  return /VERSION=(v\d+)/.exec(environment)?.[1] ?? '';
}

const copies = (): Promise<string[]> => backupImages(engine, createLabelSigner(SECRET).backupLabels);

/** What a person may be shown: words, a next step, and not the insides of a tool. */
function expectReadable(text: string | undefined): void {
  expect(text).toMatch(/ failed: .+\. \S.*\.$/);
  expect(text).not.toMatch(/\bat async\b|^\s+at |devContainersSpecCLI|node_modules|\.js:\d|\n/m);
}

interface Lost {
  readonly what: string;
  readonly times: number;
  readonly method: string;
  readonly path: RegExp;
  /** The new container does not come up. */
  readonly isBroken?: boolean;
  /** The recreate fails for the sake of what was lost, and the old container runs on. */
  readonly fails?: boolean;
}

const POST = 'POST';
const STOP = { what: 'the stop of the old container', method: POST, path: /\/stop$/ };
const RENAME = { what: 'the rename of the old container', method: POST, path: /\/rename$/ };
const REMOVAL = { what: 'the removal of the old container', method: 'DELETE', path: /^\/containers\// };
const FAILED = { what: 'the removal of the new container', method: 'DELETE', path: /^\/containers\//, isBroken: true };
const START = { what: 'the start of the old container', method: POST, path: /\/start$/, isBroken: true };
const COPY = { what: 'the copy of the old container', method: POST, path: /\/commit$/ };
const CREATE = { what: 'the old container made again', method: POST, path: /\/containers\/create$/, isBroken: true };
const IMAGE = { what: 'the removal of the copy', method: 'DELETE', path: /^\/images\// };

const LOST: Readonly<Record<Kind, readonly Lost[]>> = {
  image: [
    ...[STOP, RENAME, REMOVAL, FAILED, START].map((one) => ({ ...one, times: 1 })),
    // One that is asked for again is lost, too.
    { ...STOP, times: 2, fails: true },
    { ...RENAME, times: 2, fails: true },
    { ...REMOVAL, times: 2 },
    { ...START, times: 2 },
  ],
  compose: [
    // It is not asked for again: who knows how large it is.
    { ...COPY, times: 1, fails: true },
    { ...CREATE, times: 1 },
    { ...IMAGE, times: 1 },
  ],
};

describe.each(['image', 'compose'] as const)('the answer that is lost in a recreate (%s)', (kind) => {
  let one: Subject;
  let version: string;
  beforeAll(async () => {
    one = await bringUp(kind);
    version = 'v0';
  });

  it.each(LOST[kind])('to $what, $times times, keeps nothing from its end', async (lost) => {
    const { times, method, path, isBroken = false, fails = false } = lost;
    const before = new Set(proxy.exchanges);
    const stop = proxy.spoil({ method, path, times, fault: { kind: 'drop', when: 'after' } });
    const ended = await recreate(kind, one, !isBroken);
    stop();
    const spoilt = proxy.exchanges.filter((exchange) => !before.has(exchange) && exchange.fault !== undefined);
    expect(spoilt).toHaveLength(times);

    const seen = await oneInOrder(engine, library.api, one.folder);
    if (isBroken || fails) {
      expect(ended.status).toBe('failed');
      expectReadable(ended.error);
      expect(ended.error).toMatch(isBroken ? /^Creating the container failed/ : /engine closed the connection/);
      expect(seen).toMatchObject({ dirty: true, error: ended.error });
    } else {
      expect(ended).toMatchObject({ status: 'succeeded' });
      expect(seen).toMatchObject({ dirty: false });
      expect(seen.error).toBeUndefined();
      version = `v${one.version}`;
    }
    expect(await versionOf(seen)).toBe(version);
    // A container that was made again from its copy keeps it.
    if (!isBroken) expect(await copies()).toEqual([]);
  });
});

const SEED = 11;
const ROUNDS = 8;
const CHANCES: RandomFaults = {
  drop: 0.12,
  delay: 0.2,
  longestDelay: 150,
  freeze: 0.05,
  duplicate: 0.3,
  reorder: 0.3,
  lose: 0.2,
};
/** What hangs goes on after this, long before anybody gives it up. ms */
const FROZEN = 1_000;

it('any disorder lets every recreate end, and one container is left', { timeout: 300_000 }, async () => {
  const one = await bringUp('image');
  const thaw = setInterval(() => {
    proxy.release();
    cliProxy.release();
  }, FROZEN);
  const outcomes: string[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      // In every other one the CLI hears the engine through it, too.
      cliHost = round % 2 === 0 ? engine.dockerHost : cliProxy.dockerHost;
      proxy.randomly(SEED + round, CHANCES);
      cliProxy.randomly(SEED - round, { ...CHANCES, lose: 0, reorder: 0 });
      // The CLI waits for the event of its container for ever: when nothing tells of it, it hangs, and is not to blame here.
      cliProxy.spoil({ path: /^\/events$/, fault: { kind: 'delay', when: 'before', ms: 0 } });
      const ended = await recreate('image', one);
      calm();
      outcomes.push(ended.status);
      if (ended.status === 'failed') expectReadable(ended.error);
      const seen = await oneInOrder(engine, library.api, one.folder);
      if (ended.status === 'succeeded') expect(await versionOf(seen)).toBe(`v${one.version}`);
      expect(seen.dirty).toBe((await versionOf(seen)) !== `v${one.version}`);
    }
  } finally {
    clearInterval(thaw);
    calm();
    cliHost = engine.dockerHost;
  }
  console.info(`recreates in disorder, seed ${SEED}: ${outcomes.join(', ')}`);
  expect(await recreate('image', one)).toMatchObject({ status: 'succeeded' });
  expect(await oneInOrder(engine, library.api, one.folder)).toMatchObject({ dirty: false });
});

it('nothing is left of it: containers, copies, records, timers, connections', { timeout: 120_000 }, async () => {
  const { devcontainers } = await library.api.list();
  const ours = devcontainers.filter(({ workspaceFolder }) => workspaceFolder.includes(engine.prefix));
  expect((await library.records()).map(({ name }) => name).toSorted()).toEqual(ours.map(({ name }) => name).toSorted());
  await Promise.all(ours.map(({ id }) => library.api.remove(id, { volumes: 'named' })));
  for (const { workspaceFolder } of ours) expect(await containersOfFolder(engine, workspaceFolder)).toEqual([]);
  expect(await copies()).toEqual([]);
  expect(await library.records()).toEqual([]);
  await library.api.close();
  expect([...pending.values()]).toEqual([]);
  await eventually('no connection left', () => proxy.connections + cliProxy.connections === 0);
});
