import type { Agent } from './devcontainer.ts';
import type { Effect } from './effects.ts';
import type { Event } from './events.ts';
import { HEALTHY_AFTER, retryAt } from './decide-agent.ts';
import { withEntry, type Entry, type State } from './state.ts';

type Of<T extends Event['type']> = Extract<Event, { type: T }>;
type Result = readonly [State, readonly Effect[]];

/**
 * A record exists now at the control plane. Compensated from the current state: nobody may be left to hold it, because
 * a delete was on its way while it was made.
 */
export function reduceSubAgentCreated(state: State, event: Of<'subAgentCreated'>): Result {
  const { id, record } = event;
  const entry = state.entries.get(id);
  const leaving = !entry || entry.phase.status === 'deleting' || state.lifecycle === 'closed';
  if (leaving)
    return [state, entry?.preassignedRecordId === record.id ? [] : [{ type: 'deleteRecord', id, recordId: record.id }]];
  const replaced: Effect[] =
    entry.record && entry.record.id !== record.id && entry.record.id !== entry.preassignedRecordId
      ? [{ type: 'deleteRecord', id, recordId: entry.record.id }]
      : [];
  const renamed = entry.nameSource === 'folder' ? { name: record.name } : {};
  return [withEntry(state, { ...entry, ...renamed, record }), replaced];
}

export function reduceSubAgentDeleted(state: State, event: Of<'subAgentDeleted'>): Result {
  const entry = state.entries.get(event.id);
  if (entry?.record?.id !== event.recordId) return [state, []];
  const { record: _gone, ...rest } = entry;
  return [withEntry(state, rest), []];
}

/** The entry, if this injection is still the one it waits for. */
function injectingEntry(
  state: State,
  event: { id: string; jobId: string },
): [Entry, Extract<Agent, { kind: 'injecting' }>] | undefined {
  const entry = state.entries.get(event.id);
  return entry?.agent.kind === 'injecting' && entry.agent.jobId === event.jobId ? [entry, entry.agent] : undefined;
}

export function reduceInjected(state: State, event: Of<'injected'>): Result {
  const found = injectingEntry(state, event);
  // The injection was superseded while its last step ran: its process must not go on.
  if (!found) return [state, [{ type: 'endSubAgent', id: event.id, jobId: event.jobId }]];
  const [entry, { run, jobId, failures }] = found;
  const agent: Agent = { kind: 'injected', run, jobId, failures, startedAt: event.at, version: event.version };
  return [withEntry(state, { ...entry, agent }), []];
}

export function reduceInjectFailed(state: State, event: Of<'injectFailed'>): Result {
  const found = injectingEntry(state, event);
  if (!found) return [state, []];
  const [entry, { run, jobId, failures: before }] = found;
  const failures = before + 1;
  const at = retryAt('failed', failures, event.at);
  const agent: Agent = { kind: 'failed', run, jobId, failures, reason: event.reason, retryAt: at };
  return [withEntry(state, { ...entry, agent }), [{ type: 'refreshAt', at }]];
}

export function reduceInjectUnsupported(state: State, event: Of<'injectUnsupported'>): Result {
  const found = injectingEntry(state, event);
  if (!found) return [state, []];
  const [entry, { run }] = found;
  return [withEntry(state, { ...entry, agent: { kind: 'unsupported', run, reason: event.reason } }), []];
}

/** Not begun, or ended by us: no error. The next pass asks again. */
export function reduceInjectDropped(state: State, event: Of<'injectDropped'>): Result {
  const found = injectingEntry(state, event);
  return found ? [withEntry(state, { ...found[0], agent: { kind: 'none' } }), []] : [state, []];
}

export function reduceSubAgentExited(state: State, event: Of<'subAgentExited'>): Result {
  const entry = state.entries.get(event.id);
  const agent = entry?.agent;
  // It may end before the injection that started it has reported its success.
  if (!entry || (agent?.kind !== 'injected' && agent?.kind !== 'injecting') || agent.jobId !== event.jobId)
    return [state, []];
  const { run, jobId } = agent;
  const healthy = agent.kind === 'injected' && event.at - agent.startedAt >= HEALTHY_AFTER;
  const failures = healthy ? 1 : agent.failures + 1;
  const at = retryAt('exited', failures, event.at);
  const exited: Agent = { kind: 'exited', run, jobId, failures, reason: event.reason, retryAt: at };
  const again: Effect = at <= event.at ? { type: 'refresh', reason: 'sub-agent ended' } : { type: 'refreshAt', at };
  return [withEntry(state, { ...entry, agent: exited }), [again]];
}
