import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { LEGAL_TRANSITIONS } from '../../../test/property/support/legal-transitions.ts';
import {
  claimOf,
  containerOf,
  createScenario,
  DEGRADED,
  keyOf,
  readingOf,
} from '../../../test/property/support/model-scenario.ts';
import type { ContainerState } from './container.ts';
import type { DevcontainerStatus, StartCause } from './devcontainer.ts';
import type { Event } from './events.ts';
import type { OperationKind } from './operation.ts';
import { createProjector } from './view.ts';

const IDS = ['/w/a', '/w/b'] as const;
const STATES: readonly ContainerState[] = ['running', 'running', 'exited', 'created', 'paused', 'dead'];

// Numbers only: what they mean follows from the state they meet, so that reports are of jobs that were begun.
const stepOf = fc.record({
  do: fc.constantFrom(
    ...(['register', 'wish', 'wish', 'report', 'report', 'report', 'look', 'look', 'look', 'agent', 'agent'] as const),
    ...(['config', 'restored', 'observeFailed', 'closing'] as const),
  ),
  a: fc.nat(),
  b: fc.nat(),
  c: fc.nat(),
});
type Step = typeof stepOf extends fc.Arbitrary<infer T> ? T : never;

const pick = <T>(from: readonly T[], number: number): T => from[number % from.length] as T;

/** Which statuses followed which, over all runs. */
const visited = new Map<DevcontainerStatus, Set<DevcontainerStatus>>();

function play(steps: readonly Step[], adopt: 'all' | 'roots' | 'none'): void {
  const scenario = createScenario({ adopt });
  const project = createProjector();
  const agentJobs: [id: string, jobId: string][] = [];
  const revisions: number[] = [0];
  let jobs = 0;

  function dispatch(event: Event): void {
    const before = scenario.state;
    for (const effect of scenario.dispatch(event)) {
      if (effect.type === 'inject') agentJobs.push([effect.id, effect.jobId]);
    }
    for (const [id, entry] of scenario.state.entries) {
      const from = before.entries.get(id)?.phase.status;
      const to = entry.phase.status;
      if (from === undefined || from === to) continue;
      expect(LEGAL_TRANSITIONS[from], `${event.type}: ${from} -> ${to}`).toContain(to);
      const known = visited.get(from) ?? new Set();
      visited.set(from, known.add(to));
    }
    revisions.push(scenario.state.revision);
    expect(scenario.state.revision).toBeGreaterThanOrEqual(before.revision);
    project(scenario.state);
  }

  function wish({ a, b, c }: Step): void {
    const base = { id: pick(IDS, a), jobId: `job-${++jobs}`, at: scenario.now, logOffset: 0 };
    const causes: StartCause[] = ['create', 'start', 'recreate', 'autostart', 'manifest'];
    switch (b % 5) {
      case 0:
      case 1:
        return dispatch({ type: 'upRequested', ...base, cause: pick(causes, c) });
      case 2:
        return dispatch({ type: 'stopRequested', ...base });
      case 3:
        return dispatch({ type: 'restartRequested', ...base });
      default:
        return dispatch({ type: 'deleteRequested', ...base, volumes: 'none' });
    }
  }

  /** Something that a job of this kind may say: of the one that owns the entry now, or of any earlier one. */
  function report({ a, b, c }: Step): void {
    const operations = [...scenario.state.operations.values()];
    const owners = operations.filter(({ status }) => status === 'running');
    const operation = pick(c % 4 > 0 && owners.length > 0 ? owners : operations, a);
    if (!operation) return;
    const { id: jobId, devcontainerId: id, kind } = operation;
    const at = scenario.now;
    const phase = scenario.entryOf(id)?.phase;
    const stopsFirst = kind === 'restart' && phase?.status === 'stopping' && phase.jobId === jobId;
    const error = c % 3 === 0 ? 'it broke' : undefined;
    const containerId = `c${c % 4}`;
    const intent = {
      kind: 'up' as const,
      operationId: jobId,
      fingerprint: pick(['one', 'two'], c),
      inputs: {},
      since: at,
    };
    const swap = { oldContainerId: containerId, oldName: 'old', wasRunning: true, isReady: false };
    const ups: Event[] = [
      { type: 'upBegan', id, intent: { ...intent, knownContainers: scenario.state.containers.map((one) => one.id) } },
      { type: 'swapBegan', id, jobId, swap },
      { type: 'swapReady', id, jobId },
      { type: 'swapEnded', id, jobId },
      { type: 'containerMade', id, made: { containerId, fingerprint: 'one', inputs: {}, ours: true } },
      { type: 'upReady', id, jobId },
      { type: 'upSucceeded', id, jobId, containerId, at },
      { type: 'upFailed', id, jobId, containerId: error && containerId, message: 'no', degraded: DEGRADED, at },
      { type: 'upCancelled', id, jobId, at },
      { type: 'operationProgressed', jobId, phase: 'build', at },
    ];
    const says: Readonly<Record<OperationKind, readonly Event[]>> = {
      recover: ups,
      'rerun-hook': [
        {
          type: 'hookEnded',
          id,
          jobId,
          at,
          ...(c % 2 === 0 ? {} : { failure: { message: 'no', degraded: DEGRADED } }),
        },
      ],
      create: ups,
      start: ups,
      recreate: ups,
      restart: stopsFirst
        ? [
            { type: 'restartStopped', id, jobId },
            { type: 'stopEnded', id, jobId, error: 'it broke', at },
          ]
        : ups,
      stop: [{ type: 'stopEnded', id, jobId, error, at }],
      delete: [
        { type: 'deleteStopped', id, jobId },
        { type: 'deleteEnded', id, jobId, error, at },
      ],
    };
    // A delete that has not stopped the container yet can only end in failure.
    if (kind === 'delete' && phase?.status === 'stopping' && b % 2 === 1) {
      return dispatch({ type: 'deleteEnded', id, jobId, error: 'it broke', at });
    }
    dispatch(pick(says[kind], b));
  }

  function look({ a, b, c }: Step): void {
    const containers = [0, 1, 2, 3]
      .filter((index) => (a >> index) % 2 === 1)
      .map((index) =>
        containerOf(`c${index}`, {
          workspaceFolder: IDS[index % 2] as string,
          state: pick(STATES, b >> index),
          createdAt: scenario.now - 1_000 + (c % 3) * 1_000,
          startedAt: scenario.now - 500 + (b % 2) * 1_000,
        }),
      );
    const claims = containers.map((one, index) =>
      claimOf(one, { proven: (c >> index) % 4 > 0, underRoot: (b >> index) % 2 === 0 }),
    );
    const startRevision = c % 3 === 0 ? pick(revisions, b) : scenario.state.revision;
    dispatch({
      type: 'observed',
      startRevision,
      at: scenario.now,
      passId: `pass-${++jobs}`,
      containers,
      claims,
      readings: new Map(c % 2 === 0 ? [[pick(IDS, a), readingOf(pick(['one', 'two'], c))]] : []),
    });
  }

  function agent({ a, b }: Step): void {
    const [id, jobId] = (a % 3 === 0 ? pick(agentJobs, b) : agentJobs.at(-1)) ?? [];
    if (id === undefined || jobId === undefined) return;
    const record = { id: `record-${b % 3}`, name: `name-${b % 2}`, directory: '/w' };
    const reports: Event[] = [
      { type: 'subAgentCreated', id, record },
      { type: 'subAgentDeleted', id, recordId: record.id },
      { type: 'injected', id, jobId, at: scenario.now },
      { type: 'injectFailed', id, jobId, reason: 'no', at: scenario.now },
      { type: 'injectUnsupported', id, jobId, reason: 'no' },
      { type: 'injectDropped', id, jobId },
      { type: 'subAgentExited', id, jobId, reason: 'no', at: scenario.now },
    ];
    dispatch(pick(reports, b));
  }

  for (const step of steps) {
    const { a, b, c } = step;
    const id = pick(IDS, a);
    scenario.wait(c % 2_000);
    switch (step.do) {
      case 'register': {
        const origin = pick(['manifest', 'created', 'seen'] as const, b);
        const name = c % 2 === 0 ? 'given' : undefined;
        dispatch({ type: 'registered', id, key: keyOf(id), origin, adopted: origin !== 'seen', name, made: [] });
        break;
      }
      case 'wish':
        wish(step);
        break;
      case 'report':
        report(step);
        break;
      case 'look':
        look(step);
        break;
      case 'agent':
        agent(step);
        break;
      case 'config': {
        const error = { message: 'broken', line: 1, column: 1 };
        const ignored = b % 5 === 0;
        const good = readingOf(pick(['one', 'two'], c), { ignored, ...(b % 3 === 0 ? { name: 'chosen' } : {}) });
        const reading = pick([good, good, { kind: 'invalid', error }, { kind: 'missing' }] as const, a >> 1);
        dispatch({ type: 'configRead', id, reading });
        break;
      }
      case 'restored':
        dispatch({
          type: 'operationRestored',
          operation: {
            id: `old-${b % 5}`,
            devcontainerId: id,
            kind: 'stop',
            status: 'succeeded',
            phase: 'stopped',
            startedAt: 1,
            endedAt: 2,
            logOffset: 0,
            steps: [],
          },
        });
        break;
      case 'observeFailed':
        dispatch({ type: 'observeFailed', message: 'no', at: scenario.now });
        break;
      case 'closing':
        // Rarely, or most of a run would be spent in a library that is closed.
        if (a % 20 === 0) dispatch({ type: b % 2 === 0 ? 'closing' : 'closed' });
        break;
    }
  }
}

describe('any sequence of events', () => {
  const adopt = fc.constantFrom('all' as const, 'all' as const, 'roots' as const, 'none' as const);

  // Frozen states throw when something is changed in place.
  test.prop([fc.array(stepOf, { maxLength: 60, size: 'max' }), adopt], { numRuns: 200 })(
    'never throws, never changes a state in place, and takes legal transitions only',
    play,
    60_000,
  );

  it('takes every transition that is declared legal, and no other', { timeout: 60_000 }, () => {
    visited.clear();
    const steps = fc.array(stepOf, { minLength: 20, maxLength: 120, size: 'max' });
    fc.assert(fc.property(steps, adopt, play), { numRuns: 1500, seed: 20_250_101 });
    for (const [from, to] of Object.entries(LEGAL_TRANSITIONS)) {
      expect([from, [...(visited.get(from as DevcontainerStatus) ?? [])].toSorted()]).toEqual([from, to.toSorted()]);
    }
  });
});
