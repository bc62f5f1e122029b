import { access, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { subAgentsIn } from './support/container-processes.ts';
import { API, buildDaemon, isInjected, startDaemon, type DaemonBuild, type DaemonProcess } from './support/daemon.ts';
import { testEngine } from './support/engine-harness.ts';
import { isAlive } from './support/engine-script.ts';
import { eventually } from './support/eventually.ts';
import { CONFIG, writeConfig } from './support/library.ts';

// The daemon ends, politely or not, and comes again: what it knew it knows, and nothing runs twice.

const engine = testEngine();
let build: DaemonBuild;
let daemon: DaemonProcess;
let root: string;
beforeAll(async () => {
  build = await buildDaemon();
  root = dirname(await engine.makeFolder('root'));
});
afterEach(() => daemon?.end('SIGKILL'));
afterAll(async () => {
  await engine.cleanup();
  await build?.remove();
});

async function start(): Promise<void> {
  const args = ['--listen', 'off', '--log-level', 'warn', root];
  daemon = await startDaemon({ main: build.main, dockerHost: engine.dockerHost, stateDir: join(root, 'state'), args });
}

async function bringUp(folder: string): Promise<{ id: string; operationId: string; containerId: string }> {
  const { devcontainer_id: id, operation_id: operationId } = await daemon.create(folder);
  const seen = await daemon.until(id, 'running with its sub-agent', isInjected);
  return { id, operationId, containerId: seen.container?.id ?? '' };
}

describe.each(['SIGTERM', 'SIGKILL'] as const)('after %s', (signal) => {
  it('the same ids, containers and operations are there, and the sub-agent is the one from before', async () => {
    await start();
    const folder = await engine.copyFixture('image');
    const { id, operationId, containerId } = await bringUp(folder);
    const [before] = await subAgentsIn(engine, containerId);
    expect((await daemon.ended(operationId)).status).toBe('succeeded');

    expect(await daemon.end(signal)).toBe(signal === 'SIGTERM' ? 0 : null);
    // What runs under it is not cut off.
    expect(await subAgentsIn(engine, containerId)).toEqual([before]);
    expect(await engine.docker('inspect', '-f', '{{.State.Running}}', containerId)).toBe('true');

    await start();
    const after = await daemon.until(id, 'its sub-agent again', isInjected);
    expect(after).toMatchObject({ container: { id: containerId }, level: 'managed', dirty: false, status: 'running' });
    expect(await subAgentsIn(engine, containerId)).toEqual([before]);
    const { devcontainers } = await daemon.get<{ devcontainers: { id: string }[] }>('/devcontainers');
    expect(devcontainers.filter((one) => one.id === id)).toHaveLength(1);
    expect(await daemon.get(`${API}/operations/${operationId}`)).toMatchObject({
      status: 'succeeded',
      devcontainer_id: id,
    });
    expect((await daemon.ask(`${API}/devcontainers/${id}/logs`)).text).not.toBe('');
  });

  it('what was dirty is still dirty, and so is what was edited while it was away; a revert while it was away makes it clean', async () => {
    await start();
    const folder = await engine.copyFixture('image');
    const path = join(folder, CONFIG);
    const original = await readFile(path, 'utf8');
    const changed = original.replace('"FIXTURE": "image"', '"FIXTURE": "another"');
    const { id, containerId } = await bringUp(folder);

    await writeFile(path, changed);
    await daemon.until(id, 'dirty', ({ dirty }) => dirty);
    await daemon.end(signal);
    await start();
    const dirty = await daemon.until(id, 'running', ({ status }) => status === 'running');
    expect(dirty).toMatchObject({ dirty: true, dirty_reasons: [{ input: 'containerEnv', class: 'recreate' }] });

    await daemon.end(signal);
    await writeFile(path, `// The same but for this.\n${original}`);
    await start();
    expect(await daemon.until(id, 'running', ({ status }) => status === 'running')).toMatchObject({ dirty: false });

    await daemon.end(signal);
    await writeFile(path, changed);
    await start();
    const again = await daemon.until(id, 'running', ({ status }) => status === 'running');
    expect(again).toMatchObject({ dirty: true, container: { id: containerId } });
  });
});

it('a daemon killed half way through an up knows the container that it made, and makes no second one', async () => {
  await start();
  const folder = await engine.makeFolder();
  await writeConfig(folder, {
    image: 'agentcontainers-base:1',
    init: true,
    workspaceMount: `source=${folder},target=/workspace,type=bind`,
    workspaceFolder: '/workspace',
    onCreateCommand: 'i=0; until [ -e /workspace/go ] || [ $i -ge 600 ]; do i=$((i+1)); sleep 0.1; done',
  });
  const { devcontainer_id: id, operation_id: operationId } = await daemon.create(folder);
  await eventually('the hook', async () => {
    const { phase } = await daemon.get<{ phase: string }>(`${API}/operations/${operationId}`);
    return phase === 'onCreateCommand';
  });
  const containers = (): Promise<string> =>
    engine.docker('ps', '-aq', '--no-trunc', '--filter', `label=devcontainer.local_folder=${folder}`);
  const made = await containers();
  expect(made).toMatch(/^[0-9a-f]{64}$/);

  await daemon.end('SIGKILL');
  await start();
  expect(await daemon.get(`${API}/operations/${operationId}`)).toMatchObject({ status: 'interrupted' });
  const seen = await daemon.until(id, 'running with its sub-agent', isInjected);
  expect(seen).toMatchObject({ container: { id: made }, level: 'managed', dirty: false });
  expect(await subAgentsIn(engine, made)).toHaveLength(1);

  await writeFile(join(folder, 'go'), '');
  const { status } = await daemon.ask(`${API}/devcontainers/${id}/start`, { method: 'POST' });
  expect([200, 202]).toContain(status);
  await daemon.until(id, 'running with its sub-agent', isInjected);
  expect(await containers()).toBe(made);
});

it('a daemon that is stopped while it brings something up ends its children with it', async () => {
  await start();
  const folder = await engine.makeFolder();
  await writeConfig(folder, { image: 'agentcontainers-base:1', init: true, onCreateCommand: 'sleep 60' });
  const { operation_id: operationId } = await daemon.create(folder);
  await eventually('the hook', async () => {
    const { phase } = await daemon.get<{ phase: string }>(`${API}/operations/${operationId}`);
    return phase === 'onCreateCommand';
  });
  const children = await childrenOf(daemon.pid);
  expect(children.length).toBeGreaterThan(0);
  expect(await daemon.end('SIGTERM')).toBe(0);
  for (const pid of children) expect(await isAlive(pid)).toBe(false);
  await expect(access(join(root, 'state/daemon.sock'))).rejects.toThrow('ENOENT');
});

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.trim().split(/\s+/).filter(Boolean).map(Number);
}
