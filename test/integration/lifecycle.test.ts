import { access, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processesIn, subAgentsIn } from './support/container-processes.ts';
import { testEngine } from './support/engine-harness.ts';
import { eventually, timed } from './support/eventually.ts';
import { CONFIG, editConfig, hasAgent, startLibrary, writeConfig, type Library } from './support/library.ts';

// From a folder to a container with its sub-agent and back to nothing: real engine, real CLI, public entry.

const engine = testEngine();
let library: Library;
beforeAll(async () => {
  library = await startLibrary(engine, { stopGraceSeconds: 2 });
});
afterAll(async () => {
  await library?.api.close();
  await engine.cleanup();
});

const read = (container: string, path: string): Promise<string> => engine.docker('exec', container, 'cat', path);
const idsWith = async (label: string): Promise<string[]> =>
  (await engine.docker('ps', '-aq', '--no-trunc', '--filter', `label=${label}`)).split('\n').filter(Boolean);

/** What a person may be shown: words, not the insides of a tool. */
function expectReadable(text: string | undefined): void {
  expect(text).toBeTruthy();
  expect(text).not.toMatch(/\bat async\b|^\s+at /m);
  expect(text).not.toMatch(/devContainersSpecCLI|@devcontainers\/cli|node_modules|dist\/spec-node|\.js:\d/);
  expect(text).not.toContain('\n');
}

describe('bringing up', () => {
  it('an image: the container runs, is listed, and the sub-agent is a process in it', async () => {
    const folder = await engine.copyFixture('image');
    const { devcontainer, containerId } = await timed('up of an image, with its sub-agent', () => library.up(folder));

    expect(devcontainer).toMatchObject({
      workspaceFolder: folder,
      configPath: join(folder, CONFIG),
      status: 'running',
      dirty: false,
      level: 'managed',
      container: { running: true, status: 'running', image: expect.stringMatching(/(^|\/)agentcontainers-base:1$/) },
      agent: { status: 'running', id: devcontainer.subAgentId },
    });
    expect(devcontainer.error).toBeUndefined();
    expect(devcontainer.agent?.version).toMatch(/\d+\.\d+\.\d+/);
    const { containers } = await library.api.list();
    expect(containers.find(({ id }) => id === containerId)).toMatchObject({
      devcontainerId: devcontainer.id,
      level: 'managed',
    });
    expect(await library.records()).toContainEqual(
      expect.objectContaining({
        id: devcontainer.subAgentId,
        name: devcontainer.name,
        directory: devcontainer.agent?.directory,
        operatingSystem: 'linux',
      }),
    );
    expect(await library.logText(devcontainer.id)).not.toBe('');
  });

  it.each([
    ['a Dockerfile', 'dockerfile', 'hello from the Dockerfile'],
    ['a local feature', 'local-feature', 'good morning from the feature'],
  ])('%s: built, running, with the sub-agent', async (_what, fixture, greeting) => {
    const { devcontainer, containerId } = await library.up(await engine.copyFixture(fixture));
    expect(devcontainer).toMatchObject({ status: 'running', dirty: false });
    expect(await read(containerId, '/greeting')).toBe(greeting);
  });

  it('two configurations of one folder: one entry, one container and one sub-agent each', async () => {
    const folder = await engine.copyFixture('two-configurations');
    await expect(library.api.create({ workspaceFolder: folder })).rejects.toMatchObject({ code: 'config-ambiguous' });
    const paths = ['api', 'web'].map((name) => join(folder, `.devcontainer/${name}/devcontainer.json`));
    const [api, web] = await Promise.all(paths.map((path) => library.up(folder, path)));

    expect(api?.containerId).not.toBe(web?.containerId);
    expect(api?.devcontainer.subAgentId).not.toBe(web?.devcontainer.subAgentId);
    const listed = (await library.api.list()).devcontainers.filter(({ workspaceFolder }) => workspaceFolder === folder);
    expect(listed.map(({ configPath }) => configPath)).toEqual(paths);
    expect(listed.every(hasAgent)).toBe(true);
    expect(new Set(listed.map(({ name }) => name)).size).toBe(2);
  });

  it('several equal requests at once: one container and equal answers', async () => {
    const folder = await engine.copyFixture('image');
    const receipts = await Promise.all(
      Array.from({ length: 20 }, () => library.api.create({ workspaceFolder: folder })),
    );
    expect(new Set(receipts.map(({ operation }) => operation.id)).size).toBe(1);
    await receipts[0]?.done;
    await library.injected(folder);
    expect(await idsWith(`devcontainer.local_folder=${folder}`)).toHaveLength(1);
  });

  it('what opted out: it runs, without a sub-agent', async () => {
    const folder = await engine.copyFixture('ignored');
    const { done } = await library.api.create({ workspaceFolder: folder });
    expect((await done).status).toBe('succeeded');
    const seen = await library.until(folder, 'running', ({ status }) => status === 'running');
    await library.api.refresh();
    expect(await library.api.get(seen.id)).toMatchObject({ status: 'running', subAgentId: null });
    expect(await subAgentsIn(engine, seen.container?.id ?? '')).toEqual([]);
  });
});

describe('compose', () => {
  it('runs, stops and goes as a project, and leaves nothing', async () => {
    const folder = await engine.copyFixture('compose');
    const { devcontainer, containerId } = await library.up(folder);
    const project = devcontainer.container?.labels['com.docker.compose.project'];
    const label = `com.docker.compose.project=${project}`;
    const states = (): Promise<string> =>
      engine.docker('ps', '-a', '--filter', `label=${label}`, '--format', '{{.State}}');
    expect(await idsWith(label)).toHaveLength(2);
    expect(await engine.docker('network', 'ls', '-q', '--filter', `label=${label}`)).not.toBe('');

    const stopping = await library.api.stopDevcontainer(devcontainer.id);
    expect((await stopping.done).status).toBe('succeeded');
    expect(await library.api.get(devcontainer.id)).toMatchObject({ status: 'stopped', dirty: false });
    expect(await states()).toBe('exited\nexited');

    const starting = await library.api.startDevcontainer(devcontainer.id);
    expect((await starting.done).status).toBe('succeeded');
    expect((await library.injected(folder)).containerId).toBe(containerId);
    expect(await states()).toBe('running\nrunning');

    await library.api.remove(devcontainer.id, { volumes: 'anonymous' });
    expect(await idsWith(label)).toEqual([]);
    expect(await engine.docker('network', 'ls', '-q', '--filter', `label=${label}`)).toBe('');
    await expect(library.api.get(devcontainer.id)).rejects.toMatchObject({ code: 'devcontainer-not-found' });
  });
});

describe('a running one', () => {
  it('stops, starts and restarts with the same container, record and name, and is told when there is nothing to do', async () => {
    const folder = await engine.copyFixture('image');
    const { devcontainer, containerId, agentPid } = await library.up(folder);
    const { id, name, subAgentId } = devcontainer;

    expect(await (await library.api.stopDevcontainer(id)).done).toMatchObject({ kind: 'stop', status: 'succeeded' });
    expect(await library.api.get(id)).toMatchObject({ status: 'stopped', dirty: false });
    const stopped = await library.until(
      folder,
      'its container at rest',
      ({ container }) => container?.running === false,
    );
    expect(stopped).toMatchObject({ status: 'stopped', dirty: false, container: { id: containerId } });
    expect(stopped.agent).toBeUndefined();
    await expect(access(`/proc/${agentPid}`)).rejects.toThrow('ENOENT');
    expect((await library.api.stopDevcontainer(id)).started).toBe(false);

    expect(await (await library.api.startDevcontainer(id)).done).toMatchObject({ kind: 'start', status: 'succeeded' });
    const started = await timed('sub-agent after a start', () => library.injected(folder));
    expect(started.containerId).toBe(containerId);
    expect(started.devcontainer).toMatchObject({ name, subAgentId });
    expect((await library.api.startDevcontainer(id)).started).toBe(false);

    expect(await (await library.api.restartDevcontainer(id)).done).toMatchObject({ status: 'succeeded' });
    const restarted = await timed('sub-agent after a restart', () => library.injected(folder));
    expect(restarted.containerId).toBe(containerId);
    expect(restarted.agentPid).not.toBe(started.agentPid);
    expect(restarted.devcontainer).toMatchObject({ name, subAgentId, dirty: false });
  });

  it('is dirty after an edit, and recreated it is clean: a new container, the same id and name, the sub-agent back', async () => {
    const folder = await engine.copyFixture('image');
    const before = await library.up(folder);
    await editConfig(folder, (text) => text.replace('"FIXTURE": "image"', '"FIXTURE": "edited"'));
    const dirty = await library.until(folder, 'dirty', (seen) => seen.dirty);
    expect(dirty).toMatchObject({ status: 'running', dirtyReasons: [{ input: 'containerEnv', class: 'recreate' }] });

    const ended = await timed('recreate', async () => (await library.api.recreate(before.devcontainer.id)).done);
    expect(ended).toMatchObject({ kind: 'recreate', status: 'succeeded' });
    const after = await library.injected(folder);
    expect(after.devcontainer).toMatchObject({
      id: before.devcontainer.id,
      name: before.devcontainer.name,
      dirty: false,
    });
    expect(after.containerId).not.toBe(before.containerId);
    expect(await idsWith(`devcontainer.local_folder=${folder}`)).toEqual([after.containerId]);
    expect(await engine.docker('exec', after.containerId, 'sh', '-c', 'echo $FIXTURE')).toBe('edited');
    await expect(access(`/proc/${before.agentPid}`)).rejects.toThrow('ENOENT');
    expect((await library.records()).filter(({ name }) => name === before.devcontainer.name)).toHaveLength(1);
  });

  it('is recreated by the name of its container as well', async () => {
    const folder = await engine.copyFixture('image');
    const before = await library.up(folder);
    const receipt = await library.api.recreateByContainer(before.devcontainer.container?.name ?? '');
    expect(receipt.operation.devcontainerId).toBe(before.devcontainer.id);
    expect((await receipt.done).status).toBe('succeeded');
    expect((await library.injected(folder)).containerId).not.toBe(before.containerId);
  });

  it('is dirty when the file changed while it was being recreated', async () => {
    const folder = await engine.copyFixture('dockerfile');
    const { devcontainer } = await library.up(folder);
    const offset = Buffer.byteLength(await library.logText(devcontainer.id));
    const receipt = await library.api.recreate(devcontainer.id);
    // The CLI has begun when it says something.
    const signal = AbortSignal.timeout(30_000);
    for await (const _chunk of library.api.logs(devcontainer.id, { follow: true, offset, signal })) break;
    await editConfig(folder, (text) => text.replace('"init": true', '"init": true, "containerEnv": { "LATE": "1" }'));
    expect((await receipt.done).status).toBe('succeeded');
    await library.until(folder, 'dirty', (seen) => hasAgent(seen) && seen.dirty);
  });

  it('is deleted without a trace: container, sub-agent process, record, entry, log', async () => {
    const folder = await engine.copyFixture('image');
    const { devcontainer, containerId, agentPid } = await library.up(folder);
    await timed('delete', () => library.api.remove(devcontainer.id));

    expect(await idsWith(`devcontainer.local_folder=${folder}`)).toEqual([]);
    await expect(access(`/proc/${agentPid}`)).rejects.toThrow('ENOENT');
    expect((await library.records()).map(({ id }) => id)).not.toContain(devcontainer.subAgentId);
    // Containers are those of the last listing, which may have begun before.
    await library.api.refresh();
    const { devcontainers, containers } = await library.api.list();
    expect(devcontainers.map(({ id }) => id)).not.toContain(devcontainer.id);
    expect(containers.map(({ id }) => id)).not.toContain(containerId);
    await expect(library.api.remove(devcontainer.id)).rejects.toMatchObject({ code: 'devcontainer-not-found' });
    // The folder of a person stays.
    await access(join(folder, CONFIG));
  });
});

describe('hooks', () => {
  it('one that fails leaves it running and injected, with an error that a person can read', async () => {
    const folder = await engine.copyFixture('failing-hook');
    const { devcontainer, containerId } = await library.up(folder);
    const seen = await library.until(folder, 'the error of the hook', ({ error }) => error !== undefined);
    expect(seen).toMatchObject({ status: 'running', agent: { status: 'running' } });
    expect(seen.container?.id).toBe(containerId);
    expectReadable(seen.error);
    expect(seen.error).toContain('postCreateCommand');
    expect(seen.degraded).toMatchObject([{ phase: 'postCreateCommand', exitCode: 1 }]);
    expect(seen.degraded?.[0]?.outputTail).toContain('the thing is not there');
    expect(seen.degraded?.[0]?.outputTail).not.toMatch(/at async|node_modules/);
    expect(await library.logText(devcontainer.id)).toContain('the thing is not there');

    await library.api.refresh();
    expect(await library.api.get(devcontainer.id)).toMatchObject({ status: 'running', error: seen.error });
  });

  it('one that fails before the container counts as up leaves it running and injected, too', async () => {
    const folder = await engine.makeFolder();
    await writeConfig(folder, {
      image: 'agentcontainers-base:1',
      init: true,
      onCreateCommand: 'echo no such package >&2; exit 100',
    });
    const { done } = await library.api.create({ workspaceFolder: folder });
    const ended = await done;
    expect(ended.status).toBe('failed');
    expectReadable(ended.error);
    const { devcontainer } = await library.injected(folder);
    expectReadable(devcontainer.error);
    expect(devcontainer.degraded).toMatchObject([{ phase: 'onCreateCommand', exitCode: 100 }]);
    expect(devcontainer.degraded?.[0]?.outputTail).toContain('no such package');
  });

  it('a slow one after waitFor does not hold it up, its failure is shown, and delete does not wait for it', async () => {
    const folder = await engine.makeFolder();
    const workspace = '/workspace';
    await writeConfig(folder, {
      image: 'agentcontainers-base:1',
      init: true,
      workspaceMount: `source=${folder},target=${workspace},type=bind`,
      workspaceFolder: workspace,
      waitFor: 'onCreateCommand',
      onCreateCommand: 'echo before',
      postCreateCommand: `i=0; until [ -e ${workspace}/go ] || [ $i -ge 600 ]; do i=$((i+1)); sleep 0.1; done; echo the tail "ended"; exit 3`,
    });
    const { devcontainer, containerId } = await library.up(folder);
    expect(devcontainer).toMatchObject({ status: 'running' });
    expect(devcontainer.error).toBeUndefined();
    expect(await library.logText(devcontainer.id)).not.toContain('the tail ended');

    await writeFile(join(folder, 'go'), '');
    const failed = await library.until(folder, 'the error of the tail', ({ error }) => error !== undefined);
    expect(failed).toMatchObject({ status: 'running', agent: { status: 'running' } });
    expect(failed.degraded).toMatchObject([{ phase: 'postCreateCommand', exitCode: 3 }]);
    expect(await library.logText(devcontainer.id)).toContain('the tail ended');

    await rm(join(folder, 'go'));
    expect((await (await library.api.recreate(devcontainer.id)).done).status).toBe('succeeded');
    const again = await library.injected(folder);
    expect(again.containerId).not.toBe(containerId);
    expect(again.devcontainer.error).toBeUndefined();
    await eventually('the hook', async () =>
      (await processesIn(engine, again.containerId)).some(({ args }) => args.includes('the tail')),
    );
    await library.api.remove(devcontainer.id);
    expect(await idsWith(`devcontainer.local_folder=${folder}`)).toEqual([]);
  });

  it('a build that fails leaves an error and no container, and works once it is mended', async () => {
    const folder = await engine.copyFixture('dockerfile');
    const dockerfile = join(folder, '.devcontainer/Dockerfile');
    await writeFile(dockerfile, `FROM agentcontainers-base:1\nRUN echo ${engine.prefix} broke >&2; exit 5\n`);
    const { operation, done } = await library.api.create({ workspaceFolder: folder });
    const ended = await done;
    expect(ended.status).toBe('failed');
    expectReadable(ended.error);
    const failed = await library.api.get(operation.devcontainerId);
    expect(failed).toMatchObject({ status: 'error', error: ended.error });
    expect(failed.container).toBeUndefined();
    expect(await library.logText(failed.id)).toContain(`${engine.prefix} broke`);
    // The engine's builder leaves the container of the failed step, without a label by which it could be found.
    const rows = (await engine.docker('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Command}}')).split('\n');
    const left = rows.filter((row) => row.includes(engine.prefix) && row.includes('broke'));
    for (const row of left) await engine.docker('rm', row.split(' ', 1)[0] ?? '');

    await writeFile(dockerfile, 'FROM agentcontainers-base:1\n');
    const { devcontainer } = await library.up(folder);
    expect(devcontainer.error).toBeUndefined();
  });
});
