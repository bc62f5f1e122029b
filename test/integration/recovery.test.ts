import { access } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { subAgentsIn } from './support/container-processes.ts';
import { testEngine } from './support/engine-harness.ts';
import { eventually, timed } from './support/eventually.ts';
import { hasAgent, startLibrary, type Library } from './support/library.ts';

// What a person or the kernel does to a container behind our back: the list follows, and the sub-agent comes back.

const engine = testEngine();
let library: Library;
beforeAll(async () => {
  library = await startLibrary(engine);
});
afterAll(async () => {
  await library?.api.close();
  await engine.cleanup();
});

describe('a container that', () => {
  it('is killed is shown as stopped, its sub-agent as ended; started by hand it has a sub-agent again', async () => {
    const folder = await engine.copyFixture('image');
    const { devcontainer, containerId, agentPid } = await library.up(folder);
    const stopped = await timed('docker kill to stopped', async () => {
      await engine.docker('kill', containerId);
      return library.until(folder, 'stopped', ({ status }) => status === 'stopped');
    });
    expect(stopped).toMatchObject({
      id: devcontainer.id,
      dirty: false,
      container: { id: containerId, running: false },
    });
    expect(stopped.container?.status).toBe('exited with code 137');
    expect(stopped.agent).toBeUndefined();
    expect(stopped.error).toBeUndefined();
    await expect(access(`/proc/${agentPid}`)).rejects.toThrow('ENOENT');

    const again = await timed('docker start to the sub-agent', async () => {
      await engine.docker('start', containerId);
      return library.injected(folder);
    });
    expect(again.containerId).toBe(containerId);
    // A record with the same configuration outlives a run of the container.
    expect(again.devcontainer.subAgentId).toBe(devcontainer.subAgentId);
  });

  it('is restarted by hand has a new sub-agent process', async () => {
    const folder = await engine.copyFixture('image');
    const { containerId, agentPid } = await library.up(folder);
    await engine.docker('restart', '-t', '1', containerId);
    await eventually('another sub-agent process', async () => {
      const pids = await subAgentsIn(engine, containerId);
      return pids.length === 1 && pids[0] !== agentPid;
    });
    expect(hasAgent((await library.injected(folder)).devcontainer)).toBe(true);
  });

  it('is removed by hand leaves a stopped entry that is not dirty and can be started', async () => {
    const folder = await engine.copyFixture('image');
    const { devcontainer, containerId } = await library.up(folder);
    await timed('docker rm to stopped', async () => {
      await engine.docker('rm', '-f', containerId);
      return library.until(folder, 'stopped', ({ status, container }) => status === 'stopped' && !container);
    });
    const seen = await library.api.get(devcontainer.id);
    expect(seen).toMatchObject({ status: 'stopped', dirty: false });
    expect(seen.agent).toBeUndefined();
    expect(seen.error).toBeUndefined();
    expect((await library.api.list()).containers.map(({ id }) => id)).not.toContain(containerId);

    await (
      await library.api.startDevcontainer(devcontainer.id)
    ).done;
    const again = await library.injected(folder);
    expect(again.devcontainer.id).toBe(devcontainer.id);
    expect(again.containerId).not.toBe(containerId);
  });

  it('is paused is not running, and is what it was when it goes on', async () => {
    const folder = await engine.copyFixture('image');
    const { containerId } = await library.up(folder);
    await engine.docker('pause', containerId);
    await library.until(folder, 'not running', ({ status }) => status !== 'running');
    await engine.docker('unpause', containerId);
    const after = await library.injected(folder);
    expect(after.containerId).toBe(containerId);
  });
});

describe('a sub-agent that', () => {
  it('is killed inside its container is injected anew, with a name and record as before', async () => {
    const folder = await engine.copyFixture('image');
    const before = await library.up(folder);
    await timed('kill -9 to the next sub-agent', async () => {
      process.kill(before.agentPid, 'SIGKILL');
      return eventually('another sub-agent process', async () => {
        const pids = await subAgentsIn(engine, before.containerId);
        return pids.length === 1 && pids[0] !== before.agentPid;
      });
    });
    const after = await library.injected(folder);
    expect(after.devcontainer).toMatchObject({
      status: 'running',
      name: before.devcontainer.name,
      subAgentId: before.devcontainer.subAgentId,
    });
    expect(after.devcontainer.error).toBeUndefined();
    expect((await library.records()).filter(({ name }) => name === before.devcontainer.name)).toHaveLength(1);
  });

  it('dies again and again is shown with its reason while it waits for the next try', async () => {
    const folder = await engine.copyFixture('image');
    let { agentPid } = await library.up(folder);
    process.kill(agentPid, 'SIGKILL');
    const { containerId } = await library.injected(folder);
    agentPid = await eventually('another sub-agent process', async () => {
      const [pid, ...others] = await subAgentsIn(engine, containerId);
      return pid !== undefined && others.length === 0 && pid !== agentPid ? pid : undefined;
    });
    process.kill(agentPid, 'SIGKILL');
    const seen = await library.until(folder, 'ended', ({ agent }) => agent?.status === 'exited');
    expect(seen).toMatchObject({ status: 'running', error: seen.agent?.reason });
    expect(seen.agent?.reason).toMatch(/killed|signal|KILL|137|ended/i);
    await library.injected(folder);
  });
});
