import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PersistedState } from '../../agentcontainers/ports.ts';
import { type Logger, silentLogger } from '../../logger.ts';
import { createStateStorage } from './state-storage.ts';

let directory: string;
let file: string;
let warnings: string[];
let logger: Logger;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ac-state-'));
  file = join(directory, 'state.json');
  warnings = [];
  logger = { ...silentLogger, warn: (_fields, message) => warnings.push(message) };
});
afterEach(() => rm(directory, { recursive: true }));

const STATE: PersistedState = {
  version: 1,
  entries: [
    {
      id: 'e1',
      workspaceFolder: '/w',
      configPath: '/w/.devcontainer.json',
      adopted: true,
      made: [{ containerId: 'c', fingerprint: 'f', inputs: { image: 'h' }, ours: true }],
      intent: {
        kind: 'up',
        operationId: 'o',
        fingerprint: 'f',
        inputs: {},
        since: 5,
        knownContainers: ['k'],
        process: { pid: 7, startedAt: '99' },
        swap: {
          oldContainerId: 'k',
          oldName: 'old',
          wasRunning: true,
          isReady: false,
          backup: { imageId: 'sha256:1', blueprint: '{}' },
        },
      },
      trust: { hash: 'h', findings: [{ kind: 'mount', detail: '/', source: 'devcontainer.json' }], at: 3 },
      imageFindings: [{ kind: 'privilege', detail: '--privileged', source: 'image x' }],
      stopped: true,
      forwards: [
        { id: 'f1', host: 'db', port: 5432, hostPort: 15432 },
        { id: 'f2', host: '127.0.0.1', port: 3000, hostPort: 3000 },
      ],
    },
    {
      id: 'e2',
      workspaceFolder: '/v',
      configPath: '/v/.devcontainer.json',
      name: 'v-2',
      adopted: false,
      ignored: true,
      made: [],
      intent: { kind: 'delete', operationId: 'p', since: 6, volumes: 'named', isInterrupted: true },
    },
  ],
  operations: [
    {
      id: 'o',
      devcontainerId: 'e1',
      kind: 'create',
      status: 'running',
      phase: 'build',
      startedAt: 1,
      logOffset: 0,
      steps: [
        { name: 'build', startedAt: 1, endedAt: 2 },
        { name: 'create', startedAt: 2 },
      ],
    },
  ],
  remembered: [
    { id: 'e3', stopped: true },
    {
      id: 'e4',
      trust: { hash: 'h', findings: [], at: 3 },
      imageFindings: [{ kind: 'privilege', detail: '--privileged', source: 'image x' }],
    },
  ],
  projects: [{ id: 'e1', name: 'w_devcontainer' }],
};
const storage = () =>
  createStateStorage({ state: file, contents: join(directory, 'contents') }, logger, () =>
    Date.UTC(2024, 0, 2, 3, 4, 5),
  );
const ASIDE = 'state.json.damaged-2024-01-02T03-04-05.000Z';

test('what was saved is loaded again, and only the owner may read the file', async () => {
  await storage().save(STATE);
  expect(await storage().load()).toEqual(STATE);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(warnings).toEqual([]);
});

test('without a file there is no state, and that is no warning', async () => {
  expect(await storage().load()).toBeUndefined();
  expect(warnings).toEqual([]);
});

describe('a file that cannot be used is set aside and said so', () => {
  test.each([
    ['truncated JSON', '{"version":1,"entries":[', 'it is not JSON'],
    ['an empty file', '', 'it is not JSON'],
    ['an unknown version', '{"version":2,"entries":[],"operations":[]}', 'its version 2 is unknown'],
    ['no version', '[]', 'its version undefined is unknown'],
    ['a wrong form', '{"version":1,"entries":{}}', 'its form is wrong'],
  ])('%s', async (_name, content, reason) => {
    await writeFile(file, content);
    expect(await storage().load()).toBeUndefined();
    expect(await readdir(directory)).toEqual([ASIDE]);
    expect(await readFile(join(directory, ASIDE), 'utf8')).toBe(content);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(reason);
    expect(warnings[0]).toContain(ASIDE);
  });
});

test('one damaged record does not take the others along, and a copy of the file is kept', async () => {
  await writeFile(file, JSON.stringify({ ...STATE, entries: [{ id: 7 }, ...STATE.entries], operations: [null] }));
  expect(await storage().load()).toEqual({ ...STATE, operations: [] });
  expect((await readdir(directory)).toSorted()).toEqual(['state.json', ASIDE]);
  expect(warnings[0]).toContain('2 damaged record(s)');
});

describe('a damaged part of a record', () => {
  const [entry, other] = STATE.entries;
  test.each([
    ['an intent of an unknown kind', { intent: { kind: 'move', operationId: 'o', since: 1 } }, 'intent'],
    ['an intent without what it needs', { intent: { kind: 'delete', operationId: 'o' } }, 'intent'],
    ['an intent with a damaged swap', { intent: { ...entry?.intent, swap: { oldName: 1 } } }, 'intent'],
    ['a trust with an unknown finding', { trust: { ...entry?.trust, findings: [{ kind: 'x' }] } }, 'trust'],
    ['an unknown finding of the image', { imageFindings: [...(entry?.imageFindings ?? []), 1] }, 'imageFindings'],
    ['a stop that is none', { stopped: 'yes' }, 'stopped'],
    ['what are no forwards', { forwards: { id: 'f1' } }, 'forwards'],
  ])('%s is left out, and nothing else', async (_name, damage, field) => {
    await writeFile(file, JSON.stringify({ ...STATE, entries: [{ ...entry, ...damage }, other] }));
    const expected = Object.fromEntries(Object.entries(entry ?? {}).filter(([name]) => name !== field));
    expect((await storage().load())?.entries).toEqual([expected, other]);
    expect((await readdir(directory)).toSorted()).toEqual(['state.json', ASIDE]);
    expect(warnings[0]).toContain('of 1 damaged record(s) what can be used was kept');
  });

  test.each([
    ['without an id', { host: 'db', port: 1, hostPort: 1 }],
    ['with a host port that is none', { id: 'f', host: 'db', port: 1, hostPort: 65_536 }],
    ['with a port that is text', { id: 'f', host: 'db', port: '1', hostPort: 1 }],
    ['with a host that is none', { id: 'f', host: 'd b', port: 1, hostPort: 1 }],
    ['that is none', null],
  ])('of the forwards only the one %s is forgotten', async (_what, damaged) => {
    const forwards = [damaged, ...(entry?.forwards ?? []), damaged];
    await writeFile(file, JSON.stringify({ ...STATE, entries: [{ ...entry, forwards }] }));
    expect((await storage().load())?.entries).toEqual([entry]);
    expect(warnings[0]).toContain('of 1 damaged record(s) what can be used was kept');
  });

  test('ten thousand damaged forwards do not take the rest along', async () => {
    const forwards = Array.from({ length: 10_000 }, () => ({ id: 'f', host: 'x y', port: 0, hostPort: 0 }));
    await writeFile(file, JSON.stringify({ ...STATE, entries: [{ ...entry, forwards }] }));
    expect((await storage().load())?.entries).toEqual([{ ...entry, forwards: [] }]);
  });

  test('of the containers that are known only the damaged one is forgotten', async () => {
    const made = [{ containerId: 1 }, ...(entry?.made ?? []), null];
    await writeFile(file, JSON.stringify({ ...STATE, entries: [{ ...entry, made }] }));
    expect((await storage().load())?.entries).toEqual([entry]);
  });

  test.each(['id', 'workspaceFolder', 'configPath', 'adopted', 'made'])(
    'a record whose %s is damaged is left out',
    async (field) => {
      await writeFile(file, JSON.stringify({ ...STATE, entries: [{ ...entry, [field]: { no: 1 } }, other] }));
      expect((await storage().load())?.entries).toEqual([other]);
    },
  );
});

test('a file of the first programs is read: inputs had another name, and an intent no kind', async () => {
  const old = {
    version: 1,
    entries: [
      {
        id: 'e1',
        workspaceFolder: '/w',
        configPath: '/w/.devcontainer.json',
        adopted: true,
        made: [{ containerId: 'c', fingerprint: 'f', properties: { image: 'h' }, ours: true }],
        intent: { operationId: 'o', fingerprint: 'g', properties: { name: 'n' }, since: 5, knownContainers: ['k'] },
      },
    ],
    operations: [
      { id: 'o', devcontainerId: 'e1', kind: 'create', status: 'running', phase: 'x', startedAt: 1, logOffset: 0 },
    ],
  };
  await writeFile(file, JSON.stringify(old));
  const loaded = await storage().load();
  expect(loaded?.entries[0]).toEqual({
    id: 'e1',
    workspaceFolder: '/w',
    configPath: '/w/.devcontainer.json',
    adopted: true,
    made: [{ containerId: 'c', fingerprint: 'f', inputs: { image: 'h' }, ours: true }],
    intent: { kind: 'up', operationId: 'o', fingerprint: 'g', inputs: { name: 'n' }, since: 5, knownContainers: ['k'] },
  });
  expect(loaded?.operations).toEqual(old.operations);
  expect(warnings).toEqual([]);
});

test('unknown fields of a newer program are no damage', async () => {
  await writeFile(file, JSON.stringify({ ...STATE, more: 1, entries: STATE.entries.map((e) => ({ ...e, more: 1 })) }));
  expect(await storage().load()).toEqual(STATE);
  expect(warnings).toEqual([]);
});

test('saves that overlap are written in order, and the file is whole at any time', async () => {
  const to = storage();
  const states = Array.from({ length: 20 }, (_, i) => ({ ...STATE, entries: [{ ...STATE.entries[0]!, id: `e${i}` }] }));
  await Promise.all(states.map((state) => to.save(state)));
  expect((await to.load())?.entries[0]?.id).toBe('e19');
  expect(await readdir(directory)).toEqual(['state.json']);
});

test('a file that cannot be read stops the start', async () => {
  await mkdir(file);
  await expect(storage().load()).rejects.toMatchObject({
    code: 'state-unreadable',
    message: expect.stringMatching(/^Reading the state .* failed: EISDIR/),
  });
});

test('a damaged file that cannot be set aside stops the start', async () => {
  await writeFile(file, 'x');
  // Its new name is taken by something that a file cannot replace.
  await mkdir(join(directory, ASIDE));
  await expect(storage().load()).rejects.toMatchObject({ code: 'state-unreadable' });
  expect(await readFile(file, 'utf8')).toBe('x');
});

test('a save that fails says why and leaves the next one free to succeed', async () => {
  const missing = join(directory, 'gone', 'state.json');
  const to = createStateStorage({ state: missing, contents: join(directory, 'contents') }, logger);
  await expect(to.save(STATE)).rejects.toThrow(/^Writing the state .* failed: ENOENT.*The earlier state is kept/);
  await expect(to.save(STATE)).rejects.toMatchObject({ code: 'state-unreadable' });
});

test.skipIf(process.getuid?.() === 0)(
  'a file that may not be read stops the start instead of being overwritten',
  async () => {
    await writeFile(file, '{}');
    await chmod(file, 0);
    await expect(storage().load()).rejects.toMatchObject({ code: 'state-unreadable' });
  },
);
