import { bounded } from '../../async/abort.ts';
import { createLanes } from '../../async/lanes.ts';
import { createLimiter } from '../../async/limiter.ts';
import { createTaskGroup } from '../../async/task-group.ts';
import { errorMessage, isCancelled } from '../../errors.ts';
import { FOLDER_TIMEOUT } from '../constants.ts';
import { createConfigurationCache } from './configuration-cache.ts';
import { createImageDigests } from './image-digests.ts';
import { createLabelSigner } from './labels.ts';
import { createPersistence } from './persistence.ts';
import { readWithSource } from './read-config.ts';
import type { Runtime } from './runtime.ts';
import { createStartingCommands } from './starting-commands.ts';
import { createSubAgentMount } from './sub-agent-mount.ts';
import { createSupervision } from './supervision.ts';
import { createTails } from './tails.ts';

/** What the loops and jobs share, all of it empty yet. */
export function createRuntime(
  given: Pick<Runtime, 'ports' | 'options' | 'limits' | 'store' | 'closing' | 'pass'>,
): Runtime {
  const { ports, options, limits, store, closing } = given;
  const { clock, logger } = ports;
  const reportTask = (error: unknown, name: string): void => {
    if (!isCancelled(error)) logger.error({ err: error }, `${name} failed: ${errorMessage(error)}`);
  };
  const images = createImageDigests(ports.engine, clock, closing);
  return {
    ...given,
    lanes: createLanes(),
    tasks: createTaskGroup(reportTask),
    injections: createTaskGroup(reportTask),
    upLimiter: createLimiter(limits.maxUps),
    injectLimiter: createLimiter(limits.maxInjections),
    tails: createTails(clock),
    supervision: createSupervision(),
    starting: createStartingCommands(),
    persistence: createPersistence(ports.storage, () => store.state, logger),
    configurations: createConfigurationCache(ports.cli, (key, signal) =>
      bounded(clock, FOLDER_TIMEOUT, `Reading ${key.configPath}`, signal, () =>
        readWithSource({ ports, store, images }, key),
      ),
    ),
    images,
    subAgentMount: createSubAgentMount(ports.subAgentLauncher, logger),
    labels: createLabelSigner(options.labelSecret ?? ports.newId()),
    tokens: new Map(),
    registrations: new Set(),
    failures: new Map(),
  };
}
