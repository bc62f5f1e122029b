import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { completeInShell, tellMissing, type Shell } from '../../../test/support/complete-in-shell.ts';
import { runProgram } from '../program.ts';

// In the shells themselves, with a program that answers as it is told; with the real one: test/package.

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ac-completion-'));
  await mkdir(join(folder, 'here/folder one'), { recursive: true });
  await writeFile(join(folder, 'here/file'), '');
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

async function scriptOf(shell: Shell): Promise<string> {
  let script = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => ((script += String(chunk)), true));
  expect(await runProgram(['completion', shell])).toBe(0);
  vi.restoreAllMocks();
  return script;
}

/** `asked`: what the program was asked with first. */
async function completed(shell: Shell, line: string, answer: string) {
  await writeFile(join(folder, 'answer'), answer);
  const program = `#!/bin/sh\n[ -e ${folder}/asked ] || printf '<%s>' "$@" > ${folder}/asked\ncat ${folder}/answer\n`;
  const seen = await completeInShell({ shell, line, folder, program, script: await scriptOf(shell) });
  return seen && { ...seen, asked: await readFile(join(folder, 'asked'), 'utf8') };
}
const isThere = (path: string): Promise<boolean> =>
  access(join(folder, path)).then(
    () => true,
    () => false,
  );

describe.each(['bash', 'zsh', 'fish'] as const)('%s', (shell) => {
  test('offers what is answered, without the descriptions, and evaluates none of it', async ({ skip }) => {
    const answer = 'app\truns -- here\nx$(touch evil)`touch evil`\tno\n-e\t\n:\n';
    const seen = await completed(shell, 'agentcontainers shell ', answer);
    if (!seen) return skip(tellMissing(shell));
    expect(seen.offered.toSorted()).toEqual(['-e', 'app', 'x$(touch evil)`touch evil`']);
    expect(seen.asked).toBe('<__complete><shell><>');
    expect(await isThere('here/evil')).toBe(false);
  });

  test('asks with the words before the cursor, evaluated by nobody', async ({ skip }) => {
    const seen = await completed(shell, 'agentcontainers cp $(touch evil) -x a', 'app:\t\n:\n');
    if (!seen) return skip(tellMissing(shell));
    expect(seen.offered).toEqual(['app:']);
    expect(seen.asked).toMatch(/^<__complete><cp><\$\(touch.*evil\)><-x><a>$/);
    expect(await isThere('here/evil')).toBe(false);
  });

  test('adds files or folders', async ({ skip }) => {
    const files = await completed(shell, 'agentcontainers cp fi', 'first:\t\n:files\n');
    if (!files) return skip(tellMissing(shell));
    expect(files.offered.toSorted()).toEqual(['file', 'first:']);
    const folders = await completed(shell, 'agentcontainers serve fo', ':folders\n');
    expect(folders?.offered.map((one) => one.replace(/\\(?= )|\/$/g, ''))).toEqual(['folder one']);
  });

  test('offers nothing when nothing is answered', async ({ skip }) => {
    const seen = await completed(shell, 'agentcontainers exec app npm f', ':\n');
    if (!seen) return skip(tellMissing(shell));
    expect(seen.offered).toEqual([]);
  });
});

describe('zsh', () => {
  test.for([
    ['agentcontainers shell a', 'app\t\n:\n', 'agentcontainers shell app '],
    ['agentcontainers cp a', 'app:\t\n:files,nospace\n', 'agentcontainers cp app:'],
    ['agentcontainers serve fo', ':folders\n', 'agentcontainers serve folder\\ one/'],
    ['agentcontainers shell x', 'x$(touch evil)\t\n:\n', 'agentcontainers shell x\\$\\(touch\\ evil\\) '],
  ])('makes of %j with the answer %j the line %j', async ([line = '', answer = '', expected], { skip }) => {
    const seen = await completed('zsh', line, answer);
    if (!seen) return skip(tellMissing('zsh'));
    expect(seen.line).toBe(expected);
    expect(await isThere('here/evil')).toBe(false);
  });

  test('asks with words that were quoted as they are meant', async ({ skip }) => {
    const seen = await completed('zsh', `agentcontainers logs --socket 'a b' "c d`, ':\n');
    if (!seen) return skip(tellMissing('zsh'));
    expect(seen.asked).toBe('<__complete><logs><--socket><a b><c d>');
  });
});
