import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { differences, makeWorkspaceFolder, type WorkspaceFolder } from '../../../test/support/workspace-folder.ts';

let w: WorkspaceFolder;
beforeEach(async () => {
  w = await makeWorkspaceFolder();
});
afterEach(() => w.dispose());

const CONFIG = '.devcontainer/devcontainer.json';
const SERVICES = 'services: {app: {image: a}}';

async function projectOf(dockerComposeFile: unknown, files: Record<string, string>, more: object = {}) {
  await w.write(CONFIG, { dockerComposeFile, service: 'app', ...more });
  for (const [name, text] of Object.entries(files)) await w.write(name, text);
  return (await w.read()).compose;
}

describe('the compose project of a configuration', () => {
  it.each<[string, unknown, Record<string, string>, string, boolean]>([
    ['is named after the workspace folder', 'c.yml', { '.devcontainer/c.yml': SERVICES }, 'w_devcontainer', false],
    ['is named after the folder of its files', '../My.App/c.yml', { 'My.App/c.yml': SERVICES }, 'myapp', false],
    ['has the name of its file', 'c.yml', { '.devcontainer/c.yml': `name: Shop\n${SERVICES}` }, 'shop', true],
    [
      'has the name of its last file',
      ['c.yml', 'd.yml', 'e.yml'],
      {
        '.devcontainer/c.yml': `name: first\n${SERVICES}`,
        '.devcontainer/d.yml': 'name: last',
        '.devcontainer/e.yml': SERVICES,
      },
      'last',
      true,
    ],
    [
      'has not the name of a file that is included',
      'c.yml',
      { '.devcontainer/c.yml': `include: [d.yml]\n${SERVICES}`, '.devcontainer/d.yml': 'name: inner' },
      'w_devcontainer',
      false,
    ],
    [
      'has a name with a variable of .env',
      'c.yml',
      { '.devcontainer/c.yml': `name: a-\${B}-\${COMPOSE_PROJECT_NAME:-c}\n${SERVICES}`, '.devcontainer/.env': 'B=b' },
      'a-b-c',
      true,
    ],
    [
      'has the name of .env beside the files rather',
      'c.yml',
      { '.devcontainer/c.yml': `name: file\n${SERVICES}`, '.devcontainer/.env': 'COMPOSE_PROJECT_NAME=beside' },
      'beside',
      true,
    ],
    [
      'has the name of .env in the workspace folder before all',
      'c.yml',
      {
        '.devcontainer/c.yml': `name: file\n${SERVICES}`,
        '.devcontainer/.env': 'COMPOSE_PROJECT_NAME=beside',
        '.env': 'A=1\nCOMPOSE_PROJECT_NAME= Work.Space \n',
      },
      'workspace',
      true,
    ],
    [
      'has that name as the CLI reads it, where compose itself would not see it',
      '../c.yml',
      { 'c.yml': SERVICES, '.env': 'A="1\rCOMPOSE_PROJECT_NAME=hidden\r2"\n' },
      'hidden',
      true,
    ],
    [
      'has no name of which nothing is left',
      'c.yml',
      { '.devcontainer/c.yml': SERVICES, '.env': 'COMPOSE_PROJECT_NAME=!!!\n' },
      'w_devcontainer',
      false,
    ],
  ])('%s', async (_what, named, files, name, isExplicit) => {
    const project = await projectOf(named, files);
    expect(project).toMatchObject({ name, isExplicit, service: 'app' });
    // Whoever chooses a name that is not the folder's may mean another's.
    const details = (await w.read()).findings.map(({ detail }) => detail).join();
    if (isExplicit) expect(details).toMatch(/COMPOSE_PROJECT_NAME of compose|name of the project/);
  });

  it.each<[string, unknown, Record<string, string>, string | undefined]>([
    ['its first file', ['../x/c.yml', 'd.yml'], { 'x/c.yml': SERVICES, '.devcontainer/d.yml': SERVICES }, 'x'],
    ['the workspace folder where it names none', [], { 'docker-compose.yml': SERVICES }, '.'],
    ['what .env names then', [], { '.env': 'COMPOSE_FILE=x/c.yml:y/d.yml\n', 'x/c.yml': SERVICES }, 'x'],
    ['nobody knows where', '${localEnv:HOME}/c.yml', {}, undefined],
  ])('lies with %s', async (_what, named, files, folder) => {
    const project = await projectOf(named, files);
    expect(project?.folder).toBe(folder === undefined ? undefined : join(w.folder, folder));
  });

  it('tells which services take an image name made of it', async () => {
    const text =
      'services: {app: {build: .}, b-1: {build: {context: .}}, c: {image: c}, d: {image: d, build: .}, "E/x": {build: .}}';
    expect(await projectOf('c.yml', { '.devcontainer/c.yml': text })).toMatchObject({ builds: ['app', 'b-1'] });
  });

  it.each([
    ['an image', { image: 'x' }],
    ['a Dockerfile', { build: { dockerfile: 'Dockerfile' } }],
  ])('is none where %s is what the container is made from', async (_what, more) => {
    expect(await projectOf('c.yml', { '.devcontainer/c.yml': SERVICES }, more)).toBeUndefined();
  });
});

describe('.env in the workspace folder', () => {
  beforeEach(async () => {
    await projectOf('c.yml', { '.devcontainer/c.yml': SERVICES, '.env': 'APP_KEY=1\n' });
  });

  it('is an input in what is obeyed, and else the business of the program', async () => {
    const before = await w.read();
    await w.write('.env', 'APP_KEY=2\nOTHER="x"\n');
    expect(differences(before, await w.read())).toEqual([]);
    await w.write('.env', 'APP_KEY=2\nexport COMPOSE_PROJECT_NAME=x\n');
    const named = await w.read();
    expect(differences(before, named)).toEqual(['./.env']);
    expect((await w.files.contents(w.key))['./.env']).toMatch(/^COMPOSE_PROJECT_NAME sha256 [0-9a-f]{12}\n$/);
    await w.write('.env', 'APP_KEY=3\nexport COMPOSE_PROJECT_NAME=y\n');
    expect(differences(named, await w.read())).toEqual(['./.env']);
  });

  it('is an input as a whole where a service has it', async () => {
    const text = 'services: {app: {image: a, env_file: ../.env}}';
    await w.write('.devcontainer/c.yml', text);
    await w.write('.env', 'APP_KEY=1\nCOMPOSE_PROJECT_NAME=x\n');
    const before = await w.read();
    await w.write('.env', 'APP_KEY=2\nCOMPOSE_PROJECT_NAME=x\n');
    expect(differences(before, await w.read())).toEqual(['./.env']);
  });

  it('says nothing where it is a directory', async () => {
    await w.write('.env', undefined);
    await mkdir(w.path('.env'));
    expect((await w.read()).compose).toMatchObject({ name: 'w_devcontainer', isExplicit: false });
  });

  it('is asked about, and not read, where it leads out of the folder', async () => {
    await w.write('.env', undefined);
    await writeFile(join(w.root, 'outside.env'), 'COMPOSE_PROJECT_NAME=canary\n');
    await symlink(join(w.root, 'outside.env'), w.path('.env'));
    const read = await w.read();
    expect(JSON.stringify(read)).not.toContain('canary');
    expect(read.findings).toMatchObject([{ kind: 'mount', detail: expect.stringContaining('env file of compose') }]);
  });
});
