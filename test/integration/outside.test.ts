import { execFile } from 'node:child_process';
import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Devcontainer } from '../../src/index.ts';
import { subAgentsIn } from './support/container-processes.ts';
import { engineFeatures, eventsSince } from './support/engine-features.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import { timed } from './support/eventually.ts';
import { CONFIG, hasAgent, startLibrary, writeConfig, type Library } from './support/library.ts';

// Containers that others made: those that are ours to work in, and those that are not.

const exec = promisify(execFile);
const engine = testEngine();
/** Makes folders outside the roots of the library. */
const foreign = testEngine();
let library: Library;
beforeAll(async () => {
  library = await startLibrary(engine);
});
afterAll(async () => {
  await library?.api.close();
  await engine.cleanup();
  await foreign.cleanup();
});

/** The labels and the mount that the devcontainer CLI gives to a container. */
function asDevcontainer(folder: string): string[] {
  const labels = [`devcontainer.local_folder=${folder}`, `devcontainer.config_file=${join(folder, CONFIG)}`];
  return [
    '--init',
    ...labels.flatMap((label) => ['--label', label]),
    '-v',
    `${folder}:/workspaces/${basename(folder)}`,
  ];
}

function run(folder: string, ...options: string[]): Promise<string> {
  return engine.docker('run', '-d', ...asDevcontainer(folder), ...options, BASE_IMAGE, 'sleep', 'infinity');
}

function create(folder: string, ...options: string[]): Promise<string> {
  return engine.docker('create', ...asDevcontainer(folder), ...options, BASE_IMAGE, 'sleep', 'infinity');
}

describe('a container that the devcontainer CLI made outside of us', () => {
  it('is picked up and injected, and dirty once its file changes', async () => {
    const folder = await engine.copyFixture('image');
    const cli = createRequire(import.meta.url).resolve('@devcontainers/cli/devcontainer.js');
    const { stdout } = await exec(process.execPath, [cli, 'up', '--workspace-folder', folder], {
      env: { ...process.env, DOCKER_HOST: engine.dockerHost },
      timeout: 50_000,
    });
    const { containerId } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { containerId: string };
    const seen = await timed('end of the CLI to the sub-agent', () => library.injected(folder));
    expect(seen.containerId).toBe(containerId);
    expect(seen.devcontainer).toMatchObject({ level: 'adopted', dirty: false, configPath: join(folder, CONFIG) });

    const path = join(folder, CONFIG);
    const before = await readFile(path, 'utf8');
    await writeFile(path, before.replace('"image",\n', '"other",\n'));
    await library.until(folder, 'dirty', ({ dirty }) => dirty);
    await writeFile(path, before);
    await library.until(folder, 'clean', ({ dirty }) => !dirty);
  });

  it('is picked up when it is only started again', async () => {
    const folder = await engine.copyFixture('image');
    const id = await create(folder);
    const stopped = await library.until(folder, 'listed', () => true);
    expect(stopped).toMatchObject({ status: 'stopped', container: { id } });
    const seen = await timed('docker start to the sub-agent', async () => {
      await engine.docker('start', id);
      return library.injected(folder);
    });
    expect(seen.containerId).toBe(id);
  });
});

describe('of several containers for one folder', () => {
  it('the one that runs is chosen and injected although the stopped one is newer', async () => {
    const folder = await engine.copyFixture('image');
    const old = await run(folder, '--name', `${engine.prefix}-old`);
    await library.injected(folder);
    const stale = await create(folder, '--name', `${engine.prefix}-stale`);
    const seen = await library.until(folder, 'both', ({ candidates }) => candidates?.length === 1);
    expect(seen).toMatchObject({ status: 'running', container: { id: old } });
    expect(seen.candidates).toMatchObject([
      { containerId: stale, name: `${engine.prefix}-stale`, reason: expect.stringContaining('created') },
    ]);
    expect(await subAgentsIn(engine, old)).toHaveLength(1);

    // When the chosen one goes, the next takes its place.
    await engine.docker('start', stale);
    await engine.docker('rm', '-f', old);
    const isAlone = (one: Devcontainer): boolean => one.container?.id === stale && !one.candidates;
    const next = await library.until(folder, 'the other one', (one) => isAlone(one) && hasAgent(one));
    expect(next.id).toBe(seen.id);
    expect(await subAgentsIn(engine, stale)).toHaveLength(1);
  });

  it('the one that runs is chosen by a library that comes later, whichever is older', async () => {
    const folder = await engine.copyFixture('image');
    const stopped = await create(folder);
    const running = await run(folder);
    const newest = await create(folder);
    await using later = await startLibrary(engine, { injectSubAgents: false });
    const [seen] = (await later.api.list()).devcontainers.filter(({ workspaceFolder }) => workspaceFolder === folder);
    expect(seen).toMatchObject({ status: 'running', container: { id: running } });
    expect(new Set(seen?.candidates?.map(({ containerId }) => containerId))).toEqual(new Set([newest, stopped]));
    expect((await library.injected(folder)).containerId).toBe(running);
  });
});

describe('a container outside the roots', () => {
  it('is listed, and never entered, written to or watched', async () => {
    const since = await engine.docker('info', '--format', '{{.SystemTime}}');
    const folder = await foreign.copyFixture('image');
    const mine = await engine.copyFixture('image');
    const id = await run(folder);
    const control = await run(mine);
    await library.injected(mine);

    const seen = await library.until(folder, 'listed', ({ status }) => status === 'running');
    expect(seen).toMatchObject({ level: 'seen', dirty: false, subAgentId: null });
    expect(seen.agent).toBeUndefined();
    await library.api.refresh();
    await engine.docker('restart', '-t', '0', id);
    await library.api.refresh();
    for (const refused of [
      () => library.api.recreate(seen.id),
      () => library.api.stopDevcontainer(seen.id),
      () => library.api.startDevcontainer(seen.id),
      () => library.api.remove(seen.id),
      () => library.api.exec(seen.id, { argv: ['true'] }),
    ]) {
      await expect(refused()).rejects.toMatchObject({ code: 'devcontainer-not-adopted' });
    }

    const events = await eventsOf(since);
    const done = (container: string): string[] =>
      events.filter((event) => event.id === container).map((event) => event.action);
    // What is looked for is there where it must be.
    const signs = engineFeatures().eventsTellExecs ? ['exec_create', 'exec_start', 'extract-to-dir'] : ['exec'];
    expect(done(control)).toEqual(expect.arrayContaining(signs));
    expect(await engine.docker('diff', control)).toContain('/.agentcontainers');
    const touched = /^(exec|extract|archive|copy|attach|top|export)/;
    expect(done(id)).toContain('start');
    expect(done(id).filter((action) => touched.test(action))).toEqual([]);
    expect(await engine.docker('diff', id)).not.toContain('/.agentcontainers');

    const watched = await watchedInodes();
    const inode = async (path: string): Promise<number> => (await stat(path)).ino;
    expect(watched).toContain(await inode(dirname(join(mine, CONFIG))));
    expect(watched).not.toContain(await inode(dirname(join(folder, CONFIG))));
    expect(watched).not.toContain(await inode(folder));
    expect((await library.api.list()).devcontainers.find((one) => one.workspaceFolder === folder)?.container?.id).toBe(
      id,
    );
  });

  it('does not disturb ours when it is broken', async () => {
    const mine = await engine.copyFixture('image');
    const { devcontainer, agentPid } = await library.up(mine);
    await engine.docker(
      ...['create', '--label', engine.label, '--label', 'devcontainer.local_folder=/no/such/../folder', '--label'],
      ...['devcontainer.metadata={"broken', BASE_IMAGE],
    );
    await library.until('/no/folder', 'listed', ({ level }) => level === 'seen');
    expect(await library.api.get(devcontainer.id)).toMatchObject({ status: 'running', agent: { status: 'running' } });
    expect(await subAgentsIn(engine, devcontainer.container?.id ?? '')).toEqual([agentPid]);
  });
});

describe('an image that forges the label of a folder', () => {
  it('gets nothing of what belongs to the folder: not entered, not linked', async () => {
    const since = await engine.docker('info', '--format', '{{.SystemTime}}');
    const folder = await engine.copyFixture('image');
    const unused = await engine.makeFolder('unused');
    await writeConfig(unused, { image: BASE_IMAGE });
    const { devcontainer, containerId, agentPid } = await library.up(folder);
    const [forged, alone] = await Promise.all(
      [folder, unused].map(async (claimed, index) => {
        const context = await engine.makeFolder('context');
        await writeFile(
          join(context, 'Dockerfile'),
          `FROM ${BASE_IMAGE}\nLABEL devcontainer.local_folder=${claimed}\nLABEL devcontainer.config_file=${claimed}/${CONFIG}\n`,
        );
        const image = `${engine.prefix}-forged-${index}`;
        await engine.docker('build', '-q', '-t', image, context);
        return engine.docker('run', '-d', '--init', image, 'sleep', 'infinity');
      }),
    );
    const listed = await library.until(unused, 'listed', ({ container }) => container?.id === alone);
    expect(listed).toMatchObject({ level: 'seen', subAgentId: null });
    await library.api.refresh();
    const after = await library.api.get(devcontainer.id);
    expect(after).toMatchObject({ container: { id: containerId }, status: 'running', agent: { status: 'running' } });
    expect(await subAgentsIn(engine, containerId)).toEqual([agentPid]);
    // Also when it is the only one that runs.
    await engine.docker('kill', containerId);
    await library.until(folder, 'stopped', ({ status }) => status === 'stopped');
    await library.api.refresh();
    expect((await library.api.get(devcontainer.id)).container?.id).toBe(containerId);

    const entered = (await eventsOf(since)).filter(
      ({ id, action }) => (id === forged || id === alone) && /^(exec|extract|archive)/.test(action),
    );
    expect(entered).toEqual([]);
  });
});

/** What the engine says that was done to containers since then. */
async function eventsOf(since: string): Promise<{ id: string; action: string }[]> {
  const text = await eventsSince(engine.docker, since);
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { Type: string; id: string; Action: string })
    .filter(({ Type }) => Type === 'container')
    .map(({ id, Action }) => ({ id, action: Action.split(':', 1)[0] ?? '' }));
}

/** Of everything that this process, in which the library runs, watches. */
async function watchedInodes(): Promise<number[]> {
  const inodes: number[] = [];
  for (const descriptor of await readdir('/proc/self/fdinfo')) {
    const text = await readFile(`/proc/self/fdinfo/${descriptor}`, 'utf8').catch(() => '');
    for (const [, hex] of text.matchAll(/^inotify .*\bino:([0-9a-f]+)/gm)) inodes.push(Number.parseInt(hex ?? '', 16));
  }
  return inodes;
}
