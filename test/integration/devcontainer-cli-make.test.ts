import { writeFileSync } from 'node:fs';
import { access, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { groupAlive } from '../../src/devcontainercli/process-group.ts';
import { cancelled } from '../../src/errors.ts';
import {
  containersOf,
  cliFor,
  failureOf,
  featureFiles,
  labelsOf,
  neverAborted,
  runBuild,
  runUp,
  successOf,
  workspaceWith,
} from './support/devcontainer-cli.ts';
import { engineFeatures } from './support/engine-features.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';

const engine = testEngine();
const cli = cliFor(engine);
afterAll(() => engine.cleanup());

const labels = (generation: string) => ({
  'agentcontainers.generation': generation,
  'agentcontainers.fingerprint': 'f=1',
});
const environmentOf = (id: string, name: string) => engine.docker('exec', id, 'sh', '-c', `echo "$${name}"`);

/** A directory of the host with one file. */
async function store(): Promise<string> {
  const folder = await engine.makeFolder(engineFeatures().mountsPathsWithCommas ? 'store, with a comma' : 'store');
  await writeFile(join(folder, 'tool'), 'content');
  return folder;
}

async function cannotWrite(id: string, target: string): Promise<void> {
  expect(await engine.docker('exec', id, 'cat', `${target}/tool`)).toBe('content');
  for (const command of [`echo x > '${target}/tool'`, `touch '${target}/new'`, `rm '${target}/tool'`]) {
    await expect(engine.docker('exec', '-u', '0', id, 'sh', '-c', command)).rejects.toThrow('Read-only file system');
  }
}

describe('an up that makes a container', () => {
  it('makes it beside the one that runs, with our labels, and finds each again', async () => {
    const key = await workspaceWith(engine, { containerEnv: { ID: '${devcontainerId}' } });
    const old = successOf(await runUp(cli, key, { labels: labels('g1') }).done).containerId;
    const next = successOf(await runUp(cli, key, { labels: labels('g2') }).done).containerId;
    expect(await containersOf(engine, key.workspaceFolder)).toEqual([next, old]);
    expect(await labelsOf(engine, next)).toMatchObject({
      ...labels('g2'),
      'devcontainer.local_folder': key.workspaceFolder,
      'devcontainer.config_file': key.configPath,
    });
    expect(await engine.docker('inspect', '-f', '{{.State.Status}}', old)).toBe('running');

    const find = (generation?: string) =>
      runUp(cli, key, { mode: 'find', labels: generation === undefined ? {} : labels(generation) }).done;
    await engine.docker('stop', '-t', '0', old);
    expect(successOf(await find('g1')).containerId).toBe(old);
    expect(await engine.docker('inspect', '-f', '{{.State.Status}}', old)).toBe('running');
    expect(successOf(await find('g2')).containerId).toBe(next);
    // Without our labels it takes the first that the engine lists.
    expect(successOf(await find()).containerId).toBeOneOf(engineFeatures().listsNewestFirst ? [next] : [next, old]);
  });

  it('gives every container of a configuration the same id, by which features name their volumes', async () => {
    const feature = featureFiles('true', 'volume', {
      mounts: [{ type: 'volume', source: `${engine.prefix}-\${devcontainerId}`, target: '/kept' }],
      containerEnv: { FROM_FEATURE: '${devcontainerId}' },
    });
    const config = { image: BASE_IMAGE, features: { './volume': {} }, containerEnv: { ID: '${devcontainerId}' } };
    const key = await workspaceWith(engine, config, feature);
    // As another tool makes it, which knows nothing of our labels.
    const plain = successOf(await runUp(cli, key).done).containerId;
    await engine.docker('exec', plain, 'sh', '-c', 'echo data > /kept/file');
    const made = successOf(await runUp(cli, key, { labels: labels('g1') }).done).containerId;
    expect(await environmentOf(made, 'ID')).toBe(await environmentOf(plain, 'ID'));
    expect(await engine.docker('exec', made, 'cat', '/kept/file')).toBe('data');
    const volume = `${engine.prefix}-${await environmentOf(made, 'ID')}`;
    await engine.docker('rm', '-f', plain, made);
    await engine.docker('volume', 'rm', volume);
  });

  it('mounts a directory so that the container cannot write it', async () => {
    const source = await store();
    const target = engineFeatures().mountsPathsWithCommas ? '/.store/x, y' : '/.store/x y';
    for (const config of [{}, { build: { dockerfile: 'Dockerfile' }, runArgs: ['--hostname', 'own'] }]) {
      const key = await workspaceWith(engine, config, { '.devcontainer/Dockerfile': `FROM ${BASE_IMAGE}\n` });
      const readOnlyMounts = [{ source, target }];
      const { containerId } = successOf(await runUp(cli, key, { labels: labels('g1'), readOnlyMounts }).done);
      await cannotWrite(containerId, target);
      if ('runArgs' in config) expect(await engine.docker('exec', containerId, 'hostname')).toBe('own');
      // Neither the image nor another tool learns of it.
      expect(JSON.stringify(await labelsOf(engine, containerId))).not.toContain('.store');
    }
  });

  it('lets no argument of the workspace change our labels', async () => {
    const runArgs = ['--label', 'agentcontainers.generation=forged'];
    const key = await workspaceWith(engine, { runArgs });
    const { containerId } = successOf(await runUp(cli, key, { labels: labels('real') }).done);
    expect(await labelsOf(engine, containerId)).toMatchObject(labels('real'));
  });

  it('keeps remoteEnv out of the labels, and gives it all the same', async () => {
    const key = await workspaceWith(engine, {
      remoteEnv: { PLACE: 'not-for-labels' },
      postCreateCommand: 'echo "[$PLACE]"',
    });
    const run = runUp(cli, key);
    const { containerId } = successOf(await run.done);
    expect(run.progress.map((step) => step.text)).toContain('[not-for-labels]');
    expect(JSON.stringify(await labelsOf(engine, containerId))).not.toContain('not-for-labels');
    const merged = await cli.readConfiguration({ key, containerId, signal: neverAborted });
    expect(merged.remoteEnv).toEqual({ PLACE: 'not-for-labels' });
    expect(merged.hooks).toEqual({ postCreateCommand: ['echo "[$PLACE]"'] });
  });

  it('refuses a path in which the CLI would look for its container in vain, for ever', async () => {
    const key = await workspaceWith(engine, {});
    const odd = { workspaceFolder: `${key.workspaceFolder}=x`, configPath: key.configPath };
    expect(failureOf(await runUp(cli, odd).done)).toMatchObject({
      phase: 'configuration',
      message: expect.stringContaining('a path that contains `=`. Rename the folder'),
    });
  });
});

describe('an up that finds a container', () => {
  it('makes none when there is none', async () => {
    const key = await workspaceWith(engine, {});
    expect(failureOf(await runUp(cli, key, { mode: 'find' }).done).message).toMatch(/does not exist/);
    expect(await containersOf(engine, key.workspaceFolder)).toEqual([]);
  });

  it('finds one that was made by an older version of the CLI, which knew one label only', async () => {
    const key = await workspaceWith(engine, {});
    const label = `devcontainer.local_folder=${key.workspaceFolder}`;
    const id = await engine.docker('create', '--init', '--label', label, BASE_IMAGE, 'sleep', '3600');
    expect(successOf(await runUp(cli, key, { mode: 'find' }).done).containerId).toBe(id);
  });

  it('leaves the labels of what is there as they are', async () => {
    const key = await workspaceWith(engine, {});
    const { containerId } = successOf(await runUp(cli, key, { labels: labels('g1') }).done);
    const before = await labelsOf(engine, containerId);
    await engine.docker('stop', '-t', '0', containerId);
    const request = { mode: 'find', labels: labels('g1'), withoutInitializeCommand: true } as const;
    expect(successOf(await runUp(cli, key, request).done).containerId).toBe(containerId);
    expect(await labelsOf(engine, containerId)).toEqual(before);
  });
});

describe('the command of the workspace for the host', () => {
  it('is not run when it is left out, neither for a new container nor for one that is there', async () => {
    const key = await workspaceWith(engine, { initializeCommand: 'touch "$PWD/ran"' });
    const ran = () =>
      access(join(key.workspaceFolder, 'ran')).then(
        () => true,
        () => false,
      );
    const without = { withoutInitializeCommand: true };
    const { containerId } = successOf(await runUp(cli, key, without).done);
    successOf(await runUp(cli, key, { ...without, mode: 'find' }).done);
    await engine.docker('stop', '-t', '0', containerId);
    successOf(await runUp(cli, key, { ...without, mode: 'find' }).done);
    await cli.readConfiguration({ key, containerId, signal: neverAborted });
    successOf(await runBuild(cli, key));
    expect(await ran()).toBe(false);
    successOf(await runUp(cli, key, { mode: 'find' }).done);
    expect(await ran()).toBe(true);
  });
});

describe('the files of a run', () => {
  let temporaryDirectory: string;
  beforeAll(async () => {
    temporaryDirectory = await engine.makeFolder('tmp');
  });
  const left = () => readdir(temporaryDirectory);

  it('are private, and gone when it has ended, failed or was cancelled', async () => {
    const own = cliFor(engine, { temporaryDirectory });
    const wait = 'touch "$PWD/waits"; while [ ! -e "$PWD/go" ]; do sleep 0.1; done';
    const key = await workspaceWith(engine, {
      initializeCommand: wait,
      containerEnv: { TEMPORARY: '${localEnv:TMPDIR:none}' },
    });
    const abort = new AbortController();
    const run = runUp(own, key, { signal: abort.signal });
    await vi.waitFor(() => access(join(key.workspaceFolder, 'waits')), { timeout: 30_000, interval: 50 });
    const [name = ''] = await left();
    expect((await stat(join(temporaryDirectory, name))).mode & 0o777).toBe(0o700);
    expect((await stat(join(temporaryDirectory, name, 'devcontainer.json'))).mode & 0o777).toBe(0o600);
    // What the CLI writes by itself is there too.
    expect((await readdir(join(temporaryDirectory, name))).join()).toContain('devcontainercli');
    abort.abort(cancelled('superseded'));
    await expect(run.done).rejects.toMatchObject({ code: 'cancelled' });
    expect(await left()).toEqual([]);

    await writeFile(join(key.workspaceFolder, 'go'), '');
    const { containerId } = successOf(await runUp(own, key).done);
    expect(await left()).toEqual([]);
    // What the CLI does not tell its commands.
    expect(await environmentOf(containerId, 'TEMPORARY')).toBe(process.env['TMPDIR'] ?? 'none');

    await writeFile(key.configPath, JSON.stringify({ image: 'no-such-image.invalid/x:1' }));
    failureOf(await runUp(own, key).done);
    failureOf(await runBuild(own, key));
    await cli.readConfiguration({ key, containerId, signal: neverAborted });
    expect(await left()).toEqual([]);
  });

  it('say what is wrong when they cannot be written', async () => {
    const own = cliFor(engine, { temporaryDirectory: join(temporaryDirectory, 'nowhere') });
    const key = await workspaceWith(engine, {});
    const message = expect.stringMatching(/ENOENT.*Check the room for temporary files/);
    expect(failureOf(await runUp(own, key).done)).toMatchObject({ message });
    expect(failureOf(await runBuild(own, key))).toMatchObject({ message });
  });
});

describe('build', () => {
  const dockerfile = { '.devcontainer/Dockerfile': `FROM ${BASE_IMAGE}\nRUN echo built > /built\n` };
  const compose = {
    '.devcontainer/compose.yml': `services:\n  main:\n    image: ${BASE_IMAGE}\n    command: sleep 600\n`,
  };

  it.each([
    ['an image', {}, {}],
    ['a Dockerfile', { build: { dockerfile: 'Dockerfile' } }, dockerfile],
    ['a feature', { image: BASE_IMAGE, features: { './my-feature': {} } }, featureFiles('true')],
    ['a compose project', { dockerComposeFile: 'compose.yml', service: 'main' }, compose],
  ])('makes the image of %s, and no container', async (_, config, files) => {
    const key = await workspaceWith(
      engine,
      {
        ...config,
        initializeCommand: 'touch "$PWD/ran"',
        ...('image' in config || 'build' in config || 'dockerComposeFile' in config ? {} : { image: BASE_IMAGE }),
      },
      files,
    );
    const before = await readdir(key.workspaceFolder, { recursive: true });
    const containers = await engine.docker(
      'ps',
      '-aq',
      '--no-trunc',
      '--filter',
      `label=devcontainer.local_folder=${key.workspaceFolder}`,
    );
    const { images } = successOf(await runBuild(cli, key));
    expect(images.length).toBe(1);
    await engine.docker('image', 'inspect', images[0] ?? '');
    expect(containers).toBe('');
    expect(await containersOf(engine, key.workspaceFolder)).toEqual([]);
    expect(await readdir(key.workspaceFolder, { recursive: true })).toEqual(before);
    // What is built is what the container is made from.
    if ('build' in config) {
      const { containerId } = successOf(await runUp(cli, key).done);
      expect(await engine.docker('exec', containerId, 'cat', '/built')).toBe('built');
    }
  });

  it('is of what was judged, with every path as in the file, when that is swapped as soon as it begins', async () => {
    const build = { dockerfile: 'Dockerfile', context: '..' };
    const config = { build, features: { './my-feature': {} } };
    const key = await workspaceWith(engine, config, {
      ...featureFiles('echo feature > /from-feature'),
      '.devcontainer/Dockerfile': `FROM ${BASE_IMAGE}\nCOPY content /content\nRUN : ${engine.prefix}-swapped\n`,
      content: 'from the context',
    });
    const outside = join(await engine.makeFolder(), 'written-by-the-builder');
    const swapped = JSON.stringify({ build: { ...build, options: ['--iidfile', outside] } });
    const onSpawn = (): void => writeFileSync(key.configPath, swapped);
    const { images } = successOf(await runBuild(cli, key, { config, onSpawn }));
    await expect(access(outside)).rejects.toThrow('ENOENT');
    const read = ['run', '--rm', images[0] ?? '', 'cat', '/content', '/from-feature'];
    expect(await engine.docker(...read)).toBe('from the contextfeature');
  });

  it('leaves the container that runs alone when it fails', async () => {
    const key = await workspaceWith(engine, { build: { dockerfile: 'Dockerfile' } }, dockerfile);
    const { containerId } = successOf(await runUp(cli, key).done);
    await writeFile(
      join(key.workspaceFolder, '.devcontainer/Dockerfile'),
      `FROM ${BASE_IMAGE}\nRUN echo why >&2 && false\n`,
    );
    expect(failureOf(await runBuild(cli, key))).toMatchObject({
      phase: 'build',
      outputTail: expect.stringContaining('why'),
    });
    expect(await engine.docker('inspect', '-f', '{{.State.Running}}', containerId)).toBe('true');
  });

  it('is cancelled while it runs, and while it waits for another', async () => {
    const slow = { '.devcontainer/Dockerfile': `FROM ${BASE_IMAGE}\nRUN sleep 300\n` };
    const key = await workspaceWith(engine, { build: { dockerfile: 'Dockerfile' } }, slow);
    const first = new AbortController();
    const second = new AbortController();
    const steps: string[] = [];
    const running = runBuild(cli, key, { signal: first.signal, onProgress: ({ text }) => steps.push(text) });
    await vi.waitFor(() => expect(steps.join('\n')).toContain('sleep 300'), { timeout: 30_000, interval: 50 });
    const waits: string[] = [];
    const waiting = runBuild(cli, key, { signal: second.signal, onProgress: ({ text }) => waits.push(text) });
    await vi.waitFor(() => expect(waits).toEqual(['Waiting for another build to end']), { timeout: 30_000 });
    second.abort(cancelled('superseded'));
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    first.abort(cancelled('deleted'));
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('builds at the same time', () => {
  it('give each configuration its own features', async () => {
    const keys = await Promise.all(
      Array.from({ length: 4 }, (_, n) => {
        const config = { image: BASE_IMAGE, features: { './my-feature': {} } };
        return workspaceWith(engine, config, featureFiles(`echo ${engine.prefix}-${n} > /which`));
      }),
    );
    const outcomes = await Promise.all(keys.map((key) => runBuild(cli, key)));
    const contents = outcomes.map((outcome) =>
      engine.docker('run', '--rm', successOf(outcome).images[0] ?? '', 'cat', '/which'),
    );
    expect(await Promise.all(contents)).toEqual(keys.map((_, n) => `${engine.prefix}-${n}`));
  });

  it('give each configuration of one folder its own image', async () => {
    const { workspaceFolder } = await workspaceWith(engine, {});
    const names = ['one', 'two', 'three', 'four', 'five', 'six'];
    const keys = await Promise.all(
      names.map(async (name) => {
        const configPath = join(workspaceFolder, '.devcontainer', name, 'devcontainer.json');
        await mkdir(join(configPath, '..'), { recursive: true });
        await writeFile(configPath, JSON.stringify({ build: { dockerfile: 'Dockerfile' } }));
        await writeFile(join(configPath, '../Dockerfile'), `FROM ${BASE_IMAGE}\nRUN echo ${name} > /which\n`);
        return { workspaceFolder, configPath };
      }),
    );
    const outcomes = await Promise.all(keys.map((key) => runUp(cli, key).done));
    const contents = outcomes.map((outcome) => engine.docker('exec', successOf(outcome).containerId, 'cat', '/which'));
    expect(await Promise.all(contents)).toEqual(names);
  });
});

describe('a run that its own process did not survive', () => {
  it('is ended with everything it started, by what was noted of it', async () => {
    const initializeCommand = 'trap "" TERM; touch "$PWD/runs"; while :; do sleep 0.2; done';
    const key = await workspaceWith(engine, { initializeCommand });
    const identities: { pid: number; startedAt: string }[] = [];
    const run = runUp(cli, key, { onSpawn: (identity) => identities.push(identity) });
    await vi.waitFor(() => access(join(key.workspaceFolder, 'runs')), { timeout: 30_000, interval: 50 });
    const [identity] = identities;
    if (identity === undefined) throw new Error('Nothing was said of the process.');
    expect(identities.length).toBe(1);
    // Another daemon, which knows only this.
    await cliFor(engine).endProcess({ ...identity, startedAt: '["other","1","x"]' }, neverAborted);
    expect(groupAlive(identity.pid)).toBe(true);
    await cliFor(engine).endProcess(identity, neverAborted);
    expect(groupAlive(identity.pid)).toBe(false);
    await expect(run.done).rejects.toMatchObject({ code: 'cli-output-invalid' });
    await cliFor(engine).endProcess(identity, neverAborted);
  });
});
