import { describe, expect, it } from 'vitest';
import {
  containerOf,
  createScenario,
  DEGRADED,
  effectOf,
  FOLDER,
  readingOf,
  T0,
  typesOf,
} from '../../../test/property/support/model-scenario.ts';

type Scenario = ReturnType<typeof createScenario>;

const RECORD = { id: 'r1', name: 'a', directory: '/workspaces/a' };
const operation = (scenario: Scenario, id = 'job') => scenario.state.operations.get(id);

/** Running, injected, with a record, two containers, and an error that is shown. */
function runningWithAll(): { scenario: Scenario; agentJob: string } {
  const scenario = createScenario();
  const agentJob = scenario.running();
  scenario.dispatch({ type: 'subAgentCreated', id: FOLDER, record: RECORD });
  scenario.observe([containerOf('c1'), containerOf('c0', { state: 'exited' })]);
  return { scenario, agentJob };
}

describe('a recreate', () => {
  it('takes the entry over: starting, errors cleared, up asked for; the old container and its sub-agent go on', () => {
    const { scenario, agentJob } = runningWithAll();
    const { revision } = scenario.state;
    const effects = scenario.up('job', 'recreate');
    expect(effects).toEqual([{ type: 'up', id: FOLDER, jobId: 'job', cause: 'recreate' }, { type: 'persist' }]);
    expect(scenario.entry()).toMatchObject({
      phase: { status: 'starting', jobId: 'job', cause: 'recreate' },
      link: { id: 'c1' },
      agent: { kind: 'injected', jobId: agentJob },
      record: RECORD,
      revision: revision + 1,
    });
    expect(scenario.view()).toMatchObject({ status: 'starting', operationId: 'job' });
  });

  it('ends the sub-agent, and clears link and candidates, when the exchange begins', () => {
    const { scenario, agentJob } = runningWithAll();
    scenario.up('job', 'recreate');
    scenario.upBegan('job', 'two', ['c0', 'c1']);
    const { revision } = scenario.state;
    const swap = { oldContainerId: 'c1', oldName: 'name-c1', wasRunning: true, isReady: false };
    expect(scenario.dispatch({ type: 'swapBegan', id: FOLDER, jobId: 'other', swap })).toEqual([]);
    expect(scenario.dispatch({ type: 'swapBegan', id: FOLDER, jobId: 'job', swap })).toEqual([
      { type: 'endSubAgent', id: FOLDER, jobId: agentJob },
      { type: 'persist' },
    ]);
    expect(scenario.entry()).toMatchObject({
      phase: { status: 'starting' },
      link: undefined,
      candidates: [],
      agent: { kind: 'none' },
      record: RECORD,
      revision: revision + 1,
      intent: { swap },
    });
    expect(scenario.view()).toMatchObject({ status: 'starting', dirty: false });
    expect(scenario.dispatch({ type: 'swapReady', id: FOLDER, jobId: 'job' })).toEqual([{ type: 'persist' }]);
    expect(scenario.entry().intent).toMatchObject({ swap: { isReady: true } });
    expect(scenario.dispatch({ type: 'swapEnded', id: FOLDER, jobId: 'job' })).toEqual([{ type: 'persist' }]);
    expect(scenario.entry().intent).not.toHaveProperty('swap');
  });

  it('that failed before the exchange leaves everything as it was, with the error', () => {
    const { scenario, agentJob } = runningWithAll();
    scenario.up('job', 'recreate');
    scenario.upBegan('job', 'two', ['c0', 'c1']);
    scenario.upFailed('job');
    expect(scenario.observe([containerOf('c1'), containerOf('c0', { state: 'exited' })])).not.toContainEqual(
      expect.objectContaining({ type: 'endSubAgent' }),
    );
    expect(scenario.view()).toMatchObject({ status: 'running', error: 'up broke', container: { id: 'c1' } });
    expect(scenario.entry().agent).toMatchObject({ kind: 'injected', jobId: agentJob });
  });

  it('clears an earlier error, which does not come back', () => {
    const scenario = createScenario();
    scenario.register();
    scenario.up('one');
    scenario.upFailed('one');
    scenario.observe([]);
    expect(scenario.view()).toMatchObject({ status: 'error', error: 'up broke' });
    scenario.up('two', 'recreate');
    expect(scenario.view().error).toBeUndefined();
    expect(scenario.view().degraded).toBeUndefined();
  });

  it('cancels an injection that is under way', () => {
    const scenario = createScenario();
    const begun = effectOf(scenario.observe([containerOf('c1')]), 'inject');
    expect(scenario.up('job', 'recreate')).toEqual([
      { type: 'cancelInjection', id: FOLDER },
      { type: 'endSubAgent', id: FOLDER, jobId: begun.jobId },
      { type: 'up', id: FOLDER, jobId: 'job', cause: 'recreate' },
      { type: 'persist' },
    ]);
  });
});

describe('a start', () => {
  it('keeps the link, so that the entry still shows its container', () => {
    const scenario = createScenario();
    scenario.observe([containerOf('c1', { state: 'exited' })]);
    scenario.up('job', 'start');
    expect(scenario.entry()).toMatchObject({ phase: { status: 'starting', cause: 'start' }, link: { id: 'c1' } });
  });

  it.each(['create', 'start', 'autostart', 'manifest'] as const)('because of %s asks for an up', (cause) => {
    const scenario = createScenario();
    scenario.register();
    expect(scenario.up('job', cause)).toEqual([{ type: 'up', id: FOLDER, jobId: 'job', cause }, { type: 'persist' }]);
  });
});

describe('a lifecycle command that came in spite of admit', () => {
  it.each(['up', 'stop', 'restart', 'remove'] as const)('changes nothing while a job owns the entry: %s', (name) => {
    const scenario = createScenario();
    scenario.register();
    scenario.up('job');
    const before = scenario.state;
    expect(scenario[name]('other')).toEqual([]);
    expect(scenario.state).toBe(before);
  });

  it.each(['up', 'stop', 'restart', 'remove'] as const)('changes nothing of an entry that is gone: %s', (name) => {
    const scenario = createScenario();
    const before = scenario.state;
    expect(scenario[name]('job')).toEqual([]);
    expect(scenario.state).toBe(before);
  });
});

describe('an entry that is starting', () => {
  function starting(): Scenario {
    const scenario = createScenario();
    scenario.register();
    scenario.up('job', 'create');
    scenario.upBegan('job', 'one');
    return scenario;
  }
  const fresh = (scenario: Scenario, over = {}) => containerOf('c1', { createdAt: scenario.now, ...over });

  it('is not touched by observations until its job reports', () => {
    const scenario = starting();
    scenario.observe([fresh(scenario)]);
    expect(scenario.status()).toBe('starting');
    expect(scenario.entry().link).toBeUndefined();
  });

  it('is running once up says ready and a pass linked a container; the hooks go on as the tail', () => {
    const scenario = starting();
    expect(scenario.upReady('job')).toEqual([{ type: 'refresh', reason: 'up ready' }]);
    expect(scenario.status()).toBe('starting');
    const effects = scenario.observe([fresh(scenario)], { readings: { [FOLDER]: readingOf('one') } });
    expect(scenario.entry()).toMatchObject({
      phase: { status: 'running' },
      link: { id: 'c1' },
      tail: 'job',
      settling: undefined,
      level: 'managed',
    });
    expect(typesOf(effects)).toEqual(['inject', 'persist']);
    expect(operation(scenario)).toMatchObject({ status: 'succeeded', phase: 'running', endedAt: scenario.now });
  });

  it('waits on when up says ready and the container is not in the listing yet', () => {
    const scenario = starting();
    scenario.upReady('job');
    scenario.observe([]);
    expect(scenario.status()).toBe('starting');
    expect(operation(scenario)?.status).toBe('running');
    scenario.observe([fresh(scenario)]);
    expect(scenario.status()).toBe('running');
  });

  it.each([
    ['running', { state: 'running' as const }],
    ['stopped', { state: 'exited' as const }],
  ])('is %s after an up that ended well, as the container is', (status, over) => {
    const scenario = starting();
    expect(scenario.upSucceeded('job', 'c1')).toEqual([{ type: 'refresh', reason: 'up succeeded' }]);
    scenario.observe([fresh(scenario, over)]);
    expect(scenario.status()).toBe(status);
    expect(operation(scenario)).toMatchObject({ status: 'succeeded', phase: status });
  });

  it('is stopped after an up that ended well when its container is gone already', () => {
    const scenario = starting();
    scenario.upSucceeded('job', 'c1');
    scenario.observe([]);
    expect(scenario.status()).toBe('stopped');
  });

  it('is running with error and degraded when hooks failed and a container runs; the sub-agent is injected', () => {
    const scenario = starting();
    expect(scenario.upFailed('job', 'c1')).toEqual([{ type: 'refresh', reason: 'up failed' }]);
    const effects = scenario.observe([fresh(scenario)]);
    expect(scenario.view()).toMatchObject({
      status: 'running',
      error: 'up broke',
      degraded: [DEGRADED],
      container: { id: 'c1' },
      agent: { status: 'starting' },
    });
    expect(typesOf(effects)).toContain('inject');
    expect(operation(scenario)).toMatchObject({ status: 'failed', error: 'up broke' });
  });

  it('is in error when up failed and there is no container', () => {
    const scenario = starting();
    scenario.upFailed('job');
    scenario.observe([]);
    expect(scenario.view()).toMatchObject({ status: 'error', error: 'up broke', dirty: false });
    expect(scenario.view().degraded).toBeUndefined();
    expect(operation(scenario)).toMatchObject({ status: 'failed', error: 'up broke' });
  });

  it('is stopped, without an error, when we cancelled its up', () => {
    const scenario = starting();
    const effects = scenario.dispatch({ type: 'upCancelled', id: FOLDER, jobId: 'job', at: scenario.now });
    expect(typesOf(effects)).toEqual(['refresh', 'persist']);
    expect(scenario.view()).toMatchObject({ status: 'stopped' });
    expect(scenario.view().error).toBeUndefined();
    expect(operation(scenario)).toMatchObject({ status: 'cancelled', error: undefined });
  });

  it('is not settled by a listing that began before up reported', () => {
    const scenario = starting();
    const startRevision = scenario.state.revision;
    scenario.upSucceeded('job', 'c1');
    scenario.observe([], { startRevision });
    expect(scenario.status()).toBe('starting');
    scenario.observe([fresh(scenario)]);
    expect(scenario.status()).toBe('running');
  });

  it('knows its new container without a mount as proof: the up named it', () => {
    const scenario = starting();
    scenario.upSucceeded('job', 'c1');
    const made = fresh(scenario, { mounts: [] });
    scenario.observe([made]);
    scenario.observe([made]);
    expect(scenario.entry()).toMatchObject({ phase: { status: 'running' }, link: { id: 'c1' }, level: 'managed' });
  });
});

describe('an error', () => {
  function inError(): Scenario {
    const scenario = createScenario();
    scenario.register();
    scenario.up('job');
    scenario.wait(5_000);
    scenario.upFailed('job');
    scenario.observe([]);
    expect(scenario.status()).toBe('error');
    return scenario;
  }

  it('stays while no container or only an older one is seen', () => {
    const scenario = inError();
    for (const containers of [[], [containerOf('old', { createdAt: T0 })], []]) {
      scenario.observe(containers);
      expect(scenario.view()).toMatchObject({ status: 'error', error: 'up broke' });
    }
  });

  it.each([
    ['running', 'running'],
    ['exited', 'stopped'],
  ] as const)('goes when a newer container is seen that is %s: then %s', (state, status) => {
    const scenario = inError();
    scenario.observe([containerOf('new', { state, createdAt: scenario.now + 1 })]);
    expect(scenario.view()).toMatchObject({ status });
    expect(scenario.view().error).toBeUndefined();
  });

  it('goes when an old container was started again since', () => {
    const scenario = inError();
    scenario.observe([containerOf('old', { createdAt: T0, startedAt: scenario.now + 1 })]);
    expect(scenario.status()).toBe('running');
  });

  it.each(['up', 'stop', 'restart', 'remove'] as const)('goes when a person acts: %s', (name) => {
    const scenario = inError();
    scenario[name]('next');
    expect(scenario.view().error).toBeUndefined();
  });

  it('keeps the sub-agent away', () => {
    const scenario = inError();
    expect(typesOf(scenario.observe([containerOf('old', { createdAt: T0 })]))).not.toContain('inject');
    expect(scenario.view().agent).toBeUndefined();
  });
});

describe('the tail of an up', () => {
  function withTail(): Scenario {
    const scenario = createScenario();
    scenario.register();
    scenario.up('job');
    scenario.upReady('job');
    scenario.observe([containerOf('c1', { createdAt: scenario.now })]);
    return scenario;
  }

  it('that fails leaves it running, with the error', () => {
    const scenario = withTail();
    expect(scenario.upFailed('job', 'c1')).toEqual([]);
    expect(scenario.view()).toMatchObject({ status: 'running', error: 'up broke', degraded: [DEGRADED] });
    expect(scenario.entry().tail).toBeUndefined();
    expect(operation(scenario)?.status).toBe('succeeded');
  });

  it('that ends well leaves no error', () => {
    const scenario = withTail();
    scenario.upSucceeded('job', 'c1');
    expect(scenario.view().error).toBeUndefined();
    expect(scenario.entry().tail).toBeUndefined();
  });

  it('that we cancelled leaves no error', () => {
    const scenario = withTail();
    scenario.dispatch({ type: 'upCancelled', id: FOLDER, jobId: 'job', at: scenario.now });
    expect(scenario.view()).toMatchObject({ status: 'running' });
    expect(scenario.view().error).toBeUndefined();
  });

  it('whose failure comes after the next job has begun changes nothing', () => {
    const scenario = withTail();
    scenario.up('next', 'recreate');
    const before = scenario.state;
    scenario.upFailed('job', 'c1');
    expect(scenario.state).toBe(before);
  });

  it('whose failure comes when the container has stopped leaves no error', () => {
    const scenario = withTail();
    scenario.observe([containerOf('c1', { state: 'exited' })]);
    scenario.upFailed('job', 'c1');
    expect(scenario.view()).toMatchObject({ status: 'stopped' });
    expect(scenario.view().error).toBeUndefined();
  });
});

describe('a superseded job', () => {
  it('changes nothing, whatever it reports', () => {
    const scenario = createScenario();
    scenario.register();
    scenario.up('old');
    scenario.dispatch({ type: 'upCancelled', id: FOLDER, jobId: 'old', at: scenario.now });
    scenario.up('new');
    const before = scenario.state;
    const intent = {
      kind: 'up' as const,
      operationId: 'old',
      fingerprint: 'x',
      inputs: {},
      since: 1,
      knownContainers: [],
    };
    const reports = [
      scenario.dispatch({ type: 'upBegan', id: FOLDER, intent }),
      scenario.upReady('old'),
      scenario.upSucceeded('old', 'c1'),
      scenario.upFailed('old'),
      scenario.dispatch({ type: 'upCancelled', id: FOLDER, jobId: 'old', at: 1 }),
      scenario.stopEnded('old'),
      scenario.stopEnded('old', 'no'),
      scenario.dispatch({ type: 'restartStopped', id: FOLDER, jobId: 'old' }),
      scenario.deleteStopped('old'),
      scenario.deleteEnded('old'),
      scenario.deleteEnded('old', 'no'),
    ];
    expect(reports.flat()).toEqual([]);
    expect(scenario.state).toBe(before);
  });
});

describe('a stop', () => {
  it('is stopping, with the sub-agent told to end first, then stopped', () => {
    const { scenario, agentJob } = runningWithAll();
    expect(scenario.stop('job')).toEqual([
      { type: 'endSubAgent', id: FOLDER, jobId: agentJob },
      { type: 'stop', id: FOLDER, jobId: 'job' },
      { type: 'persist' },
    ]);
    expect(scenario.view()).toMatchObject({ status: 'stopping', operationId: 'job', container: { id: 'c1' } });
    const startRevision = scenario.state.revision;
    expect(typesOf(scenario.stopEnded('job'))).toEqual(['refresh', 'persist']);
    expect(scenario.view()).toMatchObject({ status: 'stopped' });
    // A listing from before the end still shows the container as running.
    scenario.observe([containerOf('c1')], { startRevision });
    expect(scenario.view()).toMatchObject({ status: 'stopped' });
    expect(operation(scenario)).toMatchObject({ kind: 'stop', status: 'succeeded', phase: 'stopped' });
    expect(scenario.entry().record).toEqual(RECORD);
  });

  it('that fails is an error', () => {
    const { scenario } = runningWithAll();
    scenario.stop('job');
    scenario.stopEnded('job', 'the engine is gone');
    expect(scenario.view()).toMatchObject({ status: 'error', error: 'the engine is gone' });
    expect(operation(scenario)).toMatchObject({ status: 'failed', error: 'the engine is gone' });
  });
});

describe('a restart', () => {
  it('is stopping, starting, then running, as one operation', () => {
    const { scenario } = runningWithAll();
    expect(effectOf(scenario.restart('job'), 'restart')).toEqual({ type: 'restart', id: FOLDER, jobId: 'job' });
    expect(scenario.status()).toBe('stopping');
    scenario.dispatch({ type: 'restartStopped', id: FOLDER, jobId: 'job' });
    expect(scenario.entry().phase).toEqual({ status: 'starting', jobId: 'job', cause: 'start' });
    scenario.upSucceeded('job', 'c1');
    scenario.observe([containerOf('c1', { startedAt: scenario.now })]);
    expect(scenario.status()).toBe('running');
    expect(operation(scenario)).toMatchObject({ kind: 'restart', status: 'succeeded' });
  });

  it('that cannot stop is an error', () => {
    const { scenario } = runningWithAll();
    scenario.restart('job');
    scenario.stopEnded('job', 'no');
    expect(scenario.status()).toBe('error');
  });
});

describe('a delete', () => {
  function deleted(scenario: Scenario): ReturnType<Scenario['deleteEnded']> {
    scenario.remove('job');
    scenario.deleteStopped('job');
    return scenario.deleteEnded('job');
  }

  it('is stopping, deleting, then gone, with its record and its watch', () => {
    const { scenario, agentJob } = runningWithAll();
    expect(scenario.remove('job')).toEqual([
      { type: 'endSubAgent', id: FOLDER, jobId: agentJob },
      { type: 'delete', id: FOLDER, jobId: 'job', volumes: 'none' },
      { type: 'persist' },
    ]);
    expect(scenario.status()).toBe('stopping');
    scenario.deleteStopped('job');
    expect(scenario.view()).toMatchObject({ status: 'deleting', operationId: 'job' });
    expect(scenario.deleteEnded('job')).toEqual([
      { type: 'unwatchConfig', id: FOLDER },
      { type: 'deleteRecord', id: FOLDER, recordId: 'r1' },
      { type: 'refresh', reason: 'delete ended' },
      { type: 'persist' },
    ]);
    expect(scenario.state.entries.has(FOLDER)).toBe(false);
    expect(operation(scenario)).toMatchObject({ kind: 'delete', status: 'succeeded', phase: 'deleted' });
  });

  it.each([['stopping'], ['deleting']])('that fails while %s is an error with its message', (status) => {
    const { scenario } = runningWithAll();
    scenario.remove('job');
    if (status === 'deleting') scenario.deleteStopped('job');
    scenario.deleteEnded('job', 'device busy');
    expect(scenario.view()).toMatchObject({ status: 'error', error: 'device busy' });
    expect(operation(scenario)).toMatchObject({ status: 'failed', error: 'device busy' });
  });

  it('leaves an entry of the manifest as stopped, without container, record and errors', () => {
    const scenario = createScenario();
    scenario.register(FOLDER, { origin: 'manifest' });
    scenario.running();
    scenario.dispatch({ type: 'subAgentCreated', id: FOLDER, record: RECORD });
    const effects = deleted(scenario);
    expect(effectOf(effects, 'deleteRecord').recordId).toBe('r1');
    expect(typesOf(effects)).not.toContain('unwatchConfig');
    expect(scenario.view()).toMatchObject({ status: 'stopped', dirty: false, subAgentId: null });
    expect(scenario.entry()).toMatchObject({ link: undefined, candidates: [], made: [], agent: { kind: 'none' } });
    scenario.observe([]);
    expect(scenario.status()).toBe('stopped');
  });

  it('never deletes a record that the embedder made', () => {
    const scenario = createScenario();
    scenario.register(FOLDER, { origin: 'manifest', preassignedRecordId: 'pre' });
    scenario.running();
    scenario.dispatch({ type: 'subAgentCreated', id: FOLDER, record: { ...RECORD, id: 'pre' } });
    expect(typesOf(deleted(scenario))).not.toContain('deleteRecord');
    expect(scenario.view().subAgentId).toBe('pre');
  });

  it('leaves a tombstone: a listing that began before it does not bring the entry back, a later one may', () => {
    const { scenario } = runningWithAll();
    const startRevision = scenario.state.revision;
    deleted(scenario);
    scenario.observe([containerOf('c1')], { startRevision });
    expect(scenario.state.entries.has(FOLDER)).toBe(false);
    expect(scenario.state.tombstones.size).toBe(1);
    scenario.observe([]);
    expect(scenario.state.tombstones.size).toBe(0);
    scenario.observe([containerOf('c1')]);
    expect(scenario.status()).toBe('running');
  });

  it('holds its tombstone also against an entry that a person asked for right after it', () => {
    const { scenario } = runningWithAll();
    const startRevision = scenario.state.revision;
    deleted(scenario);
    scenario.register();
    scenario.observe([containerOf('c1')], { startRevision });
    expect(scenario.status()).toBe('stopped');
    expect(scenario.entry().link).toBeUndefined();
    scenario.observe([containerOf('c2')]);
    expect(scenario.entry()).toMatchObject({ phase: { status: 'running' }, link: { id: 'c2' } });
  });

  it.each([
    ['is under way', 'deleting'],
    ['has ended', 'gone'],
  ])('deletes a record, too, that was made while it %s', (_when, at) => {
    const scenario = createScenario();
    const { jobId } = effectOf(scenario.observe([containerOf('c1')]), 'inject');
    scenario.remove('job');
    scenario.deleteStopped('job');
    if (at === 'gone') scenario.deleteEnded('job');
    const effects = scenario.dispatch({ type: 'subAgentCreated', id: FOLDER, record: RECORD });
    expect(effects).toEqual([{ type: 'deleteRecord', id: FOLDER, recordId: 'r1' }]);
    // The injection's own success comes later still: its process must not go on.
    expect(scenario.dispatch({ type: 'injected', id: FOLDER, jobId, at: scenario.now })).toEqual([
      { type: 'endSubAgent', id: FOLDER, jobId },
    ]);
  });

  it('deletes a record that was made while the container was being stopped', () => {
    const scenario = createScenario();
    scenario.observe([containerOf('c1')]);
    scenario.remove('job');
    scenario.dispatch({ type: 'subAgentCreated', id: FOLDER, record: RECORD });
    scenario.deleteStopped('job');
    expect(effectOf(scenario.deleteEnded('job'), 'deleteRecord').recordId).toBe('r1');
  });
});
