import type { Effect } from './effects.ts';
import { reuse } from './equality.ts';
import type { Event, HookRan } from './events.ts';
import { beginOperation, endOperation } from './reduce-operation.ts';
import { withEntry, type Entry, type State } from './state.ts';

type Of<T extends Event['type']> = Extract<Event, { type: T }>;
type Result = readonly [State, readonly Effect[]];

export function reduceHolderCame(state: State, event: Of<'holderCame'>): Result {
  const entry = state.entries.get(event.id);
  if (!entry) return [state, []];
  const others = entry.holders.filter(({ id }) => id !== event.holder.id);
  return [withEntry(state, { ...entry, holders: [...others, event.holder] }), []];
}

export function reduceHolderLeft(state: State, event: Of<'holderLeft'>): Result {
  const entry = state.entries.get(event.id);
  const holders = entry?.holders.filter(({ id }) => id !== event.holderId);
  if (!entry || holders?.length === entry.holders.length) return [state, []];
  return [withEntry(state, { ...entry, holders: holders ?? [] }), []];
}

/** A lifecycle command is run again, beside everything else: the status stays. */
export function reduceHookRequested(state: State, event: Of<'hookRequested'>): Result {
  const { id, jobId, hook, at, logOffset } = event;
  const entry = state.entries.get(id);
  if (!entry || state.lifecycle !== 'open' || entry.phase.status !== 'running') return [state, []];
  const operation = { id: jobId, devcontainerId: id, kind: 'rerun-hook', phase: hook, at, logOffset } as const;
  const next = beginOperation(withEntry(state, { ...entry, tail: jobId }), operation);
  return [next, [{ type: 'rerunHook', id, jobId, hook }, { type: 'persist' }]];
}

/** What was said of this hook before is over; what was said of others stays. */
export function reduceHookEnded(state: State, event: Of<'hookEnded'>): Result {
  const { id, jobId, failure, at } = event;
  const operation = state.operations.get(jobId);
  const status = event.isCancelled ? 'cancelled' : failure ? 'failed' : 'succeeded';
  const ended = endOperation(state, jobId, status, at, failure?.message);
  const entry = ended.entries.get(id);
  if (!entry || entry.tail !== jobId) return [ended, [{ type: 'persist' }]];
  const free: Entry = { ...entry, tail: undefined };
  const isStill = entry.phase.status === 'running' && operation !== undefined && !event.isCancelled;
  if (!isStill) return [withEntry(ended, free), [{ type: 'persist' }]];
  const told = withHookResult(free, operation.phase, failure);
  return [withEntry(ended, failure ? told : withHookRan(told, operation.phase, event.ran)), [{ type: 'persist' }]];
}

/** The container is what it would be if it had been made with this hook. Without other differences it is clean. */
function withHookRan(entry: Entry, hook: string, ran: HookRan | undefined): Entry {
  const made = entry.made.find(({ containerId }) => containerId === ran?.containerId);
  // Of one whose inputs are not known nobody could tell what else differs.
  if (!ran || !made || Object.keys(made.inputs).length === 0) return entry;
  const { [hook]: _before, ...others } = made.inputs;
  const { config } = ran;
  const input = config.inputs[hook];
  const inputs = reuse(config.inputs, input === undefined ? others : { ...others, [hook]: input });
  const now = { ...made, inputs, fingerprint: inputs === config.inputs ? config.fingerprint : made.fingerprint };
  return { ...entry, made: entry.made.map((one) => (one === made ? now : one)) };
}

function withHookResult(entry: Entry, hook: string, failure: Of<'hookEnded'>['failure']): Entry {
  const { lifecycleError } = entry;
  const others = (lifecycleError?.degraded ?? []).filter(({ phase }) => phase !== hook);
  if (failure)
    return { ...entry, lifecycleError: { message: failure.message, degraded: [...others, failure.degraded] } };
  const wasOfThisHook = lifecycleError !== undefined && others.length < lifecycleError.degraded.length;
  if (!wasOfThisHook) return entry;
  const [first] = others;
  const message = `Running the ${first?.phase} failed before.`;
  return { ...entry, lifecycleError: first ? { message, degraded: others } : undefined };
}
