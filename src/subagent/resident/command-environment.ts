import type { ContainerDetails } from '../../agentcontainers/ports.ts';

/** Secrets of ours, which are meant for the sub-agent and not for what runs under it. */
const OWN_VARIABLES = ['AGENTCONTAINERS_TOKEN'];

/** What engines put into the environment of a container that sets none. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The container's own environment, which every command of it has, under what was given: as an exec of the engine has it,
 * with the search path and the host name that it adds.
 */
export function commandEnvironment(
  container: Pick<ContainerDetails, 'env' | 'hostname'>,
  given: Readonly<Record<string, string>>,
): Record<string, string> {
  const own = container.env.filter((pair) => pair.indexOf('=') > 0);
  const environment: Record<string, string> = {
    PATH: DEFAULT_PATH,
    ...(container.hostname && { HOSTNAME: container.hostname }),
    ...Object.fromEntries(own.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])),
    ...given,
  };
  for (const name of OWN_VARIABLES) delete environment[name];
  return environment;
}
