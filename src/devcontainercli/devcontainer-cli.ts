import type { DevcontainerCli, MergedConfiguration, UpOutcome, UpRequest, UpRun } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { AgentContainersError, errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { childEnvironment } from './child-environment.ts';
import { readConfigurationArguments, upArguments } from './cli-arguments.ts';
import {
  failedCommand,
  notStarted,
  orCancelled,
  refusedUp,
  throwIfAborted,
  unexpectedEnd,
  unusableConfiguration,
} from './cli-errors.ts';
import { parseLogLine } from './cli-log.ts';
import { cliScript } from './cli-script.ts';
import { explainFailure, withoutCliTraces } from './explain-failure.ts';
import { createLineSplitter } from '../text/line-splitter.ts';
import { lockfileUse } from './lockfile.ts';
import { parseMergedConfiguration } from './merged-configuration.ts';
import { createOutputTail } from './output-tail.ts';
import { firstSentence, plainText } from '../text/plain-text.ts';
import { nodeExecutable, ownEnvironment, runProcessGroup, type ProcessGroupExit } from './process-group.ts';
import { createRedact, type Redact } from './redaction.ts';
import { createRunTracker } from './run-tracker.ts';
import { readConfigFile } from './config-snapshot.ts';
import { parseUpResult } from './up-result.ts';
import { comesAfter, waitForOf, type Hook } from './wait-for.ts';

export interface DevcontainerCliOptions {
  /** Address of the engine for the CLI's `DOCKER_HOST`; `undefined` leaves the choice to the engine's client. */
  readonly dockerHost: (signal: AbortSignal) => Promise<string | undefined>;
  /** The engine's client; default `docker` on PATH. */
  readonly dockerPath?: string | undefined;
  /** Used where the engine's client has no `compose`; default `docker-compose` on PATH. */
  readonly composePath?: string | undefined;
  /** Another `devcontainer.js` than the one of the installed package. */
  readonly cliPath?: string | undefined;
  /** What the allow-list of `child-environment.ts` picks from. Default: the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

const MAX_LOG_LINE = 1024 * 1024;
const MAX_ANSWER = 8 * 1024 * 1024;

/**
 * The devcontainer CLI as child processes. Each runs in a process group of its own, with an allow-listed environment,
 * and never writes into the workspace.
 */
export function createDevcontainerCli(options: DevcontainerCliOptions): DevcontainerCli {
  const { clock, logger } = options;

  /** Runs the CLI once. Rejects with `cancelled`, `cli-missing`, `cli-failed`, or with what `dockerHost` rejected with. */
  async function run(
    args: readonly string[],
    signal: AbortSignal,
    sink: { onStdoutLine: (line: string) => void; onStderrLine: (line: string) => void },
    env: Record<string, string>,
  ): Promise<ProcessGroupExit> {
    const script = await cliScript(options.cliPath);
    throwIfAborted(signal);
    const stdout = createLineSplitter(MAX_ANSWER, (line, cut) => sink.onStdoutLine(cut ? '' : line));
    const stderr = createLineSplitter(MAX_LOG_LINE, sink.onStderrLine);
    let exit: ProcessGroupExit;
    try {
      exit = await runProcessGroup({
        file: nodeExecutable,
        args: [script, ...args],
        env,
        onStdout: (chunk) => stdout.push(chunk),
        onStderr: (chunk) => stderr.push(chunk),
        clock,
        signal,
      });
    } catch (error) {
      throw notStarted(error);
    }
    throwIfAborted(signal);
    stdout.end();
    stderr.end();
    return exit;
  }

  async function environment(signal: AbortSignal): Promise<{ env: Record<string, string>; redact: Redact }> {
    throwIfAborted(signal);
    const env = childEnvironment(options.env ?? ownEnvironment(), await options.dockerHost(signal));
    return { env, redact: createRedact(env) };
  }

  async function runUp(request: UpRequest, onReady: () => void): Promise<UpOutcome> {
    const { key, signal } = request;
    throwIfAborted(signal);
    // The CLI takes a truncated file for a smaller one and would make a container from it.
    const config = await orCancelled(readConfigFile(key.configPath), signal);
    if (config.kind !== 'valid') return refusedUp('configuration', unusableConfiguration(key, config));
    const waitFor = waitForOf(config.config);
    let context: Awaited<ReturnType<typeof environment>>;
    try {
      context = await environment(signal);
    } catch (error) {
      throwIfAborted(signal);
      return refusedUp('other', `Bringing up the dev container failed: ${errorMessage(error)}`);
    }
    const { env, redact } = context;

    const noise = createOutputTail();
    const tracker = createRunTracker({
      onHook: (hook: Hook) => {
        if (comesAfter(hook, waitFor)) onReady();
      },
      onStep: (step) => {
        try {
          request.onProgress({ ...step, text: redact(step.text), at: clock.now() });
        } catch (error) {
          logger.error({ err: errorMessage(error) }, 'A progress listener failed.');
        }
      },
    });
    const lockfile = await orCancelled(lockfileUse(key.configPath), signal);
    const args = upArguments({ ...request, lockfile }, options);
    let resultLine = '';
    const exit = await run(
      args,
      signal,
      {
        onStdoutLine: (line) => {
          if (line.startsWith('{')) resultLine = line;
        },
        onStderrLine: (line) => {
          const event = parseLogLine(line);
          if (event.type === 'noise') noise.push(`${event.text}\n`);
          tracker.accept(event);
        },
      },
      env,
    );

    const lastStep = tracker.lastStep();
    const result = parseUpResult(resultLine);
    if (result === undefined || (result.outcome === 'success') !== (exit.exitCode === 0)) {
      const outputTail = redact(withoutCliTraces(lastStep.outputTail || noise.text()));
      throw unexpectedEnd('up', exit, redact(['devcontainer', ...args].join(' ')), outputTail);
    }
    if (result.outcome === 'success') {
      const { outcome, containerId, remoteUser, remoteWorkspaceFolder } = result;
      return { outcome, containerId, remoteUser, remoteWorkspaceFolder };
    }
    return explainFailure(result, lastStep, redact);
  }

  return {
    async version(signal) {
      const lines: string[] = [];
      const { env } = await environment(signal);
      const sink = { onStdoutLine: (line: string) => void lines.push(line), onStderrLine: () => {} };
      const exit = await run(['--version'], signal, sink, env);
      const version = lines.find((line) => /^\d+\.\d+\.\d+/.test(line));
      if (version === undefined) {
        const tail = withoutCliTraces(plainText(lines.slice(-40).join('\n')));
        throw unexpectedEnd('--version', exit, 'devcontainer --version', tail);
      }
      return version.trim();
    },

    up(request): UpRun {
      let settleReady: (ready: boolean) => void = () => {};
      const ready = new Promise<boolean>((resolve) => {
        settleReady = resolve;
      });
      const done = runUp(request, () => settleReady(true));
      // Settling again does nothing; and a caller that only waits for `ready` must not see an unhandled rejection.
      done.then(
        () => settleReady(false),
        () => settleReady(false),
      );
      return { ready, done };
    },

    async readConfiguration({ key, containerId, signal }): Promise<MergedConfiguration> {
      throwIfAborted(signal);
      const config = await orCancelled(readConfigFile(key.configPath), signal);
      if (config.kind !== 'valid') {
        throw new AgentContainersError('cli-failed', unusableConfiguration(key, config));
      }
      const { env, redact } = await environment(signal);
      const args = readConfigurationArguments({ key, containerId }, options);
      const tail = createOutputTail();
      let answer = '';
      let said = '';
      const exit = await run(
        args,
        signal,
        {
          onStdoutLine: (line) => {
            if (line.startsWith('{')) answer = line;
          },
          onStderrLine: (line) => {
            const event = parseLogLine(line);
            if (event.type === 'raw') tail.push(event.text);
            if (event.type === 'text' && event.text.trim() !== '') said = event.text;
          },
        },
        env,
      );
      const merged = exit.exitCode === 0 ? parseMergedConfiguration(answer) : undefined;
      if (merged !== undefined) return merged;
      const outputTail = redact(withoutCliTraces(tail.text()));
      const reason =
        exit.exitCode === 0 ? 'the answer of the devcontainer CLI was not understood' : firstSentence(said);
      throw new AgentContainersError(
        'cli-failed',
        redact(
          `Reading the configuration ${key.configPath} failed: ${reason.replace(/[.\s]+$/, '')}. Correct it, and check that its image can be had.`,
        ),
        { details: { command: failedCommand(exit, redact(['devcontainer', ...args].join(' ')), outputTail) } },
      );
    },
  };
}
