import type { EntryKey, JobId, StartCause } from './devcontainer.ts';
import type { VolumesOption } from './intent.ts';
import type { Instant } from './time.ts';

/**
 * Work to do, as data. The union and the executor table of the runtime come from this one map, so that an effect
 * without an executor does not compile.
 */
export interface EffectMap {
  up: { readonly id: string; readonly jobId: JobId; readonly cause: StartCause; readonly force?: boolean | undefined };
  stop: { readonly id: string; readonly jobId: JobId };
  restart: { readonly id: string; readonly jobId: JobId };
  delete: { readonly id: string; readonly jobId: JobId; readonly volumes: VolumesOption };
  /** Remove a container that was made for an operation which was given up. */
  removeAbandoned: { readonly id: string; readonly containerId: string };
  /** Bring to an end what a daemon that was killed had begun. */
  recover: { readonly id: string; readonly jobId: JobId };
  rerunHook: { readonly id: string; readonly jobId: JobId; readonly hook: string };
  /** Admit a start as any other command, if it is still wanted. */
  autoStart: { readonly id: string };
  inject: { readonly id: string; readonly jobId: JobId; readonly containerId: string };
  /** End a running injection of this entry. */
  cancelInjection: { readonly id: string };
  /** End the sub-agent process that this job started, if it runs. */
  endSubAgent: { readonly id: string; readonly jobId: JobId };
  /** Delete a record that no entry holds any more. */
  deleteRecord: { readonly id: string; readonly recordId: string };
  watchConfig: { readonly id: string; readonly key: EntryKey };
  unwatchConfig: { readonly id: string };
  refresh: { readonly reason: string };
  refreshAt: { readonly at: Instant };
  persist: Record<never, never>;
  warn: { readonly message: string; readonly fields: Readonly<Record<string, unknown>> };
}

export type EffectType = keyof EffectMap;
export type Effect = { [T in EffectType]: { readonly type: T } & EffectMap[T] }[EffectType];
