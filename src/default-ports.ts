import { pino } from 'pino';
import { v4 as randomUuid } from 'uuid';
import type { AgentContainersOptions, Ports } from './agentcontainers/options.ts';
import { createMemoryLogSink } from './agentcontainers/runtime/memory-log-sink.ts';
import { createMemoryStorage } from './agentcontainers/runtime/memory-storage.ts';
import { systemClock } from './clock/system-clock.ts';
import { createConfigFiles } from './devcontainercli/config-files.ts';
import { createDevcontainerCli } from './devcontainercli/devcontainer-cli.ts';
import { createDockerEngine } from './engine/docker-engine.ts';
import { createSubAgentLauncher } from './subagent/launcher.ts';
import { shellSubAgentProvider } from './subagent/provider.ts';
import { createSubAgentRegistry } from './subagent/registry.ts';
import { createWatcher } from './watcher/watcher.ts';

/** The collaborators that the options name, and the real ones for the rest. */
export function defaultPorts(options: AgentContainersOptions): Ports {
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? pino({ name: 'agentcontainers' }, pino.destination(2));
  const newId = options.newId ?? randomUuid;
  const docker =
    options.engine === undefined
      ? createDockerEngine({ dockerHost: options.dockerHost, dockerContext: options.dockerContext, clock, logger })
      : undefined;
  const engine = options.engine ?? docker;
  if (!engine) throw new Error('unreachable');
  return {
    clock,
    logger,
    newId,
    engine,
    cli:
      options.cli ??
      createDevcontainerCli({
        // The CLI must speak to the engine that we found, not to the one it would find itself.
        dockerHost: async (signal) => (docker ? docker.address(signal) : options.dockerHost),
        clock,
        logger,
      }),
    configFiles: options.configFiles ?? createConfigFiles(),
    watcher: options.watcher ?? createWatcher({ clock, logger }),
    subAgentClient: options.subAgentClient ?? createSubAgentRegistry({ newId }),
    subAgentProvider: options.subAgentProvider ?? shellSubAgentProvider(),
    subAgentLauncher: options.subAgentLauncher ?? createSubAgentLauncher({ engine, clock, logger }),
    logSink: options.logSink ?? createMemoryLogSink(),
    storage: options.storage ?? createMemoryStorage(),
  };
}
