import type { DevcontainerCli } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../logger.ts';

export interface DevcontainerCliOptions {
  /** Address of the engine for the CLI's `DOCKER_HOST`; `undefined` leaves the choice to the engine's client. */
  readonly dockerHost: (signal: AbortSignal) => Promise<string | undefined>;
  /** The engine's client; default `docker` on PATH, or `podman` where only that is there. */
  readonly dockerPath?: string | undefined;
  /** Used where the engine's client has no `compose`; default `docker-compose` on PATH. */
  readonly composePath?: string | undefined;
  /** Another `devcontainer.js` than the one of the installed package. */
  readonly cliPath?: string | undefined;
  /** What the allow-list of `child-environment.ts` picks from. Default: the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Where a folder for each run is made, and removed after it. Default: that of the system for temporary files. */
  readonly temporaryDirectory?: string | undefined;
  /**
   * Where what the CLI generates for compose projects is kept, so that a stopped one can be started without its features
   * being fetched again. Default: it is not kept.
   */
  readonly stateDirectory?: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The devcontainer CLI as child processes. Each runs in a process group of its own, with an allow-listed environment and
 * a private folder for its temporary files, never runs git, and never writes into the workspace.
 *
 * Its code is loaded with the first call: a start would wait for it, and may never need it.
 */
export function createDevcontainerCli(options: DevcontainerCliOptions): DevcontainerCli {
  let loading: Promise<DevcontainerCli> | undefined;
  const commands = (): Promise<DevcontainerCli> =>
    (loading ??= import('./cli-commands.ts').then(({ createCliCommands }) => createCliCommands(options)));

  return {
    version: async (signal) => (await commands()).version(signal),
    build: async (request) => (await commands()).build(request),
    up(request) {
      const run = commands().then((cli) => cli.up(request));
      const done = run.then((begun) => begun.done);
      // A caller that only waits for `ready` must not see an unhandled rejection.
      done.catch(() => {});
      return {
        ready: run.then(
          (begun) => begun.ready,
          () => false,
        ),
        done,
      };
    },
    endProcess: async (process, signal) => (await commands()).endProcess(process, signal),
    readConfiguration: async (request) => (await commands()).readConfiguration(request),
  };
}
