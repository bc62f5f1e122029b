import { describe, expect, it } from 'vitest';
import type { LaunchRequest, SubAgentSpec } from '../agentcontainers/ports.ts';
import { cancelled } from '../errors.ts';
import { buildSubAgentBinary } from './build-configuration.ts';
import { createFakeClock } from './fake-clock.ts';
import { createFakeEngine } from './fake-engine.ts';
import { createFakeSubAgentClient } from './fake-sub-agent-client.ts';
import { createFakeSubAgentLauncher } from './fake-sub-agent-launcher.ts';
import { createFakeSubAgentProvider } from './fake-sub-agent-provider.ts';

const signal = new AbortController().signal;
const spec: SubAgentSpec = {
  name: 'app',
  directory: '/workspaces/app',
  operatingSystem: 'linux',
  architecture: 'amd64',
  displayApps: [],
  apps: [],
};

describe('fake sub-agent client', () => {
  it('throws its name until it is scripted', async () => {
    const client = createFakeSubAgentClient();
    await expect(client.create(spec, signal)).rejects.toThrow('Unscripted call: subAgentClient.create app');
    expect(client.leaks()).toEqual(['Unscripted call: subAgentClient.create app']);
  });

  it('registers with predictable ids and tokens, and keeps names unique', async () => {
    const client = createFakeSubAgentClient().succeedsByDefault();
    const first = await client.create(spec, signal);
    expect(first).toEqual({
      record: { ...spec, id: '00000005-0000-4000-8000-000000000001' },
      token: 'sub-agent-token-1',
    });
    await expect(client.create({ ...spec, name: 'APP' }, signal)).rejects.toMatchObject({
      code: 'sub-agent-name-taken',
    });
    await client.delete(first.record.id, signal);
    await client.delete(first.record.id, signal);
    expect(client.deleted).toEqual([first.record.id, first.record.id]);
    expect((await client.create(spec, signal)).token).toBe('sub-agent-token-3');
    expect(await client.list(signal)).toHaveLength(1);
    expect(client.created.map(({ token }) => token)).toEqual(['sub-agent-token-1', 'sub-agent-token-3']);
  });

  it('updates a pre-assigned record in place', async () => {
    const client = createFakeSubAgentClient().succeedsByDefault();
    const { id } = client.addRecord({ name: 'given' });
    await client.create({ ...spec, id }, signal);
    expect(client.records).toEqual([{ ...spec, id }]);
    await expect(client.create({ ...spec, name: 'x', id: 'unknown' }, signal)).rejects.toMatchObject({
      code: 'control-plane-refused',
    });
  });
});

describe('fake sub-agent provider', () => {
  it('answers by architecture, and else only when it was told to', async () => {
    const provider = createFakeSubAgentProvider();
    const arm = { operatingSystem: 'linux', architecture: 'arm64' };
    await expect(provider.resolve(arm, signal)).rejects.toThrow(
      'Unscripted call: subAgentProvider.resolve linux/arm64',
    );
    provider.succeedsByDefault();
    provider.provide('s390x', undefined);
    expect(await provider.resolve(arm, signal)).toEqual(buildSubAgentBinary());
    expect(await provider.resolve({ operatingSystem: 'linux', architecture: 's390x' }, signal)).toBeUndefined();
    expect(provider.resolved.map(({ architecture }) => architecture)).toEqual(['arm64', 'arm64', 's390x']);
  });
});

describe('fake sub-agent launcher', () => {
  function setUp() {
    const engine = createFakeEngine({ clock: createFakeClock() });
    const { id: containerId } = engine.addContainer({ name: 'app' });
    const binary = buildSubAgentBinary();
    const request: LaunchRequest = {
      containerId,
      binary,
      path: '/.agentcontainers/fake-agent-aaaaaaaaaaaa',
      workingDir: '/workspaces/app',
      env: { TOKEN: 'sub-agent-token-1' },
      signal,
    };
    return { engine, containerId, binary, request, launcher: createFakeSubAgentLauncher({ engine }) };
  }

  it('throws its name until it is scripted', async () => {
    const { launcher, request } = setUp();
    await expect(launcher.deliver(request)).rejects.toThrow('Unscripted call: subAgentLauncher.deliver fake-agent');
    await expect(launcher.launch(request)).rejects.toThrow('Unscripted call: subAgentLauncher.launch');
  });

  it('delivers once, launches, and ends when it is asked to', async () => {
    const { launcher, request } = setUp();
    launcher.succeedsByDefault();
    expect(await launcher.deliver(request)).toEqual({
      path: request.path,
      way: 'archive',
      version: 'fake-agent 1.0.0',
    });
    expect(await launcher.deliver(request)).toMatchObject({ way: 'present' });
    const process = await launcher.launch(request);
    expect(launcher.running(request.containerId)).toEqual([process]);
    expect(launcher.leaks()).toEqual([`a sub-agent runs in container ${request.containerId.slice(0, 12)}`]);
    await process.stop(500);
    await process.stop(500);
    expect(await process.exited).toMatchObject({ reason: 'stopped', exitCode: 0 });
    expect(launcher.processes[0]?.stops).toEqual([500, 500]);
    expect(launcher.leaks()).toEqual([]);
  });

  it('mounts what it was told to, and delivers without a copy where that is mounted', async () => {
    const { launcher, request, engine, binary } = setUp();
    launcher.succeedsByDefault();
    expect(await launcher.readOnlyMount(signal)).toBeUndefined();
    launcher.mounts('/host/store');
    const mount = await launcher.readOnlyMount(signal);
    expect(mount).toEqual({ source: '/host/store', target: '/.agentcontainers' });
    const at = (source: string) => ({ type: 'bind', source, destination: '/.agentcontainers', writable: false });
    const { id: ours } = engine.addContainer({ mounts: [at('/host/store')] });
    const { id: other } = engine.addContainer({ mounts: [at('/elsewhere')] });
    expect(await launcher.deliver({ containerId: ours, binary, signal })).toMatchObject({ way: 'mounted' });
    expect(await launcher.deliver({ containerId: other, binary, signal })).toMatchObject({ way: 'archive' });
    expect(await launcher.deliver(request)).toMatchObject({ way: 'archive' });
    expect(launcher.calls).toMatchObject({ readOnlyMount: 2, deliver: 3 });
  });

  it('reports what a process is busy with until it ends', async () => {
    const { launcher, request } = setUp();
    launcher.succeedsByDefault();
    const told: (string | undefined)[] = [];
    await launcher.launch({ ...request, onBusy: (reason) => told.push(reason) });
    const [process] = launcher.processes;
    process?.reportBusy('a build');
    process?.reportBusy();
    process?.reportBusy('tests');
    process?.exit();
    process?.reportBusy('after the end');
    expect(told).toEqual(['a build', undefined, 'tests', undefined]);
  });

  it('loses its processes with their container, their signal or by themselves', async () => {
    const { launcher, request, engine } = setUp();
    launcher.succeedsByDefault();
    const abort = new AbortController();
    const crashed = await launcher.launch(request);
    const aborted = await launcher.launch({ ...request, signal: abort.signal });
    const orphan = await launcher.launch(request);
    launcher.processes[0]?.crash('Segmentation fault');
    abort.abort(cancelled('closing'));
    engine.stop('app');
    expect(await crashed.exited).toMatchObject({ reason: 'exit', exitCode: 1, outputTail: 'Segmentation fault' });
    expect(await aborted.exited).toMatchObject({ reason: 'stopped' });
    expect(await orphan.exited).toMatchObject({ reason: 'container-gone', exitCode: null });
    await expect(launcher.deliver(request)).rejects.toMatchObject({ code: 'sub-agent-delivery-failed' });
    await expect(launcher.launch(request)).rejects.toMatchObject({ code: 'sub-agent-start-failed' });
  });

  it('keeps a process that ignores being stopped', async () => {
    const { launcher, request } = setUp();
    launcher.succeedsByDefault();
    const process = await launcher.launch(request);
    launcher.processes[0]?.ignoreStop();
    await process.stop(10);
    expect(launcher.running()).toHaveLength(1);
    launcher.processes[0]?.exit();
    expect(launcher.leaks()).toEqual([]);
  });

  it('plays scripts', async () => {
    const { launcher, request } = setUp();
    launcher.onDeliver(() => ({ path: '/agent', way: 'mount' }));
    launcher.onLaunch(async () => '2.0');
    expect(await launcher.deliver(request)).toMatchObject({ way: 'mount' });
    expect((await launcher.launch(request)).version).toBe('2.0');
  });
});
