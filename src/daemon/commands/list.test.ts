import { expect, test } from 'vitest';
import pc from 'picocolors';
import type { Output } from '../output/output.ts';
import type { CommandContext } from './context.ts';
import { list } from './list.ts';

const ENTRY = {
  id: 'id',
  name: 'app',
  workspace_folder: '/src/app',
  config_path: '/src/app/.devcontainer/devcontainer.json',
  subagent_id: null,
  status: 'running',
  dirty: false,
  level: 'adopted',
  trusted: true,
  busy: false,
};

async function listing(...devcontainers: object[]) {
  const lines: string[] = [];
  const notes: string[] = [];
  const output = {
    colors: pc.createColors(false),
    errorColors: pc.createColors(false),
    width: undefined,
    line: (text: string) => lines.push(text),
    note: (text: string) => notes.push(text),
    result: () => {},
  } as unknown as Output;
  const client = { send: async () => ({ status: 200, body: { devcontainers, containers: [] } }) };
  const code = await list({ output, client } as unknown as CommandContext, { label: [] });
  return { code, lines, notes };
}

test('a configuration that cannot be read is shown with its place', async () => {
  const { lines } = await listing({ ...ENTRY, config_error: { message: 'Value expected.', line: 4, column: 12 } });
  expect(lines.at(-1)).toBe('! app: /src/app/.devcontainer/devcontainer.json:4:12: Value expected.');
});

test('an error is shown below the table, without escape sequences', async () => {
  const { lines } = await listing({ ...ENTRY, error: 'it \u001b[31mbroke' });
  expect(lines.at(-1)).toBe('! app: it broke');
});

test('what is only seen is named, with the way to adopt it', async () => {
  const { notes } = await listing(ENTRY, { ...ENTRY, id: 'other', name: 'foreign', level: 'seen' });
  expect(notes).toEqual(['Only listed, since they lie under no root: foreign. Adopt one: agentcontainers up <folder>']);
});

test('without dev containers the next step is said', async () => {
  const { code, lines } = await listing();
  expect([code, lines]).toEqual([0, ['No dev containers. Bring one up with `agentcontainers up <folder>`.']]);
});

test.each([
  [{}, '-'],
  [{ dirty: true }, 'dirty'],
  [{ busy: true }, 'busy'],
  [{ error: 'postCreateCommand ended with 1.' }, 'failed'],
  [{ trusted: false, verdict: { hash: 'h', finding_count: 1 } }, 'untrusted'],
  // Not read yet, or never, as of one that is only seen.
  [{ trusted: false }, '-'],
  [{ config_error: { message: 'x', line: 4, column: 12 } }, 'config error 4:12'],
  [
    {
      dirty: true,
      busy: true,
      trusted: false,
      verdict: { hash: 'h', finding_count: 1 },
      config_error: { message: 'x', line: 1, column: 1 },
    },
    'dirty, untrusted, config error 1:1, busy',
  ],
])('what needs attention in %j is shown as "%s"', async (part, expected) => {
  const { lines } = await listing({ ...ENTRY, ...part });
  expect(lines[0]).toMatch(/^NAME +STATUS +ATTENTION +AGENT +CONTAINER +FOLDER$/);
  expect(lines[1]?.split(/ {2,}/).slice(1, 3)).toEqual(['running', expected]);
});

test('an untrusted one comes with the next step', async () => {
  const { notes } = await listing(ENTRY, { ...ENTRY, trusted: false, verdict: { hash: 'h', finding_count: 2 } });
  expect(notes).toEqual(['Look at what an untrusted one can do: agentcontainers trust app']);
});
