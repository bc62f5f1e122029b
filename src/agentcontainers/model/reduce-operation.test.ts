import { describe, expect, it } from 'vitest';
import { containerOf, createScenario, FOLDER } from '../../../test/property/support/model-scenario.ts';
import type { Operation } from './operation.ts';

describe('operations', () => {
  it.each([
    ['create', 'create'],
    ['manifest', 'create'],
    ['start', 'start'],
    ['autostart', 'start'],
    ['recreate', 'recreate'],
  ] as const)('of an up because of %s are of the kind %s', (cause, kind) => {
    const scenario = createScenario();
    scenario.register();
    const event = { type: 'upRequested', id: FOLDER, jobId: 'job', cause, at: 7, logOffset: 42 } as const;
    scenario.dispatch(event);
    expect(scenario.state.operations.get('job')).toEqual({
      id: 'job',
      devcontainerId: FOLDER,
      kind,
      status: 'running',
      phase: 'waiting',
      startedAt: 7,
      logOffset: 42,
      steps: [],
    });
  });

  it('tell what they are doing while they run, and nothing new when they have ended', () => {
    const scenario = createScenario();
    scenario.register();
    scenario.up('job');
    scenario.dispatch({ type: 'operationProgressed', jobId: 'job', phase: 'build', at: 0 });
    expect(scenario.state.operations.get('job')?.phase).toBe('build');
    const before = scenario.state;
    scenario.dispatch({ type: 'operationProgressed', jobId: 'job', phase: 'build', at: 0 });
    scenario.dispatch({ type: 'operationProgressed', jobId: 'unknown', phase: 'build', at: 0 });
    expect(scenario.state).toBe(before);
    scenario.dispatch({ type: 'upCancelled', id: FOLDER, jobId: 'job', at: 1 });
    scenario.dispatch({ type: 'operationProgressed', jobId: 'job', phase: 'postCreateCommand', at: 0 });
    expect(scenario.state.operations.get('job')).toMatchObject({ status: 'cancelled', phase: 'build' });
  });

  it('end once: the first end wins', () => {
    const scenario = createScenario();
    scenario.observe([containerOf('c1')]);
    scenario.stop('job');
    scenario.stopEnded('job', 'it broke');
    const ended = scenario.state.operations.get('job');
    expect(ended).toMatchObject({ status: 'failed', error: 'it broke', endedAt: scenario.now });
    scenario.wait(1_000);
    scenario.stopEnded('job');
    scenario.dispatch({ type: 'upCancelled', id: FOLDER, jobId: 'job', at: scenario.now });
    expect(scenario.state.operations.get('job')).toBe(ended);
  });

  it('are kept up to 200, the oldest that have ended go first, those that run never', () => {
    const scenario = createScenario();
    const ended = (id: string): Operation => ({
      id,
      devcontainerId: FOLDER,
      kind: 'stop',
      status: 'succeeded',
      phase: 'stopped',
      startedAt: 1,
      endedAt: 2,
      logOffset: 0,
      steps: [],
    });
    scenario.register();
    scenario.up('runs');
    for (let index = 0; index < 250; index++) {
      scenario.dispatch({ type: 'operationRestored', operation: ended(`old-${index}`) });
    }
    const ids = [...scenario.state.operations.keys()];
    expect(ids).toHaveLength(200);
    expect(ids.slice(0, 2)).toEqual(['runs', 'old-51']);
    expect(ids.at(-1)).toBe('old-249');
  });
});
