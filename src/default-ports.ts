import { pino } from 'pino';
import { v4 as randomUuid } from 'uuid';
import type { AgentContainersOptions, Ports } from './agentcontainers/options.ts';
import type { ContainerEngine } from './agentcontainers/ports.ts';
import { createMemoryLogSink } from './agentcontainers/runtime/memory-log-sink.ts';
import { createMemoryStorage } from './agentcontainers/runtime/memory-storage.ts';
import type { Clock } from './clock/clock.ts';
import { systemClock } from './clock/system-clock.ts';
import { createConfigFiles } from './devcontainercli/config-files.ts';
import { findConfigs } from './devcontainercli/config-paths.ts';
import { createDevcontainerCli } from './devcontainercli/devcontainer-cli.ts';
import { createProjectFinder } from './discovery/project-finder.ts';
import { createDockerEngine } from './engine/docker-engine.ts';
import { createLocalListener } from './listening/local-listener.ts';
import type { Logger } from './logger.ts';
import { createSubAgentLauncher } from './subagent/launcher.ts';
import { residentSubAgentProvider, shellSubAgentProvider } from './subagent/provider.ts';
import { createSubAgentRegistry } from './subagent/registry.ts';
import { createWatcher } from './watcher/watcher.ts';

/** The collaborators that the options name, and the real ones for the rest. */
export function defaultPorts(options: AgentContainersOptions): Ports {
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? pino({ name: 'agentcontainers' }, pino.destination(2));
  const newId = options.newId ?? randomUuid;
  const { engine, address } = engineOf(options, clock, logger);
  return {
    clock,
    logger,
    newId,
    engine,
    cli:
      options.cli ??
      createDevcontainerCli({
        // The CLI must speak to the engine that we found, not to the one it would find itself.
        dockerHost: address,
        clock,
        logger,
      }),
    configFiles: options.configFiles ?? createConfigFiles(),
    projectFinder: options.projectFinder ?? createProjectFinder({ clock, findConfigs }),
    watcher: options.watcher ?? createWatcher({ clock, logger }),
    subAgentClient: options.subAgentClient ?? createSubAgentRegistry({ newId }),
    subAgentProvider: options.subAgentProvider ?? residentSubAgentProvider({ fallback: shellSubAgentProvider() }),
    subAgentLauncher:
      options.subAgentLauncher ??
      createSubAgentLauncher({ engine, clock, logger, residentSecret: options.labelSecret }),
    localListener: options.localListener ?? createLocalListener(),
    logSink: options.logSink ?? createMemoryLogSink(),
    storage: options.storage ?? createMemoryStorage(),
  };
}

/** The engine, and where the dev container CLI finds it. */
function engineOf(
  { engine, dockerHost, dockerContext }: AgentContainersOptions,
  clock: Clock,
  logger: Logger,
): { engine: ContainerEngine; address: (signal: AbortSignal) => Promise<string | undefined> } {
  if (engine) return { engine, address: async () => dockerHost };
  const docker = createDockerEngine({ dockerHost, dockerContext, clock, logger });
  return { engine: docker, address: (signal) => docker.address(signal) };
}
