import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SubAgentBinary } from '../../src/agentcontainers/ports.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { createDockerEngine } from '../../src/engine/docker-engine.ts';
import { silentLogger } from '../../src/logger.ts';
import { createSubAgentLauncher } from '../../src/subagent/launcher.ts';
import { fileSubAgentProvider, shellSubAgentProvider } from '../../src/subagent/provider.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import { engineFeatures } from './support/engine-features.ts';
import { launchRequest, meter, resolved, within } from './sub-agent-support.ts';

const world = testEngine();
const engine = meter(createDockerEngine({ dockerHost: world.dockerHost, clock: systemClock, logger: silentLogger }));
let shell: SubAgentBinary;

function launcher() {
  return createSubAgentLauncher({ engine, clock: systemClock, logger: silentLogger });
}

async function container(...options: string[]): Promise<string> {
  return world.docker(
    'run',
    '-d',
    '--label',
    world.label,
    '--stop-timeout',
    '0',
    ...options,
    BASE_IMAGE,
    'sleep',
    '600',
  );
}

/** How a file gets into a tmpfs or a volume of a running container. */
const wayIntoMounts = (): string => (engineFeatures().uploadReachesMounts ? 'archive' : 'exec-stdin');

/** Runs the delivered sub-agent until it is ready and ends it. */
async function runs(containerId: string, path: string, user?: string): Promise<void> {
  const process = await launcher().launch(launchRequest({ containerId, binary: shell, path, user }));
  await process.stop(5_000);
  expect(await process.exited).toMatchObject({ reason: 'stopped', exitCode: 0 });
}

beforeAll(async () => {
  shell = await resolved(shellSubAgentProvider());
});
afterAll(async () => {
  await world.cleanup();
  await engine.close();
});

describe('delivery of a sub-agent', () => {
  it('takes one upload into a plain container, with directory, modes and owner', async () => {
    const containerId = await container();
    const before = { ...engine.meter };
    const delivery = await launcher().deliver({ containerId, binary: shell, user: 'dev', signal: within() });

    expect(delivery).toEqual({
      path: `/.agentcontainers/sub-agent-${shell.sha256.slice(0, 12)}`,
      way: 'archive',
      version: expect.stringMatching(/^agentcontainers-sub-agent \d+\.\d+\.\d+$/),
    });
    // The version call is the only process.
    expect(engine.meter.processes - before.processes).toBe(1);
    const stat = await world.docker('exec', containerId, 'stat', '-c', '%a %u:%g', '/.agentcontainers', delivery.path);
    expect(stat.split('\n')).toEqual(['755 0:0', '755 0:0']);
    await runs(containerId, delivery.path, 'dev');
  });

  it('sends nothing and starts nothing when the file is there, also for a launcher that knows nothing', async () => {
    const containerId = await container();
    const first = await launcher().deliver({ containerId, binary: shell, signal: within() });
    const before = { ...engine.meter };
    const second = await launcher().deliver({ containerId, binary: shell, signal: within() });
    expect(second).toMatchObject({ path: first.path, way: 'present' });
    expect(engine.meter).toEqual(before);
  });

  it('replaces a file of that name which is not whole or not executable', async () => {
    const containerId = await container();
    const { path } = await launcher().deliver({ containerId, binary: shell, signal: within() });
    await world.docker('exec', containerId, 'sh', '-c', `echo broken > ${path}`);
    expect((await launcher().deliver({ containerId, binary: shell, signal: within() })).way).toBe('archive');
    await world.docker('exec', containerId, 'chmod', '644', path);
    expect((await launcher().deliver({ containerId, binary: shell, signal: within() })).way).toBe('archive');
    await runs(containerId, path);
  });

  it('works for the user dev, and for a uid that has no passwd entry', async () => {
    for (const user of ['dev', '4711', '4711:4712']) {
      const containerId = await container();
      const { path } = await launcher().deliver({ containerId, binary: shell, user, signal: within() });
      await runs(containerId, path, user);
    }
  });

  it('goes into a volume when the root is read-only', async () => {
    const containerId = await container('--read-only', '-v', '/some/volume');
    const delivery = await launcher().deliver({ containerId, binary: shell, user: 'dev', signal: within() });
    expect(delivery.way).toBe('mount');
    expect(delivery.path).toMatch(/^\/some\/volume\/\.agentcontainers\/sub-agent-/);
    await runs(containerId, delivery.path, 'dev');
  });

  it('goes into a volume that lies where it belongs, through a shell if need be', async () => {
    const containerId = await container('--read-only', '-v', '/.agentcontainers');
    const delivery = await launcher().deliver({ containerId, binary: shell, user: 'dev', signal: within() });
    expect(delivery).toMatchObject({
      way: wayIntoMounts(),
      path: `/.agentcontainers/sub-agent-${shell.sha256.slice(0, 12)}`,
    });
    await runs(containerId, delivery.path, 'dev');
  });

  it('goes into a tmpfs, through a shell where an upload does not reach it, and remembers that', async () => {
    const containerId = await container('--tmpfs', '/.agentcontainers:exec');
    const one = launcher();
    const first = await one.deliver({ containerId, binary: shell, user: 'dev', signal: within() });
    expect(first.way).toBe(wayIntoMounts());
    await runs(containerId, first.path, 'dev');

    const before = { ...engine.meter };
    const second = await one.deliver({ containerId, binary: shell, user: 'dev', signal: within() });
    expect(second).toMatchObject({ way: 'present', path: first.path });
    expect(engine.meter.bytesSent).toBe(before.bytesSent);

    // What the engine holds below the tmpfs is not taken for a delivered file by the next daemon; what runs there is.
    const other = await launcher().deliver({ containerId, binary: shell, user: 'dev', signal: within() });
    expect(other).toMatchObject({
      way: 'present',
      version: engineFeatures().uploadReachesMounts ? undefined : first.version,
    });
    expect(engine.meter.bytesSent).toBe(before.bytesSent);

    // A restart empties the tmpfs.
    await world.docker('restart', containerId);
    expect((await launcher().deliver({ containerId, binary: shell, signal: within() })).way).toBe(wayIntoMounts());
  });

  it('goes elsewhere when its place is a tmpfs that runs no programs', async () => {
    const containerId = await container('--tmpfs', '/.agentcontainers:noexec');
    const delivery = await launcher().deliver({ containerId, binary: shell, user: 'dev', signal: within() });
    expect(delivery.way).toBe('mount');
    expect(delivery.path).not.toMatch(/^\/\.agentcontainers\//);
    await runs(containerId, delivery.path, 'dev');
    // Nothing of it is left in the container's memory.
    expect(await world.docker('exec', containerId, 'ls', '-A', '/.agentcontainers')).toBe('');
  });

  it('never writes into a folder of the host, and names what it tried when there is no place', async () => {
    const folder = await world.makeFolder();
    const inTheWay = engineFeatures().readOnlyRootHasTmpfs ? ['/run', '/tmp', '/var/tmp'] : [];
    const containerId = await container(
      '--read-only',
      ...inTheWay.flatMap((path) => ['--tmpfs', `${path}:noexec`]),
      '-v',
      `${folder}:/workspaces/project`,
    );
    const refusal = await launcher()
      .deliver({ containerId, binary: shell, signal: within() })
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'sub-agent-delivery-failed' });
    expect((refusal as Error).message).toMatch(
      /failed: \/\.agentcontainers: .*read-only.*\. Give the container a volume/i,
    );
    expect((refusal as { details?: unknown }).details).toMatchObject({
      tried: [expect.any(String), expect.any(String)],
    });
    const { stdout } = await promisify(execFile)('ls', ['-A', folder]);
    expect(stdout).toBe('');
  });

  it('takes a read-only root with an executable tmpfs', async () => {
    const containerId = await container('--read-only', '--tmpfs', '/tmp:exec', '--tmpfs', '/run:noexec');
    const delivery = await launcher().deliver({ containerId, binary: shell, user: 'dev', signal: within() });
    expect(delivery.path).toMatch(/^\/tmp\/\.agentcontainers\/sub-agent-/);
    await runs(containerId, delivery.path, 'dev');
  });

  it('refuses a script where there is no shell, and says so; a static executable runs there', async () => {
    const folder = await world.makeFolder();
    const busybox = join(folder, 'busybox');
    // Everything this image needs is one static program.
    await promisify(execFile)('cp', ['/bin/busybox', busybox]);
    const image = `${world.prefix}-bare:1`;
    await promisify(execFile)(
      'sh',
      ['-c', `tar -c -C ${folder} busybox | docker -H ${world.dockerHost} import --platform linux/amd64 - ${image}`],
      { timeout: 30_000 },
    );
    const containerId = await world.docker('run', '-d', '--label', world.label, image, '/busybox', 'sleep', '600');

    const refusal = await launcher()
      .deliver({ containerId, binary: shell, signal: within() })
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'sub-agent-unsupported' });
    expect((refusal as Error).message).toContain('is a script and needs /bin/sh, which the container does not have');

    const binary = await resolved(
      fileSubAgentProvider({ path: busybox, versionArgs: ['true'], args: ['sleep', '600'], name: 'busybox' }),
    );
    const delivery = await launcher().deliver({ containerId, binary, signal: within() });
    expect(delivery.way).toBe('archive');
    const process = await launcher().launch(launchRequest({ containerId, binary, path: delivery.path }));
    await world.docker('kill', containerId);
    expect(await process.exited).toMatchObject({ reason: 'container-gone' });
  });

  it('refuses a file that was changed after it was chosen, and one whose version call fails', async () => {
    const containerId = await container();
    const folder = await world.makeFolder();
    const path = join(folder, 'agent.sh');
    await writeFile(path, '#!/bin/sh\necho cannot >&2; exit 3\n');
    await chmod(path, 0o755);
    const binary = await resolved(fileSubAgentProvider({ path }));
    await expect(launcher().deliver({ containerId, binary, signal: within() })).rejects.toThrow(
      /--version does not work there: cannot \(exit code 3\)\. The sub-agent must answer it with exit code 0\.$/,
    );
    await writeFile(path, '#!/bin/sh\nexit 0\n');
    await expect(launcher().deliver({ containerId, binary, signal: within() })).rejects.toThrow(
      'was changed since it was chosen',
    );
  });

  it('says that the container does not run', async () => {
    const containerId = await world.docker('create', '--label', world.label, BASE_IMAGE, 'sleep', '600');
    const refusal = await launcher()
      .deliver({ containerId, binary: shell, signal: within() })
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'sub-agent-delivery-failed' });
    expect((refusal as Error).message).toMatch(
      /not running\b.*\. Check that the container runs\.$|on running containers/,
    );
  });
});

describe('delivery without a copy', () => {
  /** Below a folder that only its owner may enter, as a state directory is. */
  async function makeStore(): Promise<string> {
    const state = await world.makeFolder('state');
    await chmod(state, 0o700);
    return join(state, 'sub-agents');
  }
  const mounting = (storeDirectory: string) =>
    createSubAgentLauncher({ engine, clock: systemClock, logger: silentLogger, storeDirectory });

  /** A container as it is made with what the launcher wants mounted. */
  async function mounted(one: ReturnType<typeof mounting>, ...options: string[]): Promise<string> {
    const mount = await one.readOnlyMount(within());
    return container('--mount', `type=bind,source=${mount?.source},target=${mount?.target},readonly`, ...options);
  }
  const executable = async (content: string): Promise<SubAgentBinary> => {
    const path = join(await world.makeFolder(), 'agent.sh');
    await writeFile(path, content);
    await chmod(path, 0o755);
    return resolved(fileSubAgentProvider({ path, name: 'agent' }));
  };

  it.each([
    ['root', [], undefined],
    ['the user dev', [], 'dev'],
    ['a uid without a passwd entry', [], '4711:4712'],
    ['root, with a read-only root', ['--read-only'], undefined],
    ['the user dev, with a read-only root and no capabilities', ['--read-only', '--cap-drop=ALL'], 'dev'],
  ])('sends nothing, writes nothing, and runs as %s', async (_, options, user) => {
    const store = await makeStore();
    const one = mounting(store);
    const containerId = await mounted(one, ...options);
    const before = { ...engine.meter };
    const delivery = await one.deliver({ containerId, binary: shell, user, signal: within() });
    expect(delivery).toEqual({
      path: `/.agentcontainers/sub-agent-${shell.sha256.slice(0, 12)}`,
      way: 'mounted',
      version: expect.stringMatching(/^agentcontainers-sub-agent /),
    });
    await runs(containerId, delivery.path, user);
    // The version call, and the sub-agent itself, whose input is the only thing that was sent.
    expect(engine.meter.processes - before.processes).toBe(2);
    expect(engine.meter.uploads - before.uploads).toBe(0);
    expect(engine.meter.bytesSent - before.bytesSent).toBeLessThan(100);
    // In its own file system there is the place of the mount, and nothing in it. (Podman counts a link of its own.)
    const size = await world.docker('inspect', '-s', '-f', '{{.SizeRw}}', containerId);
    expect(Number(size)).toBeLessThan(100);
  });

  it('starts no process in the second container of the same image', async () => {
    const one = mounting(await makeStore());
    const [first, second] = [await mounted(one), await mounted(one)];
    await one.deliver({ containerId: first, binary: shell, user: 'dev', signal: within() });
    const before = { ...engine.meter };
    const delivery = await one.deliver({ containerId: second, binary: shell, user: 'dev', signal: within() });
    expect(delivery).toMatchObject({ way: 'mounted', version: expect.stringContaining('agentcontainers-sub-agent') });
    expect(engine.meter).toEqual(before);
    await runs(second, delivery.path, 'dev');
  });

  it('gives containers nothing that they could change, not even to root', async () => {
    const store = await makeStore();
    const one = mounting(store);
    const containerId = await mounted(one);
    const { path } = await one.deliver({ containerId, binary: shell, signal: within() });
    for (const command of [`echo x >${path}`, `rm -f ${path}`, `chmod 777 ${path}`, 'touch /.agentcontainers/more']) {
      await expect(world.docker('exec', '-u', '0', containerId, 'sh', '-c', command)).rejects.toThrow(/read-only/i);
    }
    expect(await readdir(store)).toEqual([`sub-agent-${shell.sha256.slice(0, 12)}`]);
  });

  it('reaches containers that run with a newer executable, and one that was restarted', async () => {
    const one = mounting(await makeStore());
    const containerId = await mounted(one);
    for (const version of ['1.0', '2.0']) {
      const binary = await executable(`#!/bin/sh\necho agent ${version}\n`);
      expect(await one.deliver({ containerId, binary, signal: within() })).toMatchObject({
        way: 'mounted',
        version: `agent ${version}`,
      });
    }
    await world.docker('restart', containerId);
    expect((await one.deliver({ containerId, binary: shell, signal: within() })).way).toBe('mounted');
  });

  it('works in a compose service', async () => {
    const store = await makeStore();
    const one = mounting(store);
    const mount = await one.readOnlyMount(within());
    const folder = await world.makeFolder('compose');
    await writeFile(
      join(folder, 'docker-compose.yml'),
      `version: '3.8'
services:
  app:
    image: ${BASE_IMAGE}
    command: sleep 600
    labels: ['${world.label}']
    volumes:
      - { type: bind, source: '${mount?.source}', target: '${mount?.target}', read_only: true }
`,
    );
    const env = { ...process.env, DOCKER_HOST: world.dockerHost };
    await promisify(execFile)('docker-compose', ['up', '-d'], { cwd: folder, env, timeout: 60_000 });
    const containerId = await world.docker(
      'ps',
      '-q',
      '--no-trunc',
      '--filter',
      `label=${world.label}`,
      '--filter',
      'label=com.docker.compose.service=app',
    );
    const delivery = await one.deliver({ containerId, binary: shell, user: 'dev', signal: within() });
    expect(delivery.way).toBe('mounted');
    await runs(containerId, delivery.path, 'dev');
  });

  it('copies beside the mount when programs cannot be run from it', async () => {
    const one = mounting(await makeStore());
    const containerId = await mounted(one, '--cap-add', 'SYS_ADMIN', '--security-opt', 'seccomp=unconfined');
    await world.docker('exec', containerId, 'mount', '-o', 'remount,bind,ro,noexec', '/.agentcontainers');
    const delivery = await one.deliver({ containerId, binary: shell, user: 'dev', signal: within() });
    expect(delivery).toMatchObject({
      way: 'archive',
      path: `/.agentcontainers-root/sub-agent-${shell.sha256.slice(0, 12)}`,
    });
    await runs(containerId, delivery.path, 'dev');
    // It was seen not to work.
    expect(await one.readOnlyMount(within())).toBeUndefined();
    expect((await one.deliver({ containerId, binary: shell, user: 'dev', signal: within() })).way).toBe('present');
  });

  it('goes into a volume when the mount is of no use and the root is read-only', async () => {
    const other = mounting(await makeStore());
    const containerId = await mounted(other, '--read-only', '-v', '/some/volume');
    const delivery = await mounting(await makeStore()).deliver({ containerId, binary: shell, signal: within() });
    expect(delivery).toMatchObject({
      way: 'mount',
      path: expect.stringMatching(/^\/some\/volume\/.agentcontainers\//),
    });
    await runs(containerId, delivery.path);
  });

  it('is not taken in by the engine, which sees a directory that was made anew while the container has the old one', async () => {
    const store = await makeStore();
    const one = mounting(store);
    const [proved, containerId, later] = [await mounted(one), await mounted(one), await mounted(one)];
    expect((await one.deliver({ containerId: proved, binary: shell, signal: within() })).way).toBe('mounted');
    await rm(store, { recursive: true });
    const delivery = await one.deliver({ containerId, binary: shell, signal: within() });
    const { path } = delivery;
    expect(delivery).toMatchObject({ way: 'archive', path: expect.stringMatching(/^\/\.agentcontainers-root\//) });
    await runs(containerId, path);
    // Once it is started again it has the new one, and so have those that are made from now on.
    await world.docker('restart', later);
    expect((await one.deliver({ containerId: later, binary: shell, signal: within() })).way).toBe('mounted');
    const next = await mounted(one);
    expect((await one.deliver({ containerId: next, binary: shell, signal: within() })).way).toBe('mounted');
  });

  it.each([
    ['a store of another daemon', ',readonly'],
    ['a directory that it may write', ''],
  ])('never writes into %s, nor runs what lies there', async (_, mode) => {
    const folder = await world.makeFolder('elsewhere');
    const name = `sub-agent-${shell.sha256.slice(0, 12)}`;
    await mkdir(join(folder, 'empty'));
    const source = mode === '' ? join(folder, 'empty') : folder;
    const containerId = await container('--mount', `type=bind,source=${source},target=/.agentcontainers${mode}`);
    await writeFile(join(folder, name), '#!/bin/sh\necho not this one\n', { mode: 0o755 });
    const delivery = await mounting(await makeStore()).deliver({ containerId, binary: shell, signal: within() });
    expect(delivery).toMatchObject({
      way: 'archive',
      path: `/.agentcontainers-root/${name}`,
      version: expect.stringContaining('agentcontainers-sub-agent'),
    });
    expect((await readdir(folder)).toSorted()).toEqual(['empty', name].toSorted());
    expect(await readdir(join(folder, 'empty'))).toEqual([]);
  });
});
