import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { engineApi } from './engine-api.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import { timed } from './support/eventually.ts';
import { startLibrary, type Library } from './support/library.ts';

// The same few folders are brought up and removed again and again, side by side: a hundred times in all.

const engine = testEngine();
const request = engineApi();
let library: Library;

interface Kind {
  readonly name: string;
  readonly rounds: number;
  /** Below `.devcontainer`. */
  readonly files: Readonly<Record<string, string>>;
}

const common = { init: true, userEnvProbe: 'none' };
const image: Kind['files'] = {
  'devcontainer.json': JSON.stringify({ ...common, image: BASE_IMAGE, mounts: [{ type: 'volume', target: '/kept' }] }),
};
/** In CI a quarter of them: its time is short. */
const rounds = (whole: number): number => (process.env['CI'] === undefined ? whole : Math.ceil(whole / 4));
const KINDS: readonly Kind[] = [
  { name: 'first', rounds: rounds(40), files: image },
  { name: 'second', rounds: rounds(40), files: image },
  {
    name: 'dockerfile',
    rounds: rounds(16),
    files: {
      Dockerfile: `FROM ${BASE_IMAGE}\nRUN echo built > /built\nVOLUME /kept\n`,
      'devcontainer.json': JSON.stringify({ ...common, build: { dockerfile: 'Dockerfile' } }),
    },
  },
  {
    name: 'compose',
    rounds: rounds(4),
    files: {
      'docker-compose.yml': [
        "version: '3.7'",
        'services:',
        '  main:',
        `    image: ${BASE_IMAGE}`,
        '    init: true',
        '    command: sleep infinity',
        '    volumes: [ "..:/workspace", "kept:/kept" ]',
        'volumes: { kept: {} }',
      ].join('\n'),
      'devcontainer.json': JSON.stringify({
        dockerComposeFile: 'docker-compose.yml',
        service: 'main',
        workspaceFolder: '/workspace',
        userEnvProbe: 'none',
      }),
    },
  },
];
const TIMES = KINDS.reduce((sum, { rounds }) => sum + rounds, 0);

beforeAll(async () => {
  library = await startLibrary(engine, { stopGraceSeconds: 1, maxUps: KINDS.length });
});
afterAll(async () => {
  await library?.api.close();
  await engine.cleanup();
});

const lines = (text: string): string[] => text.split('\n').filter(Boolean);

interface Listed {
  readonly Id: string;
  readonly Mounts: readonly { readonly Type: string; readonly Name?: string }[];
}

/** All containers of a folder, running or not. Not by the docker client, which takes as long as all that is tested here. */
async function containersOf(folder: string): Promise<readonly Listed[]> {
  const filters = JSON.stringify({ label: [`devcontainer.local_folder=${folder}`] });
  return (await request('GET', `/containers/json?all=true&filters=${encodeURIComponent(filters)}`)) as Listed[];
}

/** Rows of what this test made, by its names. */
async function made(...list: string[]): Promise<string[]> {
  return lines(await engine.docker(...list)).filter((row) => row.includes(engine.prefix));
}

/** @returns the volumes that there were in the meantime */
async function comeAndGo(folder: string): Promise<string[]> {
  // Resolves when exactly one sub-agent runs in it.
  const { devcontainer, containerId } = await library.up(folder);
  expect(devcontainer).toMatchObject({ status: 'running', dirty: false, container: { id: containerId } });
  expect(devcontainer.error).toBeUndefined();
  expect(devcontainer.candidates ?? []).toEqual([]);
  const containers = await containersOf(folder);
  expect(containers.map(({ Id }) => Id)).toEqual([containerId]);
  const volumes = (containers[0]?.Mounts ?? []).flatMap(({ Type, Name }) => (Type === 'volume' && Name ? Name : []));
  expect(volumes).toHaveLength(1);

  await library.api.remove(devcontainer.id, { volumes: 'named' });
  expect(await containersOf(folder)).toEqual([]);
  expect((await library.records()).map(({ id }) => id)).not.toContain(devcontainer.subAgentId);
  await expect(library.api.get(devcontainer.id)).rejects.toMatchObject({ code: 'devcontainer-not-found' });
  return volumes;
}

it(`creates and removes ${TIMES} times without a failure, and leaves nothing`, { timeout: 600_000 }, async () => {
  expect(TIMES).toBe(rounds(100));
  const volumes: string[] = [];
  await timed(`${TIMES} times created and removed`, () =>
    Promise.all(
      KINDS.map(async ({ name, rounds, files }) => {
        const folder = await engine.makeFolder(name);
        await mkdir(join(folder, '.devcontainer'));
        for (const [file, text] of Object.entries(files)) await writeFile(join(folder, '.devcontainer', file), text);
        await timed(`${rounds} times ${name}`, async () => {
          for (let round = 1; round <= rounds; round++) {
            const had = await comeAndGo(folder).catch((error: unknown) => {
              throw new Error(`${name}, time ${round} of ${rounds}: ${String(error)}`, { cause: error });
            });
            volumes.push(...had);
          }
        });
      }),
    ),
  );

  expect(await library.records()).toEqual([]);
  const { devcontainers } = await library.api.list();
  expect(devcontainers.filter(({ workspaceFolder }) => workspaceFolder.includes(engine.prefix))).toEqual([]);
  expect(volumes).toHaveLength(TIMES);
  const left = new Set(lines(await engine.docker('volume', 'ls', '-q')));
  expect(volumes.filter((volume) => left.has(volume))).toEqual([]);
  expect(await made('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.Labels}}')).toEqual([]);
  expect(await made('network', 'ls', '--format', '{{.Name}} {{.Labels}}')).toEqual([]);
  // What was built once stays, as with any build, so that the next one is quick; it does not become more.
  const images = await made('images', '--format', '{{.Repository}}');
  expect(images).toHaveLength(2);
});
