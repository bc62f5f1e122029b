import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
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

  it('goes through a shell into a volume that lies where it belongs', async () => {
    const containerId = await container('--read-only', '-v', '/.agentcontainers');
    const delivery = await launcher().deliver({ containerId, binary: shell, user: 'dev', signal: within() });
    expect(delivery).toMatchObject({
      way: 'exec-stdin',
      path: `/.agentcontainers/sub-agent-${shell.sha256.slice(0, 12)}`,
    });
    await runs(containerId, delivery.path, 'dev');
  });

  it('goes through a shell into a tmpfs, which an upload does not reach, and remembers that', async () => {
    const containerId = await container('--tmpfs', '/.agentcontainers:exec');
    const one = launcher();
    const first = await one.deliver({ containerId, binary: shell, user: 'dev', signal: within() });
    expect(first.way).toBe('exec-stdin');
    await runs(containerId, first.path, 'dev');

    const before = { ...engine.meter };
    const second = await one.deliver({ containerId, binary: shell, user: 'dev', signal: within() });
    expect(second).toMatchObject({ way: 'present', path: first.path });
    expect(engine.meter.bytesSent).toBe(before.bytesSent);

    // What the engine holds below the tmpfs is not taken for a delivered file by the next daemon; what runs there is.
    const other = await launcher().deliver({ containerId, binary: shell, user: 'dev', signal: within() });
    expect(other).toMatchObject({ way: 'present', version: first.version });
    expect(engine.meter.bytesSent).toBe(before.bytesSent);

    // A restart empties the tmpfs.
    await world.docker('restart', containerId);
    expect((await launcher().deliver({ containerId, binary: shell, signal: within() })).way).toBe('exec-stdin');
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
    const containerId = await container('--read-only', '-v', `${folder}:/workspaces/project`);
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
    expect((refusal as Error).message).toMatch(/not running\. Check that the container runs\.$/);
  });
});
