import type { Agent } from './devcontainer.ts';
import type { Effect } from './effects.ts';
import { isSameRun, runOf, type Entry, type State } from './state.ts';
import type { Instant } from './time.ts';

/** A process that ran for this long was healthy: its failure counts as the first. ms */
export const HEALTHY_AFTER = 60_000;
const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 60_000;

/**
 * When to try again after so many failures in a row: 1 s, 2 s, 4 s, … 60 s. A sub-agent that was up and then ended is
 * started again at once the first time.
 */
export function retryAt(kind: 'exited' | 'failed', failures: number, at: Instant): Instant {
  const step = kind === 'exited' ? failures - 2 : failures - 1;
  return step < 0 ? at : at + Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(step, 16));
}

/** What to do about the sub-agent of an entry that no job owns. `jobId` is the id of an injection if one is begun. */
export function decideAgent(
  state: State,
  entry: Entry,
  at: Instant,
  jobId: string,
): readonly [Entry, readonly Effect[]] {
  const { agent, link, phase } = entry;
  const mayBe = state.lifecycle === 'open' && state.settings.injectSubAgents && entry.level !== 'seen';
  // Held for a moment, e.g. while it is copied: all that runs in it stands still, and goes on with it.
  const isHeld = link?.state === 'paused' && agent.kind === 'injected' && isSameRun(agent.run, runOf(link));
  if (mayBe && isHeld && !entry.ignored) return [entry, []];
  const wanted = mayBe && phase.status === 'running' && link?.state === 'running';
  if (!wanted || !link) return endAgent(entry, 'none');
  if (entry.ignored) {
    const [ended, effects] = endAgent(entry, 'ignored');
    return [ended, [...effects, ...recordDeletion(entry)]];
  }

  const run = runOf(link);
  if (link.startedAt !== undefined && 'run' in agent && agent.run !== run && isSameRun(agent.run, run)) {
    // The start of this run is known only now; from here on another start is another run.
    return decideAgent(state, { ...entry, agent: { ...agent, run } }, at, jobId);
  }
  const begin = (failures: number): readonly [Entry, readonly Effect[]] => {
    const [ended, effects] = endAgent(entry, 'none');
    return [
      { ...ended, agent: { kind: 'injecting', run, jobId, failures } },
      [...effects, { type: 'inject', id: entry.id, jobId, containerId: link.id }],
    ];
  };
  switch (agent.kind) {
    case 'none':
    case 'ignored':
      return begin(0);
    case 'injecting':
    case 'unsupported':
      return isSameRun(agent.run, run) ? [entry, []] : begin(0);
    case 'injected': {
      // The entry and its record show the same name: one that was edited is registered anew.
      const renamed = entry.record !== undefined && entry.record.name !== entry.name;
      return isSameRun(agent.run, run) && !renamed ? [entry, []] : begin(0);
    }
    case 'exited':
    case 'failed':
      if (!isSameRun(agent.run, run)) return begin(0);
      return at >= agent.retryAt ? begin(agent.failures) : [entry, [{ type: 'refreshAt', at: agent.retryAt }]];
  }
}

/** Ends whatever the sub-agent is at. Its record stays: a record with equal configuration outlives a container. */
export function endAgent(entry: Entry, kind: 'none' | 'ignored'): readonly [Entry, readonly Effect[]] {
  const { agent } = entry;
  const effects: Effect[] =
    agent.kind === 'injecting'
      ? [
          { type: 'cancelInjection', id: entry.id },
          { type: 'endSubAgent', id: entry.id, jobId: agent.jobId },
        ]
      : agent.kind === 'injected'
        ? [{ type: 'endSubAgent', id: entry.id, jobId: agent.jobId }]
        : [];
  const ended: Agent = { kind };
  return [agent.kind === kind ? entry : { ...entry, agent: ended }, effects];
}

export function recordDeletion(entry: Entry): readonly Effect[] {
  if (!entry.record || entry.record.id === entry.preassignedRecordId) return [];
  return [{ type: 'deleteRecord', id: entry.id, recordId: entry.record.id }];
}
