import { fileURLToPath } from 'node:url';
import type { SubAgentProvider } from '../agentcontainers/ports.ts';
import { AgentContainersError } from '../errors.ts';
import { fileSubAgentProvider } from './file-provider.ts';

/** The shipped sub-agent; beside `src` in the repository and beside `dist` in the package. */
const SCRIPT_PATH = fileURLToPath(new URL('../../assets/sub-agent.sh', import.meta.url));

const DEFAULT_HEARTBEAT_SECONDS = 30;

export interface ShellSubAgentProviderOptions {
  /**
   * A shell command line that runs under the sub-agent, as its user and in the container workspace folder, e.g. a
   * coding agent. It ends with the sub-agent; when it ends by itself the sub-agent stays. A line
   * `agentcontainers-busy: <reason>` of its output says that it must not be disturbed, until a line
   * `agentcontainers-idle` or its end.
   */
  readonly command?: string | undefined;
  /** Run as this user instead of the remote user. */
  readonly user?: string | undefined;
  /** Further environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Seconds between two signs of life, 1 to 3,600. Default 30. */
  readonly heartbeatSeconds?: number | undefined;
}

/**
 * The default provider: the shipped sub-agent in POSIX sh, for every Linux platform. Needs `/bin/sh` and `sleep` in the
 * container, and `setsid` for a command.
 */
export function shellSubAgentProvider(options: ShellSubAgentProviderOptions = {}): SubAgentProvider {
  const seconds = options.heartbeatSeconds ?? DEFAULT_HEARTBEAT_SECONDS;
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 3_600) {
    throw new AgentContainersError(
      'invalid-request',
      `Setting up the sub-agent failed: heartbeatSeconds is ${seconds}. Give a whole number from 1 to 3600.`,
    );
  }
  return fileSubAgentProvider({
    name: 'sub-agent',
    path: SCRIPT_PATH,
    args: ['agent'],
    versionArgs: ['--version'],
    user: options.user,
    env: {
      ...options.env,
      AGENTCONTAINERS_HEARTBEAT_SECONDS: String(seconds),
      // Also when there is none: a workspace must not be able to set it.
      AGENTCONTAINERS_COMMAND: options.command ?? '',
    },
    readyLine: 'ready ',
    // Three beats and some time for the engine.
    heartbeat: { line: 'heartbeat ', timeoutMs: seconds * 3_000 + 5_000, answer: 'alive' },
    busyLines: { busy: 'busy ', idle: 'idle' },
  });
}
