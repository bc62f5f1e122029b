import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../logger.ts';
import type {
  ConfigFiles,
  ContainerEngine,
  DevcontainerCli,
  LocalListener,
  LogSink,
  NewId,
  ProjectFinder,
  StateStorage,
  SubAgentClient,
  SubAgentLauncher,
  SubAgentProvider,
  Watcher,
} from './ports.ts';

/** Collaborators. Each has a real default; tests give fakes from `agentcontainers/testing`. */
export interface Ports {
  readonly clock: Clock;
  readonly engine: ContainerEngine;
  readonly cli: DevcontainerCli;
  readonly configFiles: ConfigFiles;
  readonly watcher: Watcher;
  readonly subAgentClient: SubAgentClient;
  readonly subAgentProvider: SubAgentProvider;
  readonly subAgentLauncher: SubAgentLauncher;
  readonly localListener: LocalListener;
  readonly logSink: LogSink;
  readonly storage: StateStorage;
  readonly projectFinder: ProjectFinder;
  readonly logger: Logger;
  readonly newId: NewId;
}

/** A devcontainer that the embedder knows beforehand. Shown as `stopped` until a container is seen. */
export interface ManifestDevcontainer {
  readonly workspaceFolder: string;
  readonly configPath?: string | undefined;
  readonly name?: string | undefined;
  /** A record made by the embedder: updated in place, never deleted. */
  readonly subAgentId?: string | undefined;
}

export interface AgentContainersOptions extends Partial<Ports> {
  /** Engine address (`unix:///path`, `tcp://host:port`), for the default engine. Default: discovery, see the README. */
  readonly dockerHost?: string | undefined;
  readonly dockerContext?: string | undefined;

  /** Safety-net period of the update cycle, in ms. Default 10,000; six times that while events are healthy. */
  readonly updateIntervalMs?: number | undefined;
  /** Deadline of one listing, in ms. Default 15,000. */
  readonly listTimeoutMs?: number | undefined;
  /** Engine events within this time lead to one pass, in ms. Default 20. */
  readonly eventDebounceMs?: number | undefined;
  /** Deadline of one injection, in ms. Default 15,000. */
  readonly injectTimeoutMs?: number | undefined;
  /** How many injections run at the same time. Default 8. */
  readonly maxInjections?: number | undefined;
  /** How many `up` run at the same time. Default 2. */
  readonly maxUps?: number | undefined;
  /** Time between TERM and KILL when a container is stopped, in seconds. Default 10. */
  readonly stopGraceSeconds?: number | undefined;

  /** Which containers we act on; see the levels in the README. Default `all`. */
  readonly adopt?: 'roots' | 'all' | 'none' | undefined;
  /** Host folders; with `adopt: 'roots'` what lies below one is adopted. */
  readonly roots?: readonly string[] | undefined;
  /** `k` or `k=v`; only containers that match all of them become devcontainers. */
  readonly labels?: readonly string[] | undefined;
  readonly manifest?: readonly ManifestDevcontainer[] | undefined;
  /** Find configurations below the roots, also those without a container. Default false in the library. */
  readonly discovery?: boolean | undefined;
  /**
   * Start devcontainers whose configuration says `autoStart: true`, once, if somebody has accepted what they can do to the
   * host, be that nothing. Default false.
   */
  readonly autoStart?: boolean | undefined;
  /**
   * What host-affecting configurations need before they are created, recreated or started. `ask`: trust given by
   * `trust()`. `all`: nothing; only for embedders that know every configuration. Default `ask`.
   */
  readonly trust?: 'ask' | 'all' | undefined;
  /**
   * Signs the labels of containers that we make, and gives residents their tokens; any length. Default: random, so that labels
   * count, and residents are taken up again, in this process only.
   */
  readonly labelSecret?: string | undefined;

  /** Where sub-agents reach their control plane; given to them as `AGENTCONTAINERS_URL`. */
  readonly subAgentUrl?: string | undefined;
  /** Further environment of sub-agents. */
  readonly subAgentEnv?: Readonly<Record<string, string>> | undefined;
  /**
   * True: sub-agents that can run on without the library are left running when it closes, with all that runs under them; the
   * next one with the same secret adopts them. Default false.
   */
  readonly keepSubAgents?: boolean | undefined;
  /** False: sub-agents are not injected at all. Default true. */
  readonly injectSubAgents?: boolean | undefined;
}
