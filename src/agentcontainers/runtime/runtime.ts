import type { Lanes } from '../../async/lanes.ts';
import type { Limiter } from '../../async/limiter.ts';
import type { TaskGroup } from '../../async/task-group.ts';
import type { AgentContainersError } from '../../errors.ts';
import type { DEFAULTS } from '../constants.ts';
import type { AgentContainersOptions, Ports } from '../options.ts';
import type { ConfigurationCache } from './configuration-cache.ts';
import type { ImageDigests } from './image-digests.ts';
import type { LabelSigner } from './labels.ts';
import type { Persistence } from './persistence.ts';
import type { StartingCommands } from './starting-commands.ts';
import type { Store } from './store.ts';
import type { SubAgentMount } from './sub-agent-mount.ts';
import type { Supervision } from './supervision.ts';
import type { Tails } from './tails.ts';

export type Limits = { readonly [K in keyof typeof DEFAULTS]: number };

/** What the loops and jobs share. Built once by `createAgentContainers`. */
export interface Runtime {
  readonly ports: Ports;
  readonly limits: Limits;
  readonly options: AgentContainersOptions;
  readonly store: Store;
  readonly lanes: Lanes;
  /** Owner of every background promise. */
  readonly tasks: TaskGroup;
  /** Running injections, apart from all other tasks: a tick and a refresh wait for them. */
  readonly injections: TaskGroup;
  /** Ends when the library closes. */
  readonly closing: AbortSignal;
  readonly upLimiter: Limiter;
  readonly injectLimiter: Limiter;
  readonly tails: Tails;
  readonly supervision: Supervision;
  readonly starting: StartingCommands;
  readonly persistence: Persistence;
  readonly configurations: ConfigurationCache;
  readonly images: ImageDigests;
  readonly labels: LabelSigner;
  readonly subAgentMount: SubAgentMount;
  /** Tokens of the records this process made, by record id. They live here and in the sub-agent's process only. */
  readonly tokens: Map<string, { readonly token: string; readonly spec: string }>;
  /** Registrations under way at the control plane. */
  readonly registrations: Set<Promise<unknown>>;
  /** What went wrong in a job, by its id, for the caller that waits for it. */
  readonly failures: Map<string, AgentContainersError>;
  /** Asks for a pass; resolves when one that began after this call has ended, well or badly. */
  pass(): Promise<void>;
}
