import { homedir } from 'node:os';
import { systemClock } from '../../clock/system-clock.ts';
import { discoverEngine } from '../../engine/discover-engine.ts';
import { createDockerEngine } from '../../engine/docker-engine.ts';
import { createDevcontainerCli } from '../../devcontainercli/devcontainer-cli.ts';
import { errorMessage } from '../../errors.ts';
import { silentLogger } from '../../logger.ts';
import type { DaemonClient } from '../client/client.ts';
import { engineInUse } from '../state/engine-in-use.ts';
import type { StateDirectory } from '../state/state-directory.ts';
import { type Finding, fail, note, ok } from './finding.ts';

const TIMEOUT_MS = 20_000;

export interface EngineFlags {
  readonly dockerHost?: string | undefined;
  readonly dockerContext?: string | undefined;
}

export interface EngineCheck {
  readonly findings: readonly Finding[];
  /** Of the engine that answers; the one of the daemon goes before. */
  readonly address: string | undefined;
}

/**
 * The engine of the daemon, if one runs, then the one that the flags, or a search, lead to. A daemon that works with
 * another one than a daemon that were started now is told.
 */
export async function checkEngines(
  directory: StateDirectory,
  client: DaemonClient,
  flags: EngineFlags,
  check: (flags: EngineFlags) => Promise<EngineCheck> = checkEngine,
): Promise<EngineCheck> {
  const inUse = (await client.answers()) ? await engineInUse(directory) : undefined;
  if (inUse === undefined) return check(flags);
  const { engine, context } = inUse;
  const used = await check(context === undefined ? { dockerHost: engine } : { dockerContext: context });
  const next = await check(flags);
  const about = (text: string) => (finding: Finding) => ({ ...finding, message: `${finding.message} (${text})` });
  if (next.address === engine) {
    // Found anew with whatever certificates it needs: that is the better answer.
    return { findings: next.findings.map(about('the daemon uses this one')), address: engine };
  }
  const isAsked = flags.dockerHost !== undefined || flags.dockerContext !== undefined;
  return {
    findings: [
      ...used.findings.map(about('the daemon uses this one')),
      ...next.findings
        // Nobody needs it while the daemon's answers, unless it was asked for.
        .map((finding) =>
          finding.verdict === 'fail' && !isAsked && used.address ? { ...finding, verdict: 'note' as const } : finding,
        )
        .map(about(`a daemon that is started now would use ${next.address === undefined ? 'none' : next.address}`)),
    ],
    address: used.address ?? next.address,
  };
}

/** Every place that was tried, and the version of the engine. */
async function checkEngine(flags: EngineFlags): Promise<EngineCheck> {
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
  return { findings, address: chosen?.address };
}

/** Starts the devcontainer CLI once. It is not asked to read a configuration: that could fetch an image. */
export async function checkCli(address: string | undefined): Promise<Finding> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const cli = createDevcontainerCli({ dockerHost: async () => address, clock: systemClock, logger: silentLogger });
  try {
    return ok('devcontainer CLI', `@devcontainers/cli ${await cli.version(signal)} runs`);
  } catch (error) {
    return fail('devcontainer CLI', errorMessage(error), 'Install this package again: npm install -g agentcontainers');
  }
}
