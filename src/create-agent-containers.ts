import { buildAgentContainers } from './agentcontainers/agent-containers.ts';
import type { AgentContainers } from './agentcontainers/api.ts';
import type { AgentContainersOptions } from './agentcontainers/options.ts';
import { defaultPorts } from './default-ports.ts';

/**
 * The library. Nothing is touched before `start()`.
 *
 * @example
 * const containers = createAgentContainers({ roots: ['/home/me/projects'], adopt: 'roots' });
 * await containers.start();
 * for (const devcontainer of (await containers.list()).devcontainers) console.log(devcontainer.name, devcontainer.status);
 */
export function createAgentContainers(options: AgentContainersOptions = {}): AgentContainers {
  return buildAgentContainers(defaultPorts(options), options);
}
