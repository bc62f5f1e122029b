import { raceAbort } from '../../async/abort.ts';
import { errorMessage } from '../../errors.ts';
import { probeEnvironment } from '../engine-runtime/probe-environment.ts';
import type { ContainerDetails, MergedConfiguration } from '../ports.ts';
import { remoteEnvironment } from './remote-environment.ts';
import type { Runtime } from './runtime.ts';

const DEFAULT_PROBE = 'loginInteractiveShell';

/** The remote environment of commands. */
export interface CommandEnv {
  /** What the profiles of the remote user make of the container's, and `remoteEnv` over that. */
  readonly env: Readonly<Record<string, string>>;
  /** `remoteEnv` alone. */
  readonly remoteEnv: Readonly<Record<string, string>>;
  /** False: what the profiles say could not be found out, and `env` is without it. */
  readonly isProbed: boolean;
}

/**
 * Takes at most some seconds; what cannot be found out is left out, and told. Rejects only with the signal's reason, and
 * goes on a little then to leave nothing in the container: a closing library waits for that.
 */
export async function commandEnv(
  rt: Runtime,
  id: string,
  container: {
    readonly id: string;
    /** As whom commands run; `undefined`: the container's own. */
    readonly user: string | undefined;
    readonly details: ContainerDetails;
    readonly configuration: MergedConfiguration;
  },
  signal: AbortSignal,
): Promise<CommandEnv> {
  const { engine, clock, logger, logSink } = rt.ports;
  const { details, configuration } = container;
  const remoteEnv = remoteEnvironment(configuration.remoteEnv, details.env);
  const request = {
    containerId: container.id,
    user: container.user,
    mode: configuration.userEnvProbe ?? DEFAULT_PROBE,
    containerEnv: details.env,
  };
  try {
    const probing = probeEnvironment(engine, clock, request, signal);
    rt.tasks.spawn(`probe the environment of ${id}`, () =>
      probing.then(
        () => {},
        () => {},
      ),
    );
    return { env: { ...(await raceAbort(probing, signal)), ...remoteEnv }, remoteEnv, isProbed: true };
  } catch (error) {
    signal.throwIfAborted();
    const message = `${errorMessage(error)} Commands run without what its profiles set.`;
    logger.warn({ err: error, devcontainer: id }, message);
    logSink.append(id, `${message}\n`);
    return { env: remoteEnv, remoteEnv, isProbed: false };
  }
}
