import { expect, test } from 'vitest';
import { buildSubAgentBinary } from '../../src/testing/index.ts';
import { beginWithApp, CONFIG } from './support/story.ts';

test.each([
  ['linux/amd64', { operatingSystem: 'linux', architecture: 'amd64' }],
  ['linux/arm64/v8', { operatingSystem: 'linux', architecture: 'arm64', variant: 'v8' }],
  ['linux/s390x', { operatingSystem: 'linux', architecture: 's390x' }],
])('the executable for %s is chosen, delivered and run', async (_name, platform) => {
  const binary = buildSubAgentBinary({ name: `agent-${platform.architecture}` });
  const { world, only, containerId, end } = await beginWithApp({
    arrange: ({ engine, subAgentProvider }) => {
      engine.setPlatform(engine.container('app-1').imageId, platform);
      subAgentProvider.provide(platform.architecture, binary);
    },
  });
  expect(world.subAgentProvider.resolved).toEqual([platform]);
  expect(world.subAgentLauncher.deliveries).toMatchObject([{ request: { containerId, binary }, way: 'archive' }]);
  expect(world.subAgentLauncher.running(containerId)).toMatchObject([
    { request: { binary, path: world.subAgentLauncher.deliveries[0]?.path } },
  ]);
  expect(world.subAgentClient.records).toMatchObject([
    { name: 'app', directory: '/workspaces/app', architecture: platform.architecture, operatingSystem: 'linux' },
  ]);
  expect(await only()).toMatchObject({
    subAgentId: world.subAgentClient.records[0]?.id,
    agent: { name: 'app', status: 'running', directory: '/workspaces/app', version: 'fake-agent 1.0.0' },
  });
  await end();
});

test('where the image does not tell its platform, the machine in the container is asked', async () => {
  const { world, end } = await beginWithApp({
    arrange: ({ engine }) => {
      engine.setPlatform(engine.container('app-1').imageId, { operatingSystem: '', architecture: '' });
      engine.onExec(['uname', '-m'], { stdout: 'aarch64\n' });
    },
  });
  expect(world.subAgentProvider.resolved).toEqual([{ operatingSystem: 'linux', architecture: 'arm64' }]);
  await end();
});

test('a platform without an executable is shown as unsupported and not retried until something changes', async () => {
  const { world, only, containerId, afterEvent, end } = await beginWithApp({
    arrange: ({ subAgentProvider }) => subAgentProvider.provide('amd64', undefined),
  });
  const shown = { agent: { status: 'unsupported', reason: 'There is no sub-agent for linux/amd64.' } };
  expect(await only()).toMatchObject({ status: 'running', ...shown });
  await world.clock.run(10 * 60_000);
  expect(world.subAgentProvider.calls.resolve).toBe(1);
  expect(await only()).toMatchObject(shown);
  expect(world.subAgentClient.calls.create).toBe(0);

  world.subAgentProvider.provide('amd64', buildSubAgentBinary());
  world.engine.restart(containerId);
  await afterEvent();
  expect(await only()).toMatchObject({ agent: { status: 'running' } });
  await end();
});

test('it runs as the remote user, in the workspace folder, with the remote environment', async () => {
  const { world, containerId, end } = await beginWithApp({
    workspace: {
      merged: {
        workspaceFolder: '/code',
        remoteUser: 'dev',
        remoteEnv: { HERE: '${containerEnv:HOME}/bin', NOT: null, ELSE: '${containerEnv:NONE:fallback}' },
      },
    },
    container: { env: ['HOME=/home/dev'], user: 'someone' },
    options: { subAgentUrl: 'http://10.0.0.1:4000', subAgentEnv: { EXTRA: '1' } },
    arrange: ({ subAgentProvider }) =>
      subAgentProvider.provide('amd64', buildSubAgentBinary({ env: { BINARY: 'own' } })),
  });
  const [process] = world.subAgentLauncher.running(containerId);
  expect(process?.request).toMatchObject({ user: 'dev', workingDir: '/code' });
  expect(process?.request.env).toEqual({
    HERE: '/home/dev/bin',
    ELSE: 'fallback',
    BINARY: 'own',
    EXTRA: '1',
    AGENTCONTAINERS_URL: 'http://10.0.0.1:4000',
    AGENTCONTAINERS_TOKEN: 'sub-agent-token-1',
    AGENTCONTAINERS_ID: world.subAgentClient.records[0]?.id,
    AGENTCONTAINERS_NAME: 'app',
    AGENTCONTAINERS_WORKSPACE: '/code',
  });
  expect(world.subAgentLauncher.deliveries[0]?.request.user).toBe('dev');
  await end();
});

test('what commands have is probed when it is asked for, as the user that they run as', async () => {
  const probes: string[] = [];
  const { world, containerId, end } = await beginWithApp({
    workspace: { merged: { remoteUser: 'dev', remoteEnv: { A: 'remote' }, userEnvProbe: 'interactiveShell' } },
    arrange: ({ engine }) =>
      engine.onExec(
        ({ argv }) => argv.at(-2)?.startsWith('environment-') === true,
        ({ spec, stdout }) => {
          probes.push(`${spec.user} ${spec.argv.at(-1)}`);
          stdout(`${spec.argv.at(-2)}\nA=profile\0B=profile\0${spec.argv.at(-2)}\n`);
          return 0;
        },
      ),
  });
  const [process] = world.subAgentLauncher.running(containerId);
  const signal = new AbortController().signal;
  expect(probes).toEqual([]);
  expect(await process?.request.commandEnv?.(signal)).toEqual({ ...process?.request.env, B: 'profile' });
  expect(process?.request.env).toMatchObject({ A: 'remote' });
  expect(probes).toEqual(['dev i']);
  await end();
});

test('commands keep the environment that they have when the profiles cannot be asked', async () => {
  const { world, containerId, end } = await beginWithApp({
    workspace: { merged: { remoteEnv: { A: 'remote' }, userEnvProbe: 'loginShell' } },
    arrange: ({ engine }) => {
      engine.onExec(({ argv }) => argv.at(-2)?.startsWith('environment-') === true, { exitCode: 3 });
      engine.onExec(({ argv }) => argv.at(-1) === 'KILL', { exitCode: 0 });
    },
  });
  const [process] = world.subAgentLauncher.running(containerId);
  expect(await process?.request.commandEnv?.(new AbortController().signal)).toBeUndefined();
  await end();
});

test('it runs as root where the provider says so', async () => {
  const { world, containerId, end } = await beginWithApp({
    workspace: { merged: { remoteUser: 'dev' } },
    arrange: ({ subAgentProvider }) => subAgentProvider.provide('amd64', buildSubAgentBinary({ user: 'root' })),
  });
  expect(world.subAgentLauncher.running(containerId)).toMatchObject([{ request: { user: 'root' } }]);
  await end();
});

test('its token is in the environment of its process and nowhere else', async () => {
  const { world, api, id, containerId, afterEvent, end } = await beginWithApp();
  world.subAgentLauncher.running()[0]?.crash();
  await world.clock.settle();
  world.engine.restart(containerId);
  await afterEvent();
  expect(world.subAgentLauncher.processes).toHaveLength(3);
  for (const { request } of world.subAgentLauncher.processes) {
    expect(request.env['AGENTCONTAINERS_TOKEN']).toBe('sub-agent-token-1');
  }
  let log = '';
  for await (const { text } of api.logs(id)) log += text;
  const everythingElse = JSON.stringify([
    await api.list(),
    world.logger.entries,
    await world.storage.load(),
    world.engine.containers(),
    world.subAgentClient.records,
    world.subAgentLauncher.deliveries,
    world.subAgentLauncher.processes.map(({ request: { env: _env, ...request } }) => request),
    log,
  ]);
  expect(everythingElse).not.toContain('sub-agent-token');
  await end();
});

test('what is ignored gets no sub-agent, and loses the one it has', async () => {
  const ignore = { image: 'x', customizations: { agentcontainers: { ignore: true } } };
  const { world, only, end } = await beginWithApp({ workspace: { config: { image: 'x' } } });
  expect(world.subAgentLauncher.running()).toHaveLength(1);
  const record = world.subAgentClient.records[0];
  world.configFiles.write('/src/app', CONFIG, ignore);
  await world.clock.settle();
  expect(world.subAgentLauncher.running()).toEqual([]);
  expect(world.subAgentClient.deleted).toEqual([record?.id]);
  expect(await only()).toMatchObject({ status: 'running', subAgentId: null });
  expect((await only()).agent).toBeUndefined();

  // A file that cannot be read changes nothing about that.
  world.configFiles.breakAt('/src/app', CONFIG);
  await world.clock.run(70_000);
  expect(world.subAgentLauncher.running()).toEqual([]);

  world.configFiles.write('/src/app', CONFIG, { image: 'x' });
  await world.clock.settle();
  expect(world.subAgentLauncher.running()).toHaveLength(1);
  await end();
});

test.each(['agentcontainers', 'coder'])('customizations.%s may ignore from the beginning', async (namespace) => {
  const { world, only, end } = await beginWithApp({
    workspace: { config: { image: 'x', customizations: { [namespace]: { ignore: true } } } },
  });
  expect(await only()).toMatchObject({ status: 'running' });
  expect(world.subAgentLauncher.calls.deliver + world.subAgentClient.calls.create).toBe(0);
  expect(world.cli.calls.readConfiguration).toBe(0);
  await end();
});

test('without injection nothing is injected', async () => {
  const { world, only, end } = await beginWithApp({ options: { injectSubAgents: false } });
  expect(await only()).toMatchObject({ status: 'running', subAgentId: null });
  expect(world.subAgentLauncher.calls.deliver).toBe(0);
  await end();
});

test('apps and display apps of all layers reach the record', async () => {
  const { world, end } = await beginWithApp({
    workspace: {
      merged: {
        customizations: [
          { coder: { displayApps: { vscode_insiders: true, vscode: false }, apps: [{ slug: 'a', url: 'old', n: 1 }] } },
          {
            agentcontainers: { displayApps: { ssh_helper: false }, apps: [{ slug: 'b' }, { slug: 'a', url: 'new' }] },
          },
        ],
      },
    },
  });
  const [record] = world.subAgentClient.records;
  expect(record?.displayApps).toEqual(['vscode_insiders', 'web_terminal', 'port_forwarding_helper']);
  expect(record?.apps).toEqual([{ slug: 'b' }, { slug: 'a', url: 'new' }]);
  await end();
});

test('what the sub-agent needs of the configuration is read once, and anew after an edit', async () => {
  const { world, containerId, afterEvent, end } = await beginWithApp();
  for (let time = 0; time < 3; time++) {
    world.engine.restart(containerId);
    await afterEvent();
  }
  expect(world.cli.calls.readConfiguration).toBe(1);
  world.configFiles.write('/src/app', CONFIG, { image: 'agentcontainers-base:1', forwardPorts: [1] });
  world.engine.restart(containerId);
  await afterEvent();
  expect(world.cli.calls.readConfiguration).toBe(2);
  await end();
});
