import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngineRuntime } from '../../src/agentcontainers/engine-runtime/engine-runtime.ts';
import type { ContainerRuntime } from '../../src/agentcontainers/ports.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { createDockerEngine } from '../../src/engine/docker-engine.ts';
import { silentLogger } from '../../src/logger.ts';
import { probeEnvironment } from '../../src/agentcontainers/engine-runtime/probe-environment.ts';
import { isResidentBuilt, launchResident, sh, type LaunchedResident } from './resident-support.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';

// What the engine gives every command of a container, commands of ours have, too.

const world = testEngine();
const engine = createDockerEngine({ dockerHost: world.dockerHost, clock: systemClock, logger: silentLogger });
/** Of what tells who runs it, where, and that it is ours. */
const OTHERS = /^(?:HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|SHLVL|_|MAIL|AGENTCONTAINERS_\w+)=/;

afterAll(async () => {
  await world.cleanup();
  await engine.close();
});

const variables = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '' && !OTHERS.test(line))
    .toSorted();

describe.each<[string, readonly string[]]>([
  ['sets nothing', []],
  ['sets both', ['--hostname', 'box', '-e', 'PATH=/opt/x:/bin', '-e', 'HOSTNAME=given', '-e', 'A=1']],
])('in a container that %s', (_what, options) => {
  let id: string;
  let asked: string[];
  let resident: LaunchedResident | undefined;
  beforeAll(async () => {
    id = await world.docker('run', '-d', '--label', world.label, ...options, BASE_IMAGE, '/bin/sleep', '900');
    asked = variables(await world.docker('exec', id, '/bin/busybox', 'env'));
    expect(asked.map((pair) => pair.split('=')[0])).toEqual(expect.arrayContaining(['HOSTNAME', 'PATH']));
  });
  afterAll(async () => {
    await resident?.stop(200);
  });

  const environmentIn = async (runtime: ContainerRuntime): Promise<string[]> =>
    variables((await sh(runtime, '/bin/busybox env')).text);

  it.skipIf(!isResidentBuilt)('commands through the resident have it', async () => {
    resident = await launchResident(engine, id);
    expect(await environmentIn(resident.runtime)).toEqual(asked);
  });

  it('its shells show it, and nothing of what they say to people', async () => {
    const request = { containerId: id, user: undefined, mode: 'loginInteractiveShell', containerEnv: asked } as const;
    const signal = AbortSignal.timeout(30_000);
    const shown = await probeEnvironment(engine, systemClock, request, signal);
    const pairs = Object.entries(shown).map(([name, value]) => `${name}=${value}`);
    expect(variables(pairs.join('\n')).filter((pair) => !pair.startsWith('PATH='))).toEqual(
      asked.filter((pair) => !pair.startsWith('PATH=')),
    );
  });

  it('commands through the engine have it', async () => {
    const runtime = createEngineRuntime({
      engine,
      clock: systemClock,
      containerId: id,
      user: undefined,
      workingDir: '/',
      env: {},
      remoteEnv: {},
    });
    expect(await environmentIn(runtime)).toEqual(asked);
  });
});
