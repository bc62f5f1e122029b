import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { access, cp, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import type { EntryKey } from '../../src/agentcontainers/model/devcontainer.ts';
import type { DevcontainerCli, UpRequest } from '../../src/agentcontainers/ports.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { createDevcontainerCli } from '../../src/devcontainercli/devcontainer-cli.ts';
import { groupAlive } from '../../src/devcontainercli/process-group.ts';
import { cancelled } from '../../src/errors.ts';
import { silentLogger } from '../../src/logger.ts';
import { failureOf, neverAborted, runUp, successOf } from './support/devcontainer-cli.ts';
import { engineFeatures } from './support/engine-features.ts';

const exec = promisify(execFile);
const dockerHost = process.env['AGENTCONTAINERS_TEST_DOCKER_HOST'];
if (dockerHost === undefined) throw new Error('AGENTCONTAINERS_TEST_DOCKER_HOST must name an engine for tests.');

const fixtures = join(import.meta.dirname, '../fixtures/devcontainers');
const folders: string[] = [];
const made: string[] = [];
let root: string;
let cli: DevcontainerCli;

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'devcontainer-cli-')));
  cli = createDevcontainerCli({
    dockerHost: async () => dockerHost,
    env: { ...process.env, CANARY_TOKEN: 'canary-in-the-daemon' },
    clock: systemClock,
    logger: silentLogger,
  });
});

afterEach(async () => {
  for (const folder of folders.splice(0)) {
    made.push(basename(folder));
    await removeContainersOf(folder);
  }
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
  // The CLI names what it builds after the folder.
  const images = (await docker('images', '--format', '{{.Repository}}')).split('\n');
  const ours = images.filter((image) => made.some((name) => image.startsWith(`vsc-${name}-`)));
  if (ours.length > 0) await docker('rmi', '-f', ...ours);
});

async function docker(...args: string[]): Promise<string> {
  const { stdout } = await exec('docker', args, { env: { ...process.env, DOCKER_HOST: dockerHost }, timeout: 30_000 });
  return stdout.trim();
}

async function containersOf(folder: string): Promise<string[]> {
  const ids = await docker('ps', '-aq', '--no-trunc', '--filter', `label=devcontainer.local_folder=${folder}`);
  return ids.split('\n').filter((id) => id !== '');
}

async function removeContainersOf(folder: string): Promise<void> {
  const ids = await containersOf(folder);
  for (const id of ids) {
    const project = await docker('inspect', '-f', '{{index .Config.Labels "com.docker.compose.project"}}', id);
    if (project !== '') {
      const all = await docker('ps', '-aq', '--filter', `label=com.docker.compose.project=${project}`);
      await docker('rm', '-f', ...all.split('\n'));
      await docker('network', 'rm', `${project}_default`);
    } else {
      await docker('rm', '-f', id);
    }
  }
}

/** A fresh copy of a fixture under a name that nothing else has. */
async function fixture(name: string, config = '.devcontainer/devcontainer.json'): Promise<EntryKey> {
  const workspaceFolder = join(root, `${name}-${randomUUID().slice(0, 8)}`);
  await cp(join(fixtures, name), workspaceFolder, { recursive: true });
  folders.push(workspaceFolder);
  return { workspaceFolder, configPath: join(workspaceFolder, config) };
}

async function withConfig(config: object): Promise<EntryKey> {
  const workspaceFolder = join(root, `own-${randomUUID().slice(0, 8)}`);
  await mkdir(join(workspaceFolder, '.devcontainer'), { recursive: true });
  folders.push(workspaceFolder);
  const configPath = join(workspaceFolder, '.devcontainer/devcontainer.json');
  await writeFile(configPath, JSON.stringify({ image: 'agentcontainers-base:1', init: true, ...config }));
  return { workspaceFolder, configPath };
}

const up = (key: EntryKey, options: Partial<UpRequest> = {}) => runUp(cli, key, options);

async function filesBelow(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).sort();
}

describe('up', () => {
  it('brings an image up, tells the phases, and leaves the workspace as it was', async () => {
    const key = await fixture('image');
    const before = await filesBelow(key.workspaceFolder);
    const run = up(key);
    const outcome = successOf(await run.done);
    expect(await run.ready).toBe(false);
    expect(outcome).toMatchObject({
      remoteUser: 'root',
      remoteWorkspaceFolder: expect.stringMatching(/^\/workspaces\//),
    });
    expect(await containersOf(key.workspaceFolder)).toEqual([outcome.containerId]);
    expect(run.progress.map((step) => step.phase)).toContain('create');
    expect(run.progress.some((step) => step.text.includes('Container started'))).toBe(true);
    expect(await filesBelow(key.workspaceFolder)).toEqual(before);
    expect(
      await docker('inspect', '-f', '{{index .Config.Labels "devcontainer.config_file"}}', outcome.containerId),
    ).toBe(key.configPath);
  });

  it('starts the container that is there, and makes one beside it when told to', async () => {
    const key = await fixture('image');
    const first = successOf(await up(key).done);
    expect(successOf(await up(key, { mode: 'find' }).done).containerId).toBe(first.containerId);
    const second = successOf(await up(key).done);
    expect(second.containerId).not.toBe(first.containerId);
    const both = [second.containerId, first.containerId];
    expect((await containersOf(key.workspaceFolder)).toSorted()).toEqual(both.toSorted());
    const found = successOf(await up(key, { mode: 'find' }).done).containerId;
    expect(found).toBeOneOf(engineFeatures().listsNewestFirst ? [second.containerId] : both);
  });

  it('builds a Dockerfile and shows its steps', async () => {
    const key = await fixture('dockerfile');
    const run = up(key);
    const { containerId } = successOf(await run.done);
    expect(await docker('exec', containerId, 'cat', '/greeting')).toBe('hello from the Dockerfile');
    const build = run.progress.filter((step) => step.phase === 'build' && step.level >= 3).map((step) => step.text);
    expect(build.join('\n')).toContain('RUN echo');
  });

  it('installs a local feature and runs its hook without writing a lock file', async () => {
    const key = await fixture('local-feature');
    const before = await filesBelow(key.workspaceFolder);
    const run = up(key);
    const { containerId } = successOf(await run.done);
    expect(await run.ready).toBe(true);
    expect(await docker('exec', containerId, 'cat', '/greeting')).toBe('good morning from the feature');
    expect(run.progress).toContainEqual(
      expect.objectContaining({ phase: 'postCreateCommand', text: 'hook of the feature', level: 3 }),
    );
    expect(await filesBelow(key.workspaceFolder)).toEqual(before);
  });

  it('holds to a lock file that is there, and says what to do when it does not fit', async () => {
    const key = await fixture('local-feature');
    const lock = join(key.workspaceFolder, '.devcontainer/devcontainer-lock.json');
    await writeFile(lock, '{ "features": {} }');
    successOf(await up(key).done);
    await writeFile(lock, '{ "features": { "gone": { "version": "1.0.0" } } }');
    const outcome = failureOf(await up(key).done);
    expect(outcome.message).toContain('the lock file of the features does not match');
    expect(outcome.message).toContain('devcontainer upgrade');
  });

  it('brings a compose project up with its sibling', async () => {
    const key = await fixture('compose');
    const run = up(key);
    const outcome = successOf(await run.done);
    expect(outcome.remoteWorkspaceFolder).toBe('/workspace');
    const project = await docker(
      'inspect',
      '-f',
      '{{index .Config.Labels "com.docker.compose.project"}}',
      outcome.containerId,
    );
    const services = await docker(
      'ps',
      '--filter',
      `label=com.docker.compose.project=${project}`,
      '--format',
      '{{.Label "com.docker.compose.service"}}',
    );
    expect(services.split('\n').sort()).toEqual(['main', 'sibling']);
    expect(
      run.progress
        .filter((step) => step.phase === 'create')
        .map((step) => step.text)
        .join('\n'),
    ).toContain('_main_1');
  });

  it('takes the named configuration of a folder with two', async () => {
    const key = await fixture('two-configurations', '.devcontainer/web/devcontainer.json');
    const { containerId } = successOf(await up(key).done);
    expect(await docker('inspect', '-f', '{{index .Config.Labels "devcontainer.config_file"}}', containerId)).toBe(
      key.configPath,
    );
  });

  it('reports a failing hook readably, with the container that is there all the same', async () => {
    const key = await fixture('failing-hook');
    const run = up(key);
    const outcome = failureOf(await run.done);
    expect(await run.ready).toBe(true);
    expect(outcome).toMatchObject({ phase: 'postCreateCommand', exitCode: 1 });
    expect(outcome.outputTail.split('\n').sort()).toEqual(['installing', 'the thing is not there']);
    expect(outcome.command).toContain('exit 1');
    expect(outcome.message).toBe(
      'Running the postCreateCommand failed: it exited with code 1. The container is there all the same. Correct the postCreateCommand and recreate.',
    );
    expect(await containersOf(key.workspaceFolder)).toEqual([outcome.containerId]);
  });

  it('reports a failing build with the output of the failing step only', async () => {
    const key = await fixture('dockerfile');
    const reason = `reason-${randomUUID()}`;
    await writeFile(
      join(key.workspaceFolder, '.devcontainer/Dockerfile'),
      `FROM agentcontainers-base:1\nRUN echo ${reason} >&2 && exit 7\n`,
    );
    const outcome = failureOf(await up(key).done);
    // The builder leaves the container of the failed step behind.
    const left = (await docker('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Command}}')).split('\n');
    for (const line of left.filter((text) => text.includes(reason))) await docker('rm', line.split(' ')[0] ?? '');
    expect(outcome).toMatchObject({ phase: 'build', exitCode: 7 });
    expect(outcome.containerId).toBeUndefined();
    expect(outcome.outputTail).toContain(reason);
    expect(outcome.message).toMatch(/^Building the image failed: `echo reason-.* exited with code 7\. /);
    expect(JSON.stringify(outcome)).not.toMatch(/at async|devContainersSpecCLI|\\u001b/);
  });

  it('reports a failing hook on the host before there is a container', async () => {
    const key = await withConfig({ initializeCommand: 'echo on the host; exit 3' });
    const outcome = failureOf(await up(key).done);
    expect(outcome).toMatchObject({ phase: 'initializeCommand', outputTail: 'on the host' });
    expect(outcome.containerId).toBeUndefined();
  });

  it('is ready before it is done when a hook goes on after waitFor', async () => {
    const key = await fixture('slow-hook');
    const order: string[] = [];
    const run = up(key);
    void run.ready.then((ready) => order.push(`ready ${ready}`));
    await run.done.then((outcome) => order.push(`done ${outcome.outcome}`));
    expect(order).toEqual(['ready true', 'done success']);
    const slow = run.progress.filter((step) => step.phase === 'postCreateCommand').map((step) => step.text);
    expect(slow).toContain('slow is done');
  });

  it('makes nothing from a truncated configuration', async () => {
    const key = await fixture('broken-json');
    const outcome = failureOf(await up(key).done);
    expect(outcome.phase).toBe('configuration');
    expect(outcome.message).toMatch(/unexpected end of string at line 4, column \d+/);
    expect(await containersOf(key.workspaceFolder)).toEqual([]);
  });

  it('says so when the engine is not there', async () => {
    const key = await fixture('image');
    const nowhere = createDevcontainerCli({
      dockerHost: async () => `unix://${root}/nowhere.sock`,
      clock: systemClock,
      logger: silentLogger,
    });
    const run = nowhere.up({ key, mode: 'make', onProgress: () => {}, signal: neverAborted });
    const outcome = failureOf(await run.done);
    expect(outcome.message).toMatch(/Cannot connect to the Docker daemon.*Check that the container engine is running/);
  });

  it('ends every process of the group when it is cancelled in the middle of a hook on the host', async () => {
    const key = await withConfig({
      initializeCommand: 'echo $$ > "$PWD/pid"; trap "" TERM; while :; do sleep 0.2; done',
    });
    const abort = new AbortController();
    const run = up(key, { signal: abort.signal });
    const pidFile = join(key.workspaceFolder, 'pid');
    await vi.waitFor(() => access(pidFile), { timeout: 20_000 });
    const { stdout } = await exec('ps', ['-o', 'pgid=', '-p', (await exec('cat', [pidFile])).stdout.trim()]);
    const group = Number(stdout);
    expect(groupAlive(group)).toBe(true);
    abort.abort(cancelled('superseded'));
    await expect(run.done).rejects.toMatchObject({ code: 'cancelled', details: { reason: 'superseded' } });
    expect(groupAlive(group)).toBe(false);
    expect(await run.ready).toBe(false);
    expect(await containersOf(key.workspaceFolder)).toEqual([]);
  });

  it('ends the CLI when it is cancelled in the middle of a hook in the container', async () => {
    const key = await withConfig({ postCreateCommand: 'echo begun; sleep 300' });
    const abort = new AbortController();
    const run = up(key, { signal: abort.signal });
    expect(await run.ready).toBe(true);
    await vi.waitFor(() => expect(run.progress.map((step) => step.text)).toContain('begun'), { timeout: 20_000 });
    abort.abort(cancelled('deleted'));
    await expect(run.done).rejects.toMatchObject({ code: 'cancelled' });
    // Tests beside this one run programs with megabytes of arguments.
    const { stdout } = await exec('ps', ['-eo', 'args'], { maxBuffer: 256 * 1024 * 1024 });
    expect(stdout.split('\n').filter((args) => args.includes(key.workspaceFolder))).toEqual([]);
  });

  it('keeps the environment of this process away from the workspace', async () => {
    const key = await withConfig({
      initializeCommand: 'env > "$PWD/host-env"',
      containerEnv: { FROM_HOST: '${localEnv:CANARY_TOKEN:nothing}' },
    });
    const { containerId } = successOf(await up(key).done);
    expect(await docker('exec', containerId, 'sh', '-c', 'echo $FROM_HOST')).toBe('nothing');
    const { stdout } = await exec('cat', [join(key.workspaceFolder, 'host-env')]);
    expect(stdout).not.toContain('canary-in-the-daemon');
    expect(stdout).toContain(`DOCKER_HOST=${dockerHost}`);
  });
});

describe('readConfiguration', () => {
  it('gives the layers of a feature and the root, root last, also where the root lacks a namespace', async () => {
    const key = await fixture('local-feature');
    const before = await filesBelow(key.workspaceFolder);
    const expected = [
      {
        agentcontainers: { ignore: true, apps: [{ slug: 'from-feature' }] },
        vscode: { extensions: ['feature.extension'] },
      },
      { vscode: { extensions: ['root.extension'] } },
    ];
    const merged = await cli.readConfiguration({ key, signal: neverAborted });
    expect(merged.customizations.map((layer) => ({ ...layer }))).toEqual(expected);
    const { containerId } = successOf(await up(key).done);
    const ofContainer = await cli.readConfiguration({ key, containerId, signal: neverAborted });
    expect(ofContainer.customizations.map((layer) => ({ ...layer }))).toEqual(expected);
    expect(await filesBelow(key.workspaceFolder)).toEqual(before);
  });

  it('gives user, environment and folder', async () => {
    const key = await fixture('apps');
    const { containerId } = successOf(await up(key).done);
    const merged = await cli.readConfiguration({ key, containerId, signal: neverAborted });
    expect(merged).toMatchObject({
      remoteUser: 'dev',
      remoteEnv: { FIXTURE: 'apps', UNSET: null },
      workspaceFolder: expect.stringMatching(/^\/workspaces\/apps-/),
    });
    expect(merged.customizations.at(-1)).toMatchObject({
      agentcontainers: { name: 'my-agent' },
      coder: { apps: [{ slug: 'preview' }] },
    });
  });

  it('gives the folder of a compose configuration', async () => {
    const key = await fixture('compose');
    const { workspaceFolder } = await cli.readConfiguration({ key, signal: neverAborted });
    expect(workspaceFolder).toBe('/workspace');
  });

  it('refuses a truncated configuration, which the CLI alone would accept', async () => {
    const key = await fixture('broken-json');
    await expect(cli.readConfiguration({ key, signal: neverAborted })).rejects.toMatchObject({
      code: 'cli-failed',
      message: expect.stringContaining('line 4'),
    });
  });

  it('reports without a stack trace that a container is gone', async () => {
    const key = await fixture('image');
    const request = { key, containerId: 'f'.repeat(64), signal: neverAborted };
    const error: unknown = await cli.readConfiguration(request).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'cli-failed' });
    expect(JSON.stringify(error) + String(error)).not.toMatch(/at async|devContainersSpecCLI/);
  });
});

it('tells the version of the CLI', async () => {
  expect(await cli.version(neverAborted)).toBe('0.89.0');
});
