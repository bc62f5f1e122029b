import type { ContainerEngine, SubAgentLauncher } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../logger.ts';
import type { LauncherLimits } from './limits.ts';

export interface SubAgentLauncherOptions {
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * Absolute path of a directory on this machine that is the launcher's alone. With it, executables lie there once for all
   * containers that are made with {@link SubAgentLauncher.readOnlyMount}. Default: each container gets a copy.
   */
  readonly storeDirectory?: string | undefined;
  /** Where the engine is; one on another machine cannot mount that directory. */
  readonly engineAddress?: ((signal: AbortSignal) => Promise<string | undefined>) | undefined;
  /**
   * What the tokens of residents are made of; a later launcher with the same one adopts those that run. Default: a random
   * one of this launcher, and residents cannot be detached.
   */
  readonly residentSecret?: string | undefined;
  readonly limits?: Partial<LauncherLimits> | undefined;
}

/**
 * Delivers sub-agents into containers and runs them there, through nothing but the engine.
 *
 * Its code is loaded with the first call: a start would wait for it, and may not need it yet.
 */
export function createSubAgentLauncher(options: SubAgentLauncherOptions): SubAgentLauncher {
  let loading: Promise<SubAgentLauncher> | undefined;
  const launcher = (): Promise<SubAgentLauncher> =>
    (loading ??= import('./container-launcher.ts').then(({ createContainerLauncher }) =>
      createContainerLauncher(options),
    ));

  return {
    readOnlyMount: async (signal) => (await launcher()).readOnlyMount(signal),
    deliver: async (request) => (await launcher()).deliver(request),
    launch: async (request) => (await launcher()).launch(request),
  };
}
