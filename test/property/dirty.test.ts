import { mkdir, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fc, test } from '@fast-check/vitest';
import { expect } from 'vitest';
import { differences, makeWorkspaceFolder, type WorkspaceFolder } from '../support/workspace-folder.ts';
import { containerOf, createScenario, FOLDER, readingOf } from './support/model-scenario.ts';

// Random edits of real files, read by the real adapter, judged by the model, against a table that knows what each text
// means: a devcontainer is dirty exactly when something means something else than when its container was made.

interface Source {
  readonly path: string;
  /** Texts that mean different things; the first is there at the beginning. `undefined`: no such file. */
  readonly meanings: readonly (string | undefined)[];
  /** Writes the same in another way. */
  readonly reformat?: (text: string, way: number) => string;
  /** The input that differs. Without one it does not count. */
  readonly input?: string;
  /** It is an input only because this file names it, whatever that one says, as long as it is there. */
  readonly namedBy?: string;
  /** Cut off anywhere in the middle it cannot be read. */
  readonly canBreak?: boolean;
}

const json = (value: object): string => JSON.stringify(value, null, 2);
const reformatJson = (text: string, way: number): string => {
  const value = JSON.parse(text) as Record<string, unknown>;
  const turned = Object.fromEntries(Object.entries(value).toReversed());
  return [
    JSON.stringify(value),
    `// comment\n${JSON.stringify(turned, null, 4)}\n`,
    text.replace(/\n}$/, ',\n}'),
    text.replaceAll('\n', '\n\n/* x */'),
  ][way % 4] as string;
};
const reformatYaml = (text: string, way: number): string =>
  [`# comment\n${text}`, text.replaceAll('\n', ' # x\n\n'), text.replaceAll('  ', '    '), `---\n${text}`][
    way % 4
  ] as string;
const reformatDockerfile = (text: string, way: number): string =>
  [`# comment\n${text}`, text.replaceAll('\n', '\n\n  # x\n'), text.replaceAll('\n', '\r\n'), `\n\n${text}`][
    way % 4
  ] as string;

const IRRELEVANT: readonly Source[] = [
  { path: 'notes.md', meanings: [undefined, 'x', 'y'] },
  { path: '.devcontainer/devcontainer.json.swp', meanings: [undefined, 'x'] },
  { path: 'node_modules/x/index.js', meanings: [undefined, 'x'] },
];

const dockerConfig = (over: object): string =>
  json({
    name: 'one',
    build: { dockerfile: 'Dockerfile', context: '..' },
    features: { './feature': {} },
    customizations: { agentcontainers: { watch: ['/requirements.txt'] } },
    ...over,
  });
const DOCKERFILE: readonly Source[] = [
  {
    path: '.devcontainer/devcontainer.json',
    meanings: [
      dockerConfig({}),
      dockerConfig({ containerEnv: { A: '1' } }),
      dockerConfig({ containerEnv: { A: '2' } }),
    ],
    reformat: reformatJson,
    input: 'containerEnv',
    canBreak: true,
  },
  {
    path: '.devcontainer/Dockerfile',
    meanings: ['FROM a\nCOPY package.json /\nCOPY src /\n', 'FROM b\nCOPY package.json /\nCOPY src /\n', undefined],
    reformat: reformatDockerfile,
    input: './.devcontainer/Dockerfile',
  },
  {
    path: 'package.json',
    meanings: ['{}', '{ }', undefined],
    input: './package.json',
    namedBy: '.devcontainer/Dockerfile',
  },
  { path: 'src/a.ts', meanings: ['a', 'b', undefined], input: './src/', namedBy: '.devcontainer/Dockerfile' },
  { path: 'src/deep/b.ts', meanings: [undefined, 'a'], input: './src/', namedBy: '.devcontainer/Dockerfile' },
  { path: 'requirements.txt', meanings: ['x', 'y', undefined], input: './requirements.txt' },
  {
    path: '.devcontainer/feature/devcontainer-feature.json',
    meanings: [json({ id: 'feature' }), json({ id: 'feature', version: '2' })],
    reformat: reformatJson,
    input: './.devcontainer/feature/devcontainer-feature.json',
    canBreak: true,
  },
  { path: '.devcontainer/feature/install.sh', meanings: ['true', 'false'], input: './.devcontainer/feature/' },
  {
    path: '.devcontainer/devcontainer-lock.json',
    meanings: [undefined, json({ features: {} }), json({ features: { a: {} } })],
    reformat: reformatJson,
    input: './.devcontainer/devcontainer-lock.json',
  },
  ...IRRELEVANT,
];

const composeConfig = (over: object): string => json({ dockerComposeFile: '../compose.yaml', service: 'dev', ...over });
const COMPOSE: readonly Source[] = [
  {
    path: '.devcontainer/devcontainer.json',
    meanings: [composeConfig({}), composeConfig({ forwardPorts: [1] })],
    reformat: reformatJson,
    input: 'forwardPorts',
    canBreak: true,
  },
  {
    path: 'compose.yaml',
    meanings: ['1', '2'].map(
      (value) =>
        `services:\n  dev:\n    extends:\n      file: base.yaml\n      service: base\n    env_file: dev.env\n    hostname: "n${value}"\ninclude:\n  - more.yaml\n`,
    ),
    reformat: reformatYaml,
    input: './compose.yaml',
    canBreak: true,
  },
  {
    path: 'base.yaml',
    meanings: ['1', '2'].map((value) => `services:\n  base:\n    image: "a:${value}"\n`),
    reformat: reformatYaml,
    input: './base.yaml',
  },
  {
    path: 'more.yaml',
    meanings: ['services: {}\n', 'services:\n  x:\n    image: "b"\n'],
    reformat: reformatYaml,
    input: './more.yaml',
  },
  { path: 'dev.env', meanings: ['A=1', 'A=2', undefined], input: './dev.env' },
  { path: '.env', meanings: [undefined, 'B=1', 'B=2'], input: './.env' },
  ...IRRELEVANT,
];

const SAVES: readonly ((path: string, text: string) => Promise<void>)[] = [
  (path, text) => writeFile(path, text),
  async (path, text) => {
    await writeFile(`${path}.tmp~`, text);
    await rename(`${path}.tmp~`, path);
  },
  async (path, text) => {
    await unlink(path).catch(() => {});
    await writeFile(path, text);
  },
  async (path, text) => {
    await rename(path, `${path}~`).catch(() => {});
    await writeFile(path, text);
    await rm(`${path}~`, { force: true });
  },
];

const edits = fc.array(
  fc.record({
    source: fc.nat(),
    meaning: fc.nat(),
    kind: fc.constantFrom('mean', 'mean', 'mean', 'reformat', 'break'),
    way: fc.nat(),
    save: fc.nat(SAVES.length - 1),
  }),
  { minLength: 1, maxLength: 12 },
);

test.prop({ sources: fc.constantFrom(DOCKERFILE, COMPOSE), edits }, { numRuns: 50 })(
  'dirty is exactly when something means something else than when the container was made, by every way of saving',
  async ({ sources, edits }) => {
    const w = await makeWorkspaceFolder();
    try {
      await follow(w, sources, edits);
    } finally {
      await w.dispose();
    }
  },
);

/** Which inputs differ when files have these meanings now and had their first ones then. */
function expectedInputs(sources: readonly Source[], now: ReadonlyMap<string, number>): string[] {
  const meaningOf = (path: string): number => now.get(path) ?? 0;
  const isGone = (path: string): boolean =>
    sources.find((source) => source.path === path)?.meanings[meaningOf(path)] === undefined;
  const names = sources.flatMap(({ path, input, namedBy }) =>
    input !== undefined && (meaningOf(path) !== 0 || (namedBy !== undefined && isGone(namedBy))) ? [input] : [],
  );
  return [...new Set(names)].sort();
}

async function follow(
  w: WorkspaceFolder,
  sources: readonly Source[],
  edits: readonly { source: number; meaning: number; kind: string; way: number; save: number }[],
): Promise<void> {
  /** Which of its meanings each file has now. */
  const now = new Map(sources.map(({ path }) => [path, 0]));
  const broken = new Set<string>();
  const write = async (source: Source, meaning: number, way?: number, save = 0): Promise<void> => {
    const text = source.meanings[meaning];
    now.set(source.path, meaning);
    broken.delete(source.path);
    const path = w.path(source.path);
    if (text === undefined) return rm(path, { force: true });
    await mkdir(dirname(path), { recursive: true });
    await SAVES[save]?.(path, way === undefined ? text : (source.reformat?.(text, way) ?? text));
  };
  for (const source of sources) await write(source, 0);
  const made = await w.read();

  const scenario = createScenario();
  const { fingerprint, inputs } = made;
  scenario.register(FOLDER, { made: [{ containerId: 'c1', fingerprint, inputs, ours: true }] });
  scenario.observe([containerOf('c1')]);
  /** Reads as the library does, and compares with what the table says; a broken file leaves what was known. */
  let expected: string[] = [];
  const check = async (): Promise<void> => {
    const snapshot = await w.files.read(w.key);
    if (broken.size > 0) {
      expect(snapshot.kind).toBe('invalid');
      if (snapshot.kind === 'invalid') scenario.dispatch({ type: 'configRead', id: FOLDER, reading: snapshot });
      expect(scenario.view().configError).toBeDefined();
    } else {
      if (snapshot.kind !== 'valid') throw new Error(JSON.stringify(snapshot));
      const reading = readingOf('', { config: snapshot });
      scenario.dispatch({ type: 'configRead', id: FOLDER, reading });
      expected = expectedInputs(sources, now);
      expect(snapshot.fingerprint === fingerprint).toBe(expected.length === 0);
      expect(differences(made, snapshot)).toEqual(expected);
    }
    expect(scenario.view().dirty).toBe(expected.length > 0);
    expect((scenario.view().dirtyReasons ?? []).map(({ input }) => input)).toEqual(expected);
  };
  for (const { source: index, meaning, kind, way, save } of edits) {
    const source = sources[index % sources.length] as Source;
    if (kind === 'mean') {
      await write(source, meaning % source.meanings.length, way % 2 === 0 ? undefined : way, save);
    } else if (kind === 'reformat') {
      await write(source, now.get(source.path) ?? 0, way, save);
    } else if (source.canBreak === true) {
      const text = (source.meanings[now.get(source.path) ?? 0] ?? '').trimEnd();
      // So short, something is still open, and in YAML it is no mapping yet.
      await writeFile(w.path(source.path), text.slice(0, way % 8));
      broken.add(source.path);
    }
    await check();
  }
  for (const source of sources) await write(source, 0, edits[0]?.way);
  await check();
  expect(scenario.view()).toMatchObject({ dirty: false });
  expect((await w.read()).fingerprint).toBe(fingerprint);
}
