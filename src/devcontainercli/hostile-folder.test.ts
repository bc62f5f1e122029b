import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConfigSnapshot } from '../agentcontainers/ports.ts';
import type { FileReader } from './inputs/file-reader.ts';
import { gatherInputs } from './inputs/gather-inputs.ts';
import { makeWorkspaceFolder, type WorkspaceFolder } from '../../test/support/workspace-folder.ts';

const CONFIG = '.devcontainer/devcontainer.json';
const MIB = 1024 * 1024;

let w: WorkspaceFolder;
beforeEach(async () => {
  w = await makeWorkspaceFolder();
});
afterEach(() => w.dispose());

/** Reads all that is ever read, in less time than a machine that is busy needs for what is harmless. */
async function readAll(): Promise<ConfigSnapshot> {
  const snapshot = await w.files.read(w.key);
  expect(
    Buffer.byteLength(JSON.stringify(snapshot, (name, value: unknown) => (name === 'config' ? null : value))),
  ).toBeLessThan(400_000);
  expect((await w.files.watchDirectories(w.key)).length).toBeLessThanOrEqual(200);
  expect(Buffer.byteLength(JSON.stringify(await w.files.contents(w.key)))).toBeLessThan(2 * MIB);
  return snapshot;
}

/** `A` stands for `unit`, each later letter for ten of the one before. */
const bomb = (letters: string, line: (name: string, value: string) => string, unit = '0123456789'): string =>
  letters
    .split('')
    .map((name, at) => line(name, at === 0 ? unit : `\${${letters[at - 1] ?? ''}}`.repeat(10)))
    .join('\n');

const dockerfile = (text: string): Record<string, string | object> => ({
  [CONFIG]: { build: { dockerfile: 'Dockerfile', context: '..' } },
  '.devcontainer/Dockerfile': text,
});
const composed = (text: string, more: Record<string, string> = {}): Record<string, string | object> => ({
  [CONFIG]: { dockerComposeFile: 'compose.yaml', service: 'a' },
  '.devcontainer/compose.yaml': text,
  ...more,
});

const longPath = 'a/'.repeat(MIB / 2 - 200);
const strange = `\u001b${';?'.repeat(MIB / 16)}`;

describe('a folder that was made to keep whoever looks at it busy is looked at in bounded time:', () => {
  it.each<[string, Record<string, string | object>]>([
    ['brackets in COPY', dockerfile(`FROM a\nCOPY ${']['.repeat(400_000)} /\n`)],
    ['brackets that open in COPY', dockerfile(`FROM a\nCOPY ${'['.repeat(800_000)} /\n`)],
    ['brackets and space in COPY', dockerfile(`FROM a\nCOPY [${']    '.repeat(150_000)}x /\n`)],
    ['a heredoc of many lines', dockerfile(`FROM a\nRUN <<E\n${'x\n'.repeat(MIB / 2 - 100)}E\n`)],
    ['heredocs without end', dockerfile(`FROM a\nRUN ${'<<E '.repeat(200_000)}\n`)],
    [
      'arguments made of arguments',
      dockerfile(`FROM a\n${bomb('abcdefg', (name, value) => `ARG ${name}=${value}`)}\nCOPY $g /`),
    ],
    [
      'arguments longer than a text can be',
      dockerfile(`FROM a\n${bomb('abcdefghijk', (name, value) => `ARG ${name}=${value}`)}\nCOPY $k /`),
    ],
    [
      'variables longer than a text can be',
      dockerfile(`FROM a\n${bomb('abcdefghijk', (name, value) => `ENV ${name}=${value}`)}\nCOPY $k /`),
    ],
    [
      'one long argument many times',
      dockerfile(
        `FROM a\nARG A=${'x'.repeat(60_000)}\n${Array.from({ length: 60_000 }, (_, i) => `ARG B${i}=$A`).join('\n')}`,
      ),
    ],
    ['a long path in COPY', dockerfile(`FROM a\nCOPY ${longPath} /`)],
    ['a long path of a Dockerfile', { [CONFIG]: { build: { dockerfile: longPath } } }],
    ['a long path of a compose file', { [CONFIG]: { dockerComposeFile: longPath, service: 'a' } }],
    ['a long path of a feature', { [CONFIG]: { features: { [`./${longPath}`]: {} } } }],
    ['a long path of an env file', composed(`services: {a: {image: b, env_file: "${longPath}"}}`)],
    [
      'a name that no file can have',
      { [CONFIG]: { build: { dockerfile: 'a'.repeat(5_000), context: 'b'.repeat(5_000) } } },
    ],
    [
      'long variables of compose',
      composed(`services:\n  a:\n    image: b\n    volumes:\n${`      - "${'$A'.repeat(100)}"\n`.repeat(900)}`, {
        '.devcontainer/.env': `A=${'x'.repeat(MIB - 10)}\n`,
      }),
    ],
    [
      'long variables of compose in paths',
      composed(
        `services:\n  a:\n    build: "${'$A'.repeat(5_000)}"\n    env_file:\n${`      - "${'$A'.repeat(100)}"\n`.repeat(900)}`,
        { '.devcontainer/.env': `A=${'x'.repeat(MIB - 10)}\n` },
      ),
    ],
    [
      'many variables of compose, many times',
      composed(
        `include:\n${Array.from({ length: 200 }, (_, i) => `  - {path: x.yaml, env_file: [${'.env,'.repeat(i + 1)}]}\n`).join('')}services: {a: {image: b}}\n`,
        {
          '.devcontainer/.env': Array.from({ length: 100_000 }, (_, i) => `A${i}=1`).join('\n'),
          '.devcontainer/x.yaml': 'services: {b: {image: c}}\n',
        },
      ),
    ],
    [
      'merges of a large map',
      composed(`a: &a\n${keys(5_000)}${Array.from({ length: 900 }, (_, i) => `m${i}: {<<: *a}\n`).join('')}`),
    ],
    [
      'merges of a large map into one',
      composed(`x-a: &a\n${keys(5_000)}x-m: {<<: [${'*a,'.repeat(900)}]}\nservices: {a: {image: b}}`),
    ],
    [
      'merges in many files',
      {
        [CONFIG]: { dockerComposeFile: Array.from({ length: 49 }, (_, i) => `c${i}.yaml`), service: 'a' },
        ...Object.fromEntries(
          Array.from({ length: 49 }, (_, i) => [
            `.devcontainer/c${i}.yaml`,
            `x-a: &a\n${keys(4_000)}x-m: {<<: [${'*a,'.repeat(20)}]}\nservices: {a: {image: b}}`,
          ]),
        ),
      },
    ],
    ['arguments of builds that extend one another', composed(chain(150, 9_000))],
    [
      'a text that a terminal would need long for',
      { [CONFIG]: { image: 'a', initializeCommand: strange, mounts: [strange, strange] } },
    ],
    [
      'properties without number',
      { [CONFIG]: JSON.stringify(Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`p${i}`, i]))) },
    ],
    [
      'long names of properties',
      { [CONFIG]: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${i}`.repeat(20_000), i])) },
    ],
    ['deep lists', { [CONFIG]: `{"a":${'['.repeat(190)}${'0,'.repeat(500_000)}0${']'.repeat(190)}}` }],
    [
      'many env files with many lines',
      composed(
        `services: {a: {image: b, env_file: [${Array.from({ length: 40 }, (_, i) => `e${i}`).join(',')}]}}`,
        Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`.devcontainer/e${i}`, 'A\n'.repeat(MIB / 2 - 10)])),
      ),
    ],
    ['a tag without end', composed(`a: !${'%41'.repeat(300_000)} 1`)],
  ])(
    '%s',
    async (_what, files) => {
      for (const [name, text] of Object.entries(files)) await w.write(name, text);
      const { kind } = await readAll();
      expect(['valid', 'invalid']).toContain(kind);
    },
    20_000,
  );
});

describe('texts that look like the beginning of something, over and over, are looked at in bounded time:', () => {
  const pieces = [
    '][',
    '[',
    '{',
    ' ',
    '\n',
    '/',
    'a/',
    '../',
    '\u001b;?',
    '${',
    '${A:-',
    '$A',
    '"',
    "'",
    '\\',
    ',',
    'a=',
    ':',
    '-',
    '*',
    '%41',
  ];

  it.each(pieces)(
    '%j',
    async (piece) => {
      const text = piece.repeat(Math.ceil(60_000 / piece.length));
      const wherever = {
        '.devcontainer/.env': `A=${text}\n${text}\n`,
        '.dockerignore': `${text}\n*${text.slice(0, 200)}`,
        '.env': text,
      };
      const property = {
        image: text,
        initializeCommand: text,
        mounts: [text],
        runArgs: ['--label', text, text],
        workspaceMount: text,
        features: { [`./${text}`]: {} },
        customizations: { agentcontainers: { watch: [text, text.slice(0, 200)] } },
      };
      const service = {
        image: text,
        build: { context: text, args: [text], target: text },
        volumes: [text],
        env_file: text,
        labels: [text],
      };
      for (const files of [
        { [CONFIG]: property },
        {
          [CONFIG]: { build: { dockerfile: text, context: text, options: [text] }, containerUser: text, appPort: text },
        },
        composed(
          JSON.stringify({ name: text, include: text, services: { a: service, b: { extends: { file: text } } } }),
        ),
        composed(`a: ${text}`),
        dockerfile(`FROM a\nCOPY ${text}\nENV A=${text}\nRUN --mount=${text} x\n${text}`),
        { [CONFIG]: `{"a":${text}` },
      ] satisfies Record<string, string | object>[]) {
        for (const [name, content] of Object.entries({ ...wherever, ...files })) await w.write(name, content);
        await readAll();
      }
    },
    20_000,
  );
});

function keys(count: number): string {
  return Array.from({ length: count }, (_, i) => `  k${i}: 1\n`).join('');
}

/** Services each of which extends the one before; the first has many build arguments. */
function chain(length: number, args: number): string {
  const first = `  s0: {build: {context: ., args: {${Array.from({ length: args }, (_, i) => `A${i}: x`).join(', ')}}}}\n`;
  const others = Array.from({ length }, (_, i) => `  s${i + 1}: {extends: s${i}, build: {args: {B${i}: y}}}\n`);
  return `services:\n${first}${others.join('')}  a: {extends: s${length}}\n`;
}

describe('inputs without number', () => {
  const properties = (count: number, last: unknown): string =>
    JSON.stringify({ ...Object.fromEntries(Array.from({ length: count - 1 }, (_, i) => [`p${i}`, i])), last });

  it('are listed up to a thousand, and are one input beyond', async () => {
    await w.write(CONFIG, properties(1_000, 1));
    const listed = await w.read();
    expect(Object.keys(listed.inputs)).toHaveLength(1_000);
    expect(listed.problems).toEqual([]);
    await w.write(CONFIG, properties(1_001, 1));
    const first = await w.read();
    expect(Object.keys(first.inputs)).toEqual(['devcontainer.json']);
    expect(first.problems).toEqual([expect.stringContaining('too many inputs')]);
    await w.write(CONFIG, properties(1_001, 2));
    const second = await w.read();
    expect(second.inputs).not.toEqual(first.inputs);
    expect(second.fingerprint).not.toBe(first.fingerprint);
  });

  it('are one input as well when their names are long', async () => {
    await w.write(CONFIG, { ['n'.repeat(200_000)]: 1 });
    expect(Object.keys((await w.read()).inputs)).toEqual(['devcontainer.json']);
  });
});

it('what nobody has foreseen makes a configuration invalid, and its directories stay watched', async () => {
  await w.write(CONFIG, { image: 'a' });
  const reader: FileReader = {
    read: () => Promise.reject(new RangeError('Invalid string length')),
    hash: () => Promise.reject(new RangeError('Invalid string length')),
  };
  const { outcome, directories } = await gatherInputs(w.key, reader, 'values');
  expect(outcome).toEqual({
    kind: 'invalid',
    error: { message: 'it cannot be worked out (Invalid string length)', line: 1, column: 1 },
  });
  expect(directories).toContain(w.path('.devcontainer'));
});
