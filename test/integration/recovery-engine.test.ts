import { afterAll, beforeAll, expect, it } from 'vitest';
import { collect, isResidentBuilt } from './resident-support.ts';
import { subAgentsIn } from './support/container-processes.ts';
import { startPrivateEngine, testEngine, type PrivateEngine, type TestEngine } from './support/engine-harness.ts';
import { eventually, timed } from './support/eventually.ts';
import { startLibrary, writeConfig, type Library, type Running } from './support/library.ts';

// An engine of our own, to be stopped, killed and frozen under the library.

let privateEngine: PrivateEngine;
let engine: TestEngine;
let library: Library;
/** Its container is started again by the engine itself. */
let kept: { readonly folder: string; readonly before: Running };
/** Its container stays down after a restart of the engine, unless it runs on without it. */
let plain: { readonly folder: string; readonly before: Running };

async function bringUp(runArgs: readonly string[]): Promise<typeof kept> {
  const folder = await engine.makeFolder();
  await writeConfig(folder, { image: 'agentcontainers-base:1', init: true, runArgs });
  return { folder, before: await library.up(folder) };
}

beforeAll(async () => {
  privateEngine = await startPrivateEngine();
  engine = testEngine(privateEngine.dockerHost);
  library = await startLibrary(engine, { updateIntervalMs: 1_000, listTimeoutMs: 2_000 });
  kept = await bringUp(['--restart', 'always', '--stop-timeout', '1']);
  plain = await bringUp(['--stop-timeout', '1']);
});
afterAll(async () => {
  await library?.api.close();
  await engine?.cleanup();
  await privateEngine?.close();
});

it.each(['kill', 'stop'] as const)('recovers alone when the engine was away after a %s', async (way) => {
  const [keptPid] = await subAgentsIn(engine, kept.before.containerId);
  // With its container the resident lives on; a script ends with the exec that feeds it.
  const outlivesIt = privateEngine.containersOutliveIt && isResidentBuilt;
  const runtime = library.api.devcontainer(kept.before.devcontainer.id);
  const command = { command: 'echo before; read line; echo "got $line"; exit 9', stdin: true };
  const started = outlivesIt ? await runtime.spawn(command) : undefined;
  const attended = outlivesIt ? await runtime.exec(command) : undefined;
  await privateEngine[way]();
  const refused = await eventually('the error', () =>
    library.api.list().then(
      () => undefined,
      (error: unknown) => error,
    ),
  );
  expect(refused).toMatchObject({ code: 'list-failed', message: 'Could not get containers' });

  const began = performance.now();
  await privateEngine.start();
  const restarted = performance.now();
  await eventually('the list', () => library.api.list());
  const pid = await eventually(outlivesIt ? 'the same sub-agent process' : 'a new sub-agent process', async () => {
    const pids = await subAgentsIn(engine, kept.before.containerId);
    return pids.length === 1 && (pids[0] === keptPid) === outlivesIt ? pids[0] : undefined;
  });
  const seen = await library.injected(kept.folder);
  console.info(
    `engine started in ${Math.round(restarted - began)} ms, sub-agent back ${Math.round(performance.now() - restarted)} ms later`,
  );
  expect(seen.agentPid).toBe(pid);
  expect(seen.containerId).toBe(kept.before.containerId);
  expect(seen.devcontainer).toMatchObject({
    id: kept.before.devcontainer.id,
    name: kept.before.devcontainer.name,
    subAgentId: kept.before.devcontainer.subAgentId,
    dirty: false,
  });
  if (started && attended) {
    await runtime.writeStdin(started.id, 'it\n');
    const { stdout } = await collect(runtime.output(started.id, { follow: true }));
    expect(stdout.toString()).toBe('before\ngot it\n');
    expect(await runtime.process(started.id)).toMatchObject({ exit: { code: 9, reason: 'exit' } });
    await attended.write('it\n');
    expect((await collect(attended.output)).stdout.toString()).toBe('before\ngot it\n');
    expect(await attended.exited).toMatchObject({ code: 9, reason: 'exit' });
  }

  if (privateEngine.containersOutliveIt) {
    const { containerId, devcontainer } = await library.injected(plain.folder);
    expect(containerId).toBe(plain.before.containerId);
    expect(devcontainer).toMatchObject({ id: plain.before.devcontainer.id, dirty: false });
    return;
  }
  // What the engine did not start again is stopped, and comes back when it is wanted.
  const down = await library.until(plain.folder, 'stopped', ({ status }) => status === 'stopped');
  expect(down).toMatchObject({ id: plain.before.devcontainer.id, dirty: false });
  expect((await (await library.api.startDevcontainer(down.id)).done).status).toBe('succeeded');
  const again = await library.injected(plain.folder);
  expect(again.containerId).toBe(plain.before.containerId);
});

it('keeps what it knows while the engine hangs, says so, and goes on when it answers', async () => {
  const before = await library.injected(kept.folder);
  await privateEngine.freeze();
  try {
    const refused = await eventually('the error', () =>
      library.api.refresh().then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
    expect(refused).toMatchObject({ code: 'list-failed' });
    expect(await library.api.get(before.devcontainer.id)).toMatchObject({
      status: 'running',
      container: { id: before.containerId },
    });
  } finally {
    await privateEngine.thaw();
  }
  await timed('engine thawed to the list', () => eventually('the list', () => library.api.list()));
  const after = await library.injected(kept.folder);
  expect(after.containerId).toBe(before.containerId);
});
