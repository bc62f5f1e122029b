import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SubAgentBinary, SubAgentProcess } from '../../src/agentcontainers/ports.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { createDockerEngine } from '../../src/engine/docker-engine.ts';
import { silentLogger } from '../../src/logger.ts';
import { createSubAgentLauncher } from '../../src/subagent/launcher.ts';
import { fileSubAgentProvider, shellSubAgentProvider } from '../../src/subagent/provider.ts';
import { processesIn } from './support/container-processes.ts';
import { eventsSince } from './support/engine-features.ts';
import { isAlive } from './support/engine-script.ts';
import { BASE_IMAGE, startPrivateEngine, testEngine } from './support/engine-harness.ts';
import type { TestEngine } from './support/engine-harness.ts';
import { launchRequest, resolved, within } from './sub-agent-support.ts';

const world = testEngine();
const engine = createDockerEngine({ dockerHost: world.dockerHost, clock: systemClock, logger: silentLogger });
const launcher = createSubAgentLauncher({ engine, clock: systemClock, logger: silentLogger });
let shell: SubAgentBinary;

async function container(of: TestEngine, ...options: string[]): Promise<string> {
  return of.docker('run', '-d', '--label', of.label, '--stop-timeout', '0', ...options, BASE_IMAGE, 'sleep', '600');
}

async function launch(containerId: string, binary = shell, env: Record<string, string> = {}): Promise<SubAgentProcess> {
  const { path } = await launcher.deliver({ containerId, binary, signal: within() });
  const token = { AGENTCONTAINERS_TOKEN: 'token-of-this-test' };
  return launcher.launch(launchRequest({ containerId, binary, path, env: { ...token, ...env } }));
}

/** Pids and command lines of the processes in the container, but for its own first one. */
async function processes(of: TestEngine, containerId: string): Promise<string[]> {
  const first = await of.docker('inspect', '-f', '{{.State.Pid}}', containerId);
  const found = await processesIn(of, containerId);
  return found.filter(({ pid }) => pid !== Number(first)).map(({ pid, args }) => `${pid} ${args}`);
}

/** What was killed may be seen for a moment more; nothing of ours would be left for less than three seconds. */
async function nothingRuns(of: TestEngine, containerId: string): Promise<void> {
  await expect.poll(() => processes(of, containerId), { timeout: 1_500, interval: 50 }).toEqual([]);
}

/** Asks until it holds, for `ms` at most. */
async function eventually(check: () => Promise<boolean>, ms = 15_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`It did not become true within ${ms} ms.`);
    await delay(50);
  }
}

/** `sub-agent-client.ts` in a process of its own, when it has printed `ready`. */
async function startClient(dockerHost: string, containerId: string, heartbeatSeconds = 30): Promise<ChildProcess> {
  const module = new URL('sub-agent-client.ts', import.meta.url).pathname;
  const script = `import { runnerImport } from 'vite'; await runnerImport(${JSON.stringify(module)});`;
  const env = {
    ...process.env,
    TEST_DOCKER_HOST: dockerHost,
    TEST_CONTAINER: containerId,
    TEST_HEARTBEAT_SECONDS: String(heartbeatSeconds),
  };
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  await new Promise<void>((resolve, reject) => {
    const note = (text: Buffer): void => {
      output += text.toString();
      if (output.includes('ready\n')) resolve();
    };
    child.stdout.on('data', note);
    child.stderr.on('data', note);
    child.on('exit', () => reject(new Error(`The client ended: ${output}`)));
  });
  return child;
}

beforeAll(async () => {
  shell = await resolved(shellSubAgentProvider());
});
afterAll(async () => {
  await world.cleanup();
  await engine.close();
});

describe('life of a sub-agent', () => {
  it('is ready with its version, and ends with its command when it is told to', async () => {
    const containerId = await container(world);
    const binary = await resolved(shellSubAgentProvider({ command: 'echo at work in $PWD as $(id -un); sleep 9876' }));
    const { path } = await launcher.deliver({ containerId, binary, user: 'dev', signal: within() });
    const launched = await launcher.launch(
      launchRequest({ containerId, binary, path, user: 'dev', workingDir: '/workspaces' }),
    );
    expect(launched.version).toMatch(/^\d+\.\d+\.\d+$/);
    await eventually(async () => (await processes(world, containerId)).some((line) => line.includes('sleep 9876')));

    await launched.stop(10_000);
    const exit = await launched.exited;
    expect(exit).toMatchObject({ reason: 'stopped', exitCode: 0 });
    expect(exit.outputTail).toContain('command: at work in /workspaces as dev');
    await nothingRuns(world, containerId);
  });

  it('reports that its command ended, and stays', async () => {
    const containerId = await container(world);
    const launched = await launch(containerId, await resolved(shellSubAgentProvider({ command: 'echo done; exit 7' })));
    await eventually(async () => (await processes(world, containerId)).every((line) => !line.includes(' command ')));
    await launched.stop(10_000);
    expect((await launched.exited).outputTail).toMatch(/command exited 7/);
  });

  it('ends the one that still runs when a second one is started, as after a restart of the daemon', async () => {
    const containerId = await container(world);
    const first = await launch(containerId);
    const second = await launch(containerId);
    expect(await first.exited).toMatchObject({ exitCode: 143, reason: 'signal' });
    await second.stop(10_000);
    expect((await second.exited).outputTail).toMatch(/ended predecessor pid=\d+/);
    await nothingRuns(world, containerId);
  });

  it('reports a crash with its code, a kill with its signal, and the end of the container', async () => {
    const containerId = await container(world);
    const noToken = { AGENTCONTAINERS_TOKEN: '' };
    await expect(launch(containerId, shell, noToken)).rejects.toThrow(
      /^Starting the sub-agent in container \w{12} failed: The sub-agent ended with code 2; its last words: AGENTCONTAINERS_TOKEN is not set/,
    );

    const killed = await launch(containerId);
    await world.docker(
      'exec',
      containerId,
      'sh',
      '-c',
      'kill -9 $(cut -d" " -f1 /tmp/.agentcontainers-sub-agent.0/pid)',
    );
    expect(await killed.exited).toMatchObject({ exitCode: 137, reason: 'signal' });

    const orphaned = await launch(containerId);
    await world.docker('kill', containerId);
    expect(await orphaned.exited).toMatchObject({ reason: 'container-gone' });
  });

  it('refuses a working directory that is not there, and says so', async () => {
    const containerId = await container(world);
    const { path } = await launcher.deliver({ containerId, binary: shell, signal: within() });
    const request = launchRequest({ containerId, binary: shell, path, workingDir: '/not/there' });
    const refusal = await launcher.launch(request).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'sub-agent-start-failed' });
    expect((refusal as Error).message).toContain('/not/there');
  });

  it('ends within moments when the process that holds it is killed', async () => {
    const containerId = await container(world);
    const client = await startClient(world.dockerHost, containerId);
    await eventually(async () => (await processes(world, containerId)).some((line) => line.includes('sleep 9876')));

    client.kill('SIGKILL');
    await once(client, 'exit');
    await eventually(async () => (await processes(world, containerId)).length === 0);
  });

  it('ends when the engine is killed, although nothing in the container hears of that', async () => {
    const own = await startPrivateEngine();
    try {
      const inside = testEngine(own.dockerHost);
      const containerId = await container(inside, '--network', 'none');
      const client = await startClient(own.dockerHost, containerId, 1);
      const pids = (await processes(inside, containerId)).map((line) => Number(line.trim().split(' ', 1)[0]));
      expect(pids.length).toBeGreaterThan(2);

      await own.kill();
      client.kill('SIGKILL');
      await eventually(async () => !(await Promise.all(pids.map(isAlive))).includes(true), 60_000);
    } finally {
      await own.close();
    }
  }, 120_000);

  describe('that ignores its standard input and TERM', () => {
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'deaf-agent-'));
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    async function deafAgent(shell: string): Promise<SubAgentBinary> {
      const path = join(folder, 'deaf-agent');
      const lines = [
        `#!${shell}`,
        '[ "$1" = --version ] && { echo 1.0; exit 0; }',
        "trap '' TERM",
        '/bin/busybox setsid /bin/busybox sleep 9871 </dev/null &',
        '/bin/busybox env -i /bin/busybox sleep 9872 </dev/null &',
        'while :; do /bin/busybox sleep 1; done </dev/null',
      ];
      await writeFile(path, `${lines.join('\n')}\n`, { mode: 0o755 });
      return resolved(fileSubAgentProvider({ path }));
    }

    it.each(['root', 'dev'])('is killed with what it started, as %s', async (user) => {
      const containerId = await container(world);
      const binary = await deafAgent('/bin/sh');
      const { path } = await launcher.deliver({ containerId, binary, user, signal: within() });
      const launched = await launcher.launch(launchRequest({ containerId, binary, path, user }));
      await eventually(async () => (await processes(world, containerId)).length >= 4);

      await launched.stop(1_000);
      expect(await launched.exited).toMatchObject({
        reason: 'stopped',
        exitCode: 137,
        message: 'The sub-agent was told to end. It did not end by itself and was killed.',
      });
      await eventually(async () => (await processes(world, containerId)).length === 0);
    });

    it('is said to run on in a container without a shell', async () => {
      const containerId = await container(world);
      const binary = await deafAgent('/bin/busybox sh');
      const launched = await launch(containerId, binary);
      await world.docker('exec', containerId, '/bin/busybox', 'rm', '/bin/sh');
      await launched.stop(500);
      expect(await launched.exited).toMatchObject({
        reason: 'stopped',
        exitCode: null,
        message:
          'The sub-agent was told to end. It may still run in the container: killing it failed: the container has no /bin/sh that could do it.',
      });
    });
  });

  it('keeps the token out of command lines, events, exec and container inspection, and its own environment', async () => {
    const token = `canary${Math.random().toString(36).slice(2)}${Date.now()}`;
    const since = Math.floor(Date.now() / 1_000) - 1;
    const containerId = await container(world);
    const binary = await resolved(shellSubAgentProvider({ command: 'env; exec sleep 9876' }));
    const launched = await launch(containerId, binary, { AGENTCONTAINERS_TOKEN: token });
    await eventually(async () => (await processes(world, containerId)).some((line) => line.includes('sleep 9876')));

    const events = await eventsSince(world.docker, since);
    expect(events).toMatch(/"Action":"exec[_"]/);
    expect(events).not.toContain(token);
    const inspected = await world.docker('inspect', containerId);
    expect(inspected).not.toContain(token);
    const execIds = (JSON.parse(inspected) as { ExecIDs: string[] | null }[])[0]?.ExecIDs ?? [];
    expect(execIds.length).toBeGreaterThan(0);
    for (const id of execIds) expect(await execInspection(id)).not.toContain(token);
    expect((await processes(world, containerId)).join('\n')).not.toContain(token);
    // Not even for root in the container, in any process of it.
    const environments = await world.docker(
      'exec',
      containerId,
      'sh',
      '-c',
      'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline',
    );
    expect(environments).toContain('AGENTCONTAINERS_HEARTBEAT_SECONDS');
    expect(environments).not.toContain(token);

    await launched.stop(10_000);
    expect((await launched.exited).outputTail).not.toContain(token);
  });
});

async function execInspection(id: string): Promise<string> {
  const { engineApi } = await import('./engine-api.ts');
  return JSON.stringify(await engineApi()('GET', `/exec/${id}/json`));
}
