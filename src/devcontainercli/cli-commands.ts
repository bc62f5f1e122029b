import type { DevcontainerCli, UpRun } from '../agentcontainers/ports.ts';
import { plainText } from '../text/plain-text.ts';
import { createBuildKitProbe } from './build-kit.ts';
import { createBuildLocks } from './build-locks.ts';
import { childEnvironment } from './child-environment.ts';
import { throwIfAborted, unexpectedEnd } from './cli-errors.ts';
import type { CliEnvironment, CliParts } from './cli-parts.ts';
import { createRunCli } from './cli-run.ts';
import type { DevcontainerCliOptions } from './devcontainer-cli.ts';
import { endProcess } from './end-process.ts';
import { engineClient } from './engine-client.ts';
import { withoutCliTraces } from './explain-failure.ts';
import { ownEnvironment } from './process-group.ts';
import { createRedact } from './redaction.ts';
import { runBuild } from './run-build.ts';
import { createRunFolders } from './run-folder.ts';
import { runReadConfiguration } from './run-read-configuration.ts';
import { runUp } from './run-up.ts';

/** The commands of {@link createDevcontainerCli}, with everything that they need. */
export function createCliCommands(options: DevcontainerCliOptions): DevcontainerCli {
  const { clock } = options;
  const executables = {
    dockerPath: options.dockerPath ?? engineClient((options.env ?? ownEnvironment())['PATH']),
    composePath: options.composePath,
  };
  const runCli = createRunCli(options);

  async function environment(signal: AbortSignal): Promise<CliEnvironment> {
    throwIfAborted(signal);
    const env = childEnvironment(options.env ?? ownEnvironment(), await options.dockerHost(signal));
    return { env, redact: createRedact(env) };
  }

  const parts: CliParts = {
    clock,
    logger: options.logger,
    executables,
    stateDirectory: options.stateDirectory,
    runCli,
    openRunFolder: createRunFolders(options.temporaryDirectory),
    locks: createBuildLocks(),
    buildKit: createBuildKitProbe(executables, clock),
    environment,
  };

  return {
    async version(signal) {
      const lines: string[] = [];
      const { env } = await environment(signal);
      const onStdoutLine = (line: string): void => void lines.push(line);
      const exit = await runCli({ args: ['--version'], env, signal, onStdoutLine, onStderrLine: () => {} });
      const version = lines.find((line) => /^\d+\.\d+\.\d+/.test(line));
      if (version === undefined) {
        const tail = withoutCliTraces(plainText(lines.slice(-40).join('\n')));
        throw unexpectedEnd('--version', exit, 'devcontainer --version', tail);
      }
      return version.trim();
    },

    build: (request) => runBuild(parts, request),

    up(request): UpRun {
      let settleReady: (ready: boolean) => void = () => {};
      const ready = new Promise<boolean>((resolve) => {
        settleReady = resolve;
      });
      const done = runUp(parts, request, () => settleReady(true));
      // Settling again does nothing; and a caller that only waits for `ready` must not see an unhandled rejection.
      done.then(
        () => settleReady(false),
        () => settleReady(false),
      );
      return { ready, done };
    },

    endProcess: (process, signal) => endProcess(process, clock, signal),

    readConfiguration: (request) => runReadConfiguration(parts, request),
  };
}
