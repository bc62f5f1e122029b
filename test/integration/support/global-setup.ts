/**
 * Gives the integration tests an engine that they may break: the one that AGENTCONTAINERS_TEST_DOCKER_HOST names, or else
 * a private one that lives as long as the run, of the kind that AGENTCONTAINERS_TEST_ENGINE names. Never the engine that a
 * person works with.
 */
import { probeEngine, type EngineFeatures } from './engine-features.ts';
import {
  PRIVATE_ENGINE_PREFIX,
  engineKind,
  runEngineScript,
  startEngineIn,
  sweepAbandonedEngines,
} from './engine-script.ts';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Why there is no engine; empty when there is one. */
    engineMissing: string;
    /** What was found out about it, when there is one. */
    engineFeatures: EngineFeatures;
  }
}

const VARIABLE = 'AGENTCONTAINERS_TEST_DOCKER_HOST';

export default async function globalSetup(project: TestProject): Promise<() => Promise<void>> {
  const kind = engineKind();
  const ready = async (dockerHost: string): Promise<void> => {
    await runEngineScript(['base-image'], { DOCKER_HOST: dockerHost });
    const features = await probeEngine(dockerHost);
    console.info(`\nEngine of the integration tests: ${features.name} ${features.version}. ${describe(features)}\n`);
    project.provide('engineFeatures', features);
    project.provide('engineMissing', '');
  };
  const given = process.env[VARIABLE];
  if (given) {
    await ready(given);
    return async () => {};
  }

  await sweepAbandonedEngines();
  const folder = await mkdtemp(join(tmpdir(), PRIVATE_ENGINE_PREFIX));
  await writeFile(join(folder, 'owner'), String(process.pid));
  const stop = async (): Promise<void> => {
    await runEngineScript(['down', '--purge', '--dir', folder]);
    // Forks of a later run in this process must not take the engine that is gone.
    delete process.env[VARIABLE];
  };
  try {
    const dockerHost = await startEngineIn(folder);
    await ready(dockerHost);
    process.env[VARIABLE] = dockerHost;
    return stop;
  } catch (error) {
    await stop();
    const reason = error instanceof Error ? error.message : String(error);
    if (process.env['CI'] === 'true') {
      throw new Error(`Preparing the integration tests failed, and in CI none may be skipped: ${reason}`, {
        cause: error,
      });
    }
    console.warn(
      `\nALL INTEGRATION TESTS ARE SKIPPED: ${reason}\nRun ./scripts/test${kind === 'docker' ? '' : ` --engine ${kind}`}, or set ${VARIABLE}.\n`,
    );
    project.provide('engineMissing', reason);
    // Test files may read the address while they are collected.
    process.env[VARIABLE] = 'unix:///no-engine-for-tests.sock';
    return async () => {
      delete process.env[VARIABLE];
    };
  }
}

function describe({ name: _name, version: _version, ...probes }: EngineFeatures): string {
  return Object.entries(probes)
    .map(([probe, found]) => `${probe}: ${found ? 'yes' : 'no'}`)
    .join(', ');
}
