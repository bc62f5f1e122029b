import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { AgentContainersOptions, Devcontainer } from '../../src/index.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import { startLibrary, type Library } from './support/library.ts';

// Whose containers and volumes are touched when names of compose projects are the same: real engine, real CLI.

// A run of compose takes seconds, and far longer on a machine that is busy.
vi.setConfig({ testTimeout: 180_000 });

const engine = testEngine();
let library: Library;
beforeAll(async () => {
  await start();
});
afterEach(async () => {
  const volumes = (await engine.docker('volume', 'ls', '-q'))
    .split('\n')
    .filter((name) => name.startsWith(engine.prefix));
  const containers = (await engine.docker('ps', '-aq', '--filter', `name=${engine.prefix}`))
    .split('\n')
    .filter(Boolean);
  if (containers.length > 0) await engine.docker('rm', '-f', ...containers);
  for (const volume of volumes) await engine.docker('volume', 'rm', '-f', volume).catch(() => {});
});
afterAll(async () => {
  await library?.api.close();
  await engine.cleanup();
});

async function start(options: AgentContainersOptions = {}): Promise<void> {
  await library?.api.close();
  library = await startLibrary(engine, { stopGraceSeconds: 1, injectSubAgents: false, trust: 'all', ...options });
}

const compose = (volume: string): string => `services:
  app:
    image: ${BASE_IMAGE}
    command: sleep 3600
    stop_grace_period: 0s
    volumes: ["..:/workspace", "${volume}:/data"]
volumes:
  ${volume}: {}
`;
const CONFIG = { dockerComposeFile: 'compose.yml', service: 'app', workspaceFolder: '/workspace' };

async function write(folder: string, config: object, files: Record<string, string> = {}): Promise<string> {
  const all = { '.devcontainer/devcontainer.json': JSON.stringify(config), ...files };
  for (const [name, text] of Object.entries(all)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

/** Somebody else's project that runs, with a volume; the id of its container. */
async function victimOf(project: string): Promise<{ id: string; folder: string }> {
  const folder = await write(await engine.makeFolder('victim'), {}, { 'c/compose.yml': compose('db') });
  const env = { ...process.env, DOCKER_HOST: engine.dockerHost };
  const args = ['-p', project, '-f', join(folder, 'c/compose.yml'), 'up', '-d'];
  await promisify(execFile)('docker-compose', args, { env, timeout: 60_000 });
  const id = await engine.docker('ps', '-q', '--no-trunc', '--filter', `label=com.docker.compose.project=${project}`);
  return { id, folder: join(folder, 'c') };
}

async function isUntouched(project: string, id: string): Promise<boolean> {
  const running = await engine.docker(
    'ps',
    '-q',
    '--no-trunc',
    '--filter',
    `label=com.docker.compose.project=${project}`,
  );
  const volume = await engine.docker('volume', 'ls', '-q', '--filter', `label=com.docker.compose.project=${project}`);
  const network = await engine.docker('network', 'ls', '-q', '--filter', `label=com.docker.compose.project=${project}`);
  return running === id && volume === `${project}_db` && network !== '';
}

async function up(workspaceFolder: string): Promise<Devcontainer> {
  const { operation, done } = await library.api.create({ workspaceFolder });
  const ended = await done;
  if (ended.status !== 'succeeded') throw new Error(ended.error);
  return library.api.get(operation.devcontainerId);
}

const projectOf = async (one: Devcontainer): Promise<string> =>
  engine.docker('inspect', '-f', '{{index .Config.Labels "com.docker.compose.project"}}', one.container?.id ?? '');

it('a folder that calls its project like another one runs nothing in that one, trusted or not', async () => {
  const project = `${engine.prefix}-victim`;
  const victim = await victimOf(project);
  const folder = await write(
    await engine.makeFolder('hostile'),
    { ...CONFIG, postAttachCommand: 'touch /was-here' },
    { '.devcontainer/compose.yml': compose('db'), '.env': `COMPOSE_PROJECT_NAME=${project}\n` },
  );
  await start({ trust: 'ask' });
  await expect(up(folder)).rejects.toMatchObject({
    code: 'devcontainer-not-trusted',
    details: { findings: [{ detail: `variable COMPOSE_PROJECT_NAME of compose: ${project}` }] },
  });
  await start();
  const made = await up(folder);
  expect(made).toMatchObject({ status: 'running' });
  expect(made.container?.id).not.toBe(victim.id);
  expect(await projectOf(made)).toMatch(new RegExp(`^${project}-[0-9a-f]{12}$`));
  expect(await library.logText(made.id)).toContain(victim.folder);
  expect(await engine.docker('exec', victim.id, 'ls', '/')).not.toContain('was-here');
  await library.api.remove(made.id, { volumes: 'named' });
  expect(await isUntouched(project, victim.id)).toBe(true);
});

it('two clones of one repository that are brought up at once have a container and a volume each', async () => {
  const name = `${engine.prefix}-app`;
  const [one = '', two = ''] = await Promise.all(
    ['one', 'two'].map(async (clone) =>
      write(
        join(await engine.makeFolder(clone), name),
        // Those after it go on when it is up.
        { ...CONFIG, onCreateCommand: `echo ${clone} >/data/who` },
        {
          '.devcontainer/compose.yml': compose('data'),
        },
      ),
    ),
  );
  const clones = await Promise.all([up(one), up(two)]);
  const projects = await Promise.all(clones.map(projectOf));
  expect(projects.filter((project) => project === `${name}_devcontainer`)).toHaveLength(1);
  expect(new Set(projects).size).toBe(2);
  for (const [index, clone] of clones.entries()) {
    expect(await engine.docker('exec', clone.container?.id ?? '', 'cat', '/data/who')).toBe(['one', 'two'][index]);
  }
  const [first, second] = clones;
  if (!first || !second) throw new Error('There are two.');
  // A recreate stays with what there is.
  expect(await (await library.api.recreate(second.id)).done).toMatchObject({ status: 'succeeded' });
  expect(await projectOf(await library.api.get(second.id))).toBe(projects[1]);
  // What goes with one of them leaves the other one alone.
  await library.api.remove(first.id, { volumes: 'named' });
  expect(await library.api.get(second.id)).toMatchObject({ status: 'running' });
  const volumes = await engine.docker('volume', 'ls', '-q', '--filter', `name=${name}`);
  expect(volumes).toBe(`${projects[1]}_data`);
});

it('an image with labels of a project makes no part of that project ours', async () => {
  const project = `${engine.prefix}-prod`;
  const victim = await victimOf(project);
  const labels = {
    'com.docker.compose.project': project,
    'com.docker.compose.project.working_dir': victim.folder,
    'com.docker.compose.service': 'app',
  };
  const folder = await write(
    await engine.makeFolder('forged'),
    { build: { dockerfile: 'Dockerfile' }, dockerComposeFile: 'compose.yml', service: 'app' },
    {
      '.devcontainer/compose.yml': compose('db'),
      '.devcontainer/Dockerfile': `FROM ${BASE_IMAGE}\n${Object.entries(labels)
        .map(([name, value]) => `LABEL ${name}="${value}"\n`)
        .join('')}`,
    },
  );
  await start({ trust: 'ask' });
  await expect(up(folder)).rejects.toThrow('not trusted');
  const refused = await library.until(folder, 'the findings', ({ verdict }) => (verdict?.findings.length ?? 0) > 0);
  expect(refused.verdict?.findings.map(({ detail }) => detail)).toEqual(
    Object.entries(labels)
      .map(([name, value]) => `label ${name}: ${value}`)
      .toSorted(),
  );
  await start();
  const made = await up(folder);
  expect(await projectOf(made)).toBe(project);
  // Now the configuration is a compose one; its container still is not.
  const config = join(folder, '.devcontainer/devcontainer.json');
  const isBuilt = await readFile(config, 'utf8');
  for (const text of [isBuilt, JSON.stringify({ ...CONFIG, workspaceFolder: '/' })]) {
    await writeFile(config, text);
    await (
      await library.api.stopDevcontainer(made.id)
    ).done;
    expect(await isUntouched(project, victim.id)).toBe(true);
    const started = await (await library.api.startDevcontainer(made.id)).done;
    expect(started).toMatchObject({ status: text === isBuilt ? 'succeeded' : 'failed' });
    if (text !== isBuilt) expect(started.error).toContain(`agentcontainers recreate ${made.name}`);
  }
  await library.api.remove(made.id, { volumes: 'named' });
  expect(await isUntouched(project, victim.id)).toBe(true);
});
