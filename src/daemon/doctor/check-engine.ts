import { homedir } from 'node:os';
import { systemClock } from '../../clock/system-clock.ts';
import { discoverEngine } from '../../engine/discover-engine.ts';
import { createDockerEngine } from '../../engine/docker-engine.ts';
import { createDevcontainerCli } from '../../devcontainercli/devcontainer-cli.ts';
import { errorMessage } from '../../errors.ts';
import { silentLogger } from '../../logger.ts';
import { type Finding, fail, note, ok } from './finding.ts';

const TIMEOUT_MS = 20_000;
export interface EngineFlags {
  readonly dockerHost?: string | undefined;
  readonly dockerContext?: string | undefined;
}

/** Every place that was tried, the version of the engine, and whether the devcontainer CLI runs. */
export async function checkEngine(
  flags: EngineFlags,
): Promise<{ readonly findings: Finding[]; readonly address: string | undefined }> {
  const options = {
    ...flags,
    env: process.env,
    homeDir: homedir(),
    uid: process.getuid?.() ?? 0,
    clock: systemClock,
    logger: silentLogger,
  };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const { chosen, tried } = await discoverEngine(options, signal);
  const findings = tried.map(({ source, address, outcome, detail }) =>
    note(
      'looked at',
      `${source}${address === undefined ? '' : ` ${address}`}: ${outcome === 'ok' ? 'answers' : detail}`,
    ),
  );
  if (chosen === undefined) {
    findings.push(
      fail(
        'engine',
        'No container engine answers',
        'Start Docker or Podman, or name its address: agentcontainers doctor --docker-host unix:///path',
      ),
    );
  } else {
    const engine = createDockerEngine(options);
    try {
      const info = await engine.info(signal);
      findings.push(
        ok(
          'engine',
          `${info.name} ${info.version}, API ${info.apiVersion}, ${info.operatingSystem} ${info.architecture}`,
        ),
      );
    } catch (error) {
      findings.push(fail('engine', errorMessage(error), 'Start the engine again, or update it.'));
    } finally {
      await engine.close();
    }
  }
  findings.push(await checkCli(chosen?.address, signal));
  return { findings, address: chosen?.address };
}

/** Starts the devcontainer CLI once. It is not asked to read a configuration: that could fetch an image. */
async function checkCli(address: string | undefined, signal: AbortSignal): Promise<Finding> {
  const cli = createDevcontainerCli({ dockerHost: async () => address, clock: systemClock, logger: silentLogger });
  try {
    return ok('devcontainer CLI', `@devcontainers/cli ${await cli.version(signal)} runs`);
  } catch (error) {
    return fail('devcontainer CLI', errorMessage(error), 'Install this package again: npm install -g agentcontainers');
  }
}
