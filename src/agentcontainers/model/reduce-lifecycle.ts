import type { Effect } from './effects.ts';
import type { Event } from './events.ts';
import { endAgent, recordDeletion } from './decide-agent.ts';
import type { StartCause } from './devcontainer.ts';
import type { OperationKind } from './operation.ts';
import { beginOperation, endOperation } from './reduce-operation.ts';
import { remember } from './remembered.ts';
import { isTransitioning, withChangedEntry, withEntry, type Entry, type Settling, type State } from './state.ts';

type Of<T extends Event['type']> = Extract<Event, { type: T }>;
type Result = readonly [State, readonly Effect[]];

const PERSIST: Effect = { type: 'persist' };

/** Takes the entry over for a job: observations leave it alone from here on, its sub-agent is ended. */
function takeOver(
  state: State,
  event: Of<'upRequested' | 'stopRequested' | 'restartRequested' | 'deleteRequested'>,
  kind: OperationKind,
  phaseText: string,
  change: (entry: Entry) => Entry,
  effect: Effect,
): Result {
  const before = state.entries.get(event.id);
  // `admit` refuses this; whatever came here in spite of it changes nothing.
  if (!before || isTransitioning(before.phase) || state.lifecycle !== 'open') return [state, []];
  // While a new container is only being built the old one goes on, with its sub-agent; see `swapBegan`.
  const goesOn = kind === 'recreate' && before.agent.kind !== 'injecting';
  const [ended, effects] = goesOn ? ([before, []] as const) : endAgent(before, 'none');
  // A hook that failed in this container has failed until there is another container; what else went wrong is over.
  const { lifecycleError } = ended;
  const hookFailure =
    lifecycleError && lifecycleError.degraded.length > 0 && kind !== 'recreate' ? lifecycleError : undefined;
  const entry = change({ ...ended, lifecycleError: hookFailure, settling: undefined, tail: undefined });
  const { jobId: id, at, logOffset } = event;
  const operation = { id, devcontainerId: entry.id, kind, phase: phaseText, at, logOffset };
  return [beginOperation(withChangedEntry(state, entry), operation), [...effects, effect, PERSIST]];
}

export function reduceUpRequested(state: State, event: Of<'upRequested'>): Result {
  const { id, jobId, cause, force } = event;
  const change = (entry: Entry): Entry => ({
    ...entry,
    phase: { status: 'starting', jobId, cause },
    stoppedByPerson: cause === 'recover' && entry.stoppedByPerson,
  });
  const effect: Effect =
    cause === 'recover'
      ? { type: 'recover', id, jobId }
      : { type: 'up', id, jobId, cause, ...(force ? { force } : {}) };
  return takeOver(state, event, KIND_OF[cause], 'waiting', change, effect);
}

const KIND_OF: Readonly<Record<StartCause, OperationKind>> = {
  create: 'create',
  manifest: 'create',
  start: 'start',
  autostart: 'start',
  recreate: 'recreate',
  recover: 'recover',
};

export function reduceStopRequested(state: State, event: Of<'stopRequested'>): Result {
  const { id, jobId } = event;
  const change = (entry: Entry): Entry => ({ ...entry, phase: { status: 'stopping', jobId }, stoppedByPerson: true });
  return takeOver(state, event, 'stop', 'stop', change, { type: 'stop', id, jobId });
}

export function reduceRestartRequested(state: State, event: Of<'restartRequested'>): Result {
  const { id, jobId } = event;
  const change = (entry: Entry): Entry => ({ ...entry, phase: { status: 'stopping', jobId } });
  return takeOver(state, event, 'restart', 'stop', change, { type: 'restart', id, jobId });
}

export function reduceDeleteRequested(state: State, event: Of<'deleteRequested'>): Result {
  const { id, jobId, volumes } = event;
  // One that stays, since it is known for another reason, is not started again by itself either.
  const change = (entry: Entry): Entry => ({ ...entry, phase: { status: 'stopping', jobId }, stoppedByPerson: true });
  return takeOver(state, event, 'delete', 'stop', change, { type: 'delete', id, jobId, volumes });
}

/** The entry, if the job still owns it; the result of a superseded job changes nothing. */
export function owned(state: State, event: { readonly id: string; readonly jobId: string }): Entry | undefined {
  const entry = state.entries.get(event.id);
  return entry && isTransitioning(entry.phase) && 'jobId' in entry.phase && entry.phase.jobId === event.jobId
    ? entry
    : undefined;
}

function settle(state: State, entry: Entry, settling: Settling, tail: string | undefined): Result {
  return [withChangedEntry(state, { ...entry, settling, tail }), [{ type: 'refresh', reason: `up ${settling.kind}` }]];
}

export function reduceUpReady(state: State, event: Of<'upReady'>): Result {
  const entry = owned(state, event);
  return entry ? settle(state, entry, { kind: 'ready' }, event.jobId) : [state, []];
}

export function reduceUpSucceeded(state: State, event: Of<'upSucceeded'>): Result {
  const entry = owned(state, event);
  if (entry) return settle(state, entry, { kind: 'succeeded', containerId: event.containerId }, undefined);
  return reduceTailEnded(state, event);
}

export function reduceUpFailed(state: State, event: Of<'upFailed'>): Result {
  const { containerId, message, degraded, at: failedAt } = event;
  const entry = owned(state, event);
  if (!entry) return reduceTailEnded(state, event);
  const settling = { kind: 'failed', containerId, message, degraded, failedAt } as const;
  return settle(state, { ...entry, intent: leftOf(entry.intent) ?? entry.intent }, settling, undefined);
}

/** The hooks after `waitFor` have ended. Their failure is shown; the devcontainer stays as it is. */
function reduceTailEnded(state: State, event: Of<'upSucceeded' | 'upFailed'>): Result {
  const entry = state.entries.get(event.id);
  if (!entry || entry.tail !== event.jobId) return [state, []];
  const ended = { ...entry, tail: undefined };
  if (event.type === 'upSucceeded' || entry.phase.status !== 'running') return [withEntry(state, ended), []];
  const { message, degraded } = event;
  return [withEntry(state, { ...ended, lifecycleError: { message, degraded: [degraded] } }), []];
}

/** An exchange that could not be undone is left for the next job, or the next start, to bring to an end. */
function leftOf(intent: Entry['intent']): Entry['intent'] {
  if (intent?.kind !== 'up' || (!intent.swap && !intent.isInterrupted)) return undefined;
  return { ...intent, isInterrupted: true };
}

export function reduceUpCancelled(state: State, event: Of<'upCancelled'>): Result {
  const { jobId, at } = event;
  const entry = owned(state, event);
  if (entry) {
    const stopped = withChangedEntry(state, {
      ...entry,
      phase: { status: 'stopped' },
      intent: leftOf(entry.intent),
      settling: undefined,
      tail: undefined,
    });
    return [endOperation(stopped, jobId, 'cancelled', at), [{ type: 'refresh', reason: 'up cancelled' }, PERSIST]];
  }
  const holder = state.entries.get(event.id);
  return holder?.tail === jobId ? [withEntry(state, { ...holder, tail: undefined }), []] : [state, []];
}

export function reduceStopEnded(state: State, event: Of<'stopEnded'>): Result {
  const { jobId, error, at } = event;
  const entry = owned(state, event);
  if (!entry) return [state, []];
  const refresh: Effect = { type: 'refresh', reason: 'stop ended' };
  if (error !== undefined) return failed(state, entry, jobId, error, at, refresh);
  const stopped = withChangedEntry(state, { ...entry, phase: { status: 'stopped' } });
  return [endOperation(stopped, jobId, 'succeeded', at, undefined, 'stopped'), [refresh, PERSIST]];
}

export function reduceRestartStopped(state: State, event: Of<'restartStopped'>): Result {
  const entry = owned(state, event);
  if (!entry) return [state, []];
  return [withChangedEntry(state, { ...entry, phase: { status: 'starting', jobId: event.jobId, cause: 'start' } }), []];
}

export function reduceDeleteStopped(state: State, event: Of<'deleteStopped'>): Result {
  const entry = owned(state, event);
  return entry
    ? [withChangedEntry(state, { ...entry, phase: { status: 'deleting', jobId: event.jobId } }), []]
    : [state, []];
}

export function reduceDeleteEnded(state: State, event: Of<'deleteEnded'>): Result {
  const { jobId, error, at } = event;
  const entry = owned(state, event);
  if (!entry) return [state, []];
  const refresh: Effect = { type: 'refresh', reason: 'delete ended' };
  if (error !== undefined) return failed(state, entry, jobId, error, at, refresh);
  const effects: Effect[] = [...recordDeletion(entry), refresh, PERSIST];
  if (entry.origin === 'manifest' || entry.origin === 'discovered') {
    const { record: _gone, intent: _done, ...rest } = entry;
    const phase = { status: 'stopped' } as const;
    const blank: Entry = {
      ...rest,
      phase,
      link: undefined,
      candidates: [],
      made: [],
      forwards: [],
      lifecycleError: undefined,
    };
    return [endOperation(withChangedEntry(state, blank), jobId, 'succeeded', at, undefined, 'deleted'), effects];
  }
  const revision = state.revision + 1;
  const entries = new Map(state.entries);
  entries.delete(entry.id);
  const tombstones = new Map(state.tombstones).set(entry.id, revision);
  // Found again it is not started again by itself; and who brings it up again is asked for trust again.
  const { id, autoStarted } = entry;
  const memory = { id, autoStarted, stoppedByPerson: true, imageFindings: [] };
  const left = remember({ ...state, revision, entries, tombstones }, memory);
  const gone = endOperation(left, jobId, 'succeeded', at, undefined, 'deleted');
  return [gone, [{ type: 'unwatchConfig', id: entry.id }, ...effects]];
}

function failed(state: State, entry: Entry, jobId: string, message: string, at: number, refresh: Effect): Result {
  const lifecycleError = { message, degraded: [] };
  const intent = entry.intent?.kind === 'delete' ? undefined : entry.intent;
  const changed = withChangedEntry(state, {
    ...entry,
    phase: { status: 'error', failedAt: at },
    lifecycleError,
    intent,
  });
  return [endOperation(changed, jobId, 'failed', at, message), [refresh, PERSIST]];
}
