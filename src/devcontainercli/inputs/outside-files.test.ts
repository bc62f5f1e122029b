import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeWorkspaceFolder, type WorkspaceFolder } from '../../../test/support/workspace-folder.ts';

const CONFIG = '.devcontainer/devcontainer.json';
const FINDING = 'configuration outside of the workspace folder';

let w: WorkspaceFolder;
let outside: string;
beforeEach(async () => {
  w = await makeWorkspaceFolder();
  outside = join(w.root, 'outside');
  await mkdir(outside);
});
afterEach(() => w.dispose());

const findings = async (): Promise<string[]> =>
  (await w.read()).findings.map(({ kind, detail }) => `${kind} ${detail}`);

describe('a configuration that really lies outside of the workspace folder', () => {
  const text = JSON.stringify({ image: 'debian', remoteEnv: { A: 'private' } });

  it.each<[string, () => Promise<string>]>([
    [
      'by a link in its place',
      async () => {
        const path = join(outside, 'private.json');
        await writeFile(path, text);
        await mkdir(w.path('.devcontainer'));
        await symlink(path, w.path(CONFIG));
        return path;
      },
    ],
    [
      'by a link in place of its directory',
      async () => {
        await writeFile(join(outside, 'devcontainer.json'), text);
        await symlink('../outside', w.path('.devcontainer'));
        return join(outside, 'devcontainer.json');
      },
    ],
  ])('%s is a finding, and is not shown', async (_what, write) => {
    const path = await write();
    const before = await w.read();
    expect(await findings()).toEqual([`mount ${FINDING}: ${path}`]);
    const contents = await w.files.contents(w.key);
    expect(Object.keys(contents).sort()).toEqual(['image', 'remoteEnv']);
    expect(JSON.stringify(contents)).not.toMatch(/debian|private/);
    await writeFile(path, text.replace('private', 'other'));
    expect((await w.read()).inputs['remoteEnv']).not.toBe(before.inputs['remoteEnv']);
    expect((await w.files.contents(w.key))['remoteEnv']).not.toBe(contents['remoteEnv']);
    // Another place is another finding.
    await rm(w.path(CONFIG));
    await writeFile(join(outside, 'third.json'), text);
    await symlink(join(outside, 'third.json'), w.path(CONFIG));
    expect(await findings()).toEqual([`mount ${FINDING}: ${join(outside, 'third.json')}`]);
  });

  it('by a path that a person gave is as good as any', async () => {
    const configPath = join(outside, 'devcontainer.json');
    await writeFile(configPath, text);
    const key = { ...w.key, configPath };
    expect(await w.files.read(key)).toMatchObject({ kind: 'valid', findings: [] });
    expect(await w.files.contents(key)).toMatchObject({ image: '"debian"' });
    await rm(configPath);
    await writeFile(join(w.root, 'elsewhere.json'), text);
    await symlink(join(w.root, 'elsewhere.json'), configPath);
    expect(await w.files.read(key)).toMatchObject({ findings: [{ detail: `${FINDING}: ${w.root}/elsewhere.json` }] });
    expect(JSON.stringify(await w.files.contents(key))).not.toMatch(/debian|private/);
  });
});

it('a link within the workspace folder is no finding, and what it leads to is shown', async () => {
  await w.write('shared/dev.json', { image: 'debian' });
  await mkdir(w.path('.devcontainer'));
  await symlink('../shared/dev.json', w.path(CONFIG));
  expect(await findings()).toEqual([]);
  expect(await w.files.contents(w.key)).toEqual({ image: '"debian"' });
});

describe('what is wrong with a file outside of the workspace folder says nothing of what is in it', () => {
  it.each<[string, object, string, string]>([
    ['a Dockerfile', { build: { dockerfile: 'link' } }, 's3cret=private\n', 'it cannot be understood'],
    [
      'a compose file',
      { dockerComposeFile: 'link', service: 'a' },
      's3cret: 1\ns3cret: 2\n',
      'it cannot be understood',
    ],
    ['a compose file', { dockerComposeFile: 'link', service: 'a' }, 'a: !s3cret 1\n', 'it cannot be understood'],
  ])('%s', async (_what, config, text, message) => {
    await w.write(CONFIG, config);
    await writeFile(join(outside, 'file'), text);
    await symlink('../../outside/file', w.path('.devcontainer/link'));
    const read = await w.files.read(w.key);
    expect(read).toMatchObject({ kind: 'invalid', error: { message: expect.stringContaining(message) } });
    expect(JSON.stringify(read)).not.toContain('s3cret');
  });
});
