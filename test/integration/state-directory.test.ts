import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../../src/http/test-server.ts';
import { subAgentsIn } from './support/container-processes.ts';
import { API, buildDaemon, isInjected, startDaemon, type DaemonBuild, type DaemonProcess } from './support/daemon.ts';
import { testEngine } from './support/engine-harness.ts';
import { eventually } from './support/eventually.ts';
import { isResidentBuilt } from './resident-support.ts';

// What a daemon keeps on disk, and what it does with it.

/** The file that is delivered by default. */
const SUB_AGENT = isResidentBuilt ? /^resident-[0-9a-f]{12}$/ : /^sub-agent-[0-9a-f]{12}$/;

const engine = testEngine();
let build: DaemonBuild;
let daemon: DaemonProcess | undefined;
let root: string;
let stateDir: string;
beforeAll(async () => {
  build = await buildDaemon();
  root = dirname(await engine.makeFolder('root'));
  stateDir = join(root, 'state');
});
afterEach(() => daemon?.end('SIGKILL'));
afterAll(async () => {
  await engine.cleanup();
  await build?.remove();
});

const start = (): Promise<DaemonProcess> => {
  const args = ['--listen', 'off', '--log-level', 'warn', root];
  return startDaemon({ main: build.main, dockerHost: engine.dockerHost, stateDir, args });
};
const modeOf = async (name: string): Promise<number> => (await stat(join(stateDir, name))).mode & 0o777;

it("is its owner's alone, but for the executables of sub-agents, and has one key for good", async () => {
  daemon = await start();
  const key = await readFile(join(stateDir, 'label-key'), 'utf8');
  expect(key).toMatch(/^[0-9a-f]{64}\n$/);
  expect(await modeOf('.')).toBe(0o700);
  expect(await modeOf('label-key')).toBe(0o600);
  await daemon.end('SIGKILL');
  daemon = await start();
  expect(await readFile(join(stateDir, 'label-key'), 'utf8')).toBe(key);
  expect(daemon.output()).not.toContain(key.trim());
});

it('answers whoever asks while it starts, once it knows what there is', async () => {
  await daemon?.end('SIGKILL');
  const socket = join(stateDir, 'daemon.sock');
  let isStarted = false;
  const asking = (async () => {
    const statuses = new Set<number>();
    // As a client that waits for the daemon: again and again, from before there is a socket.
    while (!isStarted) {
      const answer = await ask(socket, { path: `${API}/devcontainers` }).catch(() => undefined);
      if (answer) statuses.add(answer.status);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return statuses;
  })();
  daemon = await start().finally(() => (isStarted = true));
  expect([...(await asking)].filter((status) => status !== 200)).toEqual([]);
});

describe.each(['image', 'compose'])('a devcontainer of the fixture %s', (fixture) => {
  it('is made with the sub-agent mounted, holds no copy of it, and cannot change it', async () => {
    daemon = await start();
    const folder = await engine.copyFixture(fixture);
    const { devcontainer_id: id } = await daemon.create(folder);
    const seen = await daemon.until(id, 'running with its sub-agent', isInjected);
    const container = seen.container?.id ?? '';
    const text = await engine.docker('inspect', '-f', '{{json .Mounts}}', container);
    const mounts = JSON.parse(text) as { Destination: string; Source: string; RW: boolean }[];
    const store = join(stateDir, 'sub-agents');
    expect(mounts.find(({ Destination }) => Destination === '/.agentcontainers')).toMatchObject({
      Source: store,
      RW: false,
    });
    const names = await readdir(store);
    expect(names).toEqual([expect.stringMatching(SUB_AGENT)]);
    expect(await modeOf('sub-agents')).toBe(0o755);
    expect(await modeOf(`sub-agents/${names[0]}`)).toBe(0o755);
    expect(await subAgentsIn(engine, container)).toHaveLength(1);
    // Nothing was copied beside it, and root cannot write to it.
    expect(await engine.docker('exec', container, 'sh', '-c', 'ls -d /.agentcontainers*')).toBe('/.agentcontainers');
    const write = engine.docker('exec', '-u', '0', container, 'sh', '-c', `echo >/.agentcontainers/${names[0]}`);
    await expect(write).rejects.toThrow(/read-only/i);
  });
});

it('is copied into a container that was made by somebody else', async () => {
  daemon = await start();
  const folder = await engine.makeFolder('adopted');
  await mkdir(join(folder, '.devcontainer'));
  const config = join(folder, '.devcontainer/devcontainer.json');
  await writeFile(config, JSON.stringify({ image: 'agentcontainers-base:1' }));
  const labels = [`devcontainer.local_folder=${folder}`, `devcontainer.config_file=${config}`, engine.label];
  const flags = labels.flatMap((label) => ['--label', label]);
  const mount = ['-v', `${folder}:/workspaces/${basename(folder)}`];
  const id = await engine.docker('run', '-d', ...flags, ...mount, 'agentcontainers-base:1', 'sleep', '600');
  await eventually('its sub-agent', async () => (await subAgentsIn(engine, id)).length === 1);
  expect(await engine.docker('exec', id, 'sh', '-c', 'ls /.agentcontainers')).toMatch(SUB_AGENT);
});
