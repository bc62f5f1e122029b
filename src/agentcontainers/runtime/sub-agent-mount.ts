import type { Logger } from '../../logger.ts';
import type { CliFailure, ReadOnlyMount, SubAgentLauncher } from '../ports.ts';

/** The directory of sub-agents that containers are given when they are made, as long as the engine can do that. */
export interface SubAgentMount {
  wanted(signal: AbortSignal): Promise<readonly ReadOnlyMount[]>;
  /** Whether a container failed to be made because of these; if the engine cannot do it at all, it is not asked again. */
  isReason(failure: CliFailure, mounts: readonly ReadOnlyMount[]): boolean;
}

export function createSubAgentMount(launcher: SubAgentLauncher, logger: Logger): SubAgentMount {
  let isRefused = false;
  return {
    async wanted(signal) {
      const mount = isRefused ? undefined : await launcher.readOnlyMount(signal);
      return mount ? [mount] : [];
    },
    isReason({ containerId, phase, message, outputTail }, mounts) {
      // What a build or a hook prints is the repository's word.
      if (containerId !== undefined || phase !== 'create') return false;
      const said = `${message}\n${outputTail}`;
      // An engine that is elsewhere, behind a socket of this machine, does not have our directory.
      const isUnknown = mounts.some(({ source }) => said.includes(source));
      if (isUnknown && !isRefused) {
        isRefused = true;
        logger.warn(
          {},
          'The engine cannot mount the directory of sub-agents; they are copied into containers instead.',
        );
      }
      return isUnknown || mounts.some(({ target }) => /duplicate mount/i.test(said) && said.includes(target));
    },
  };
}
