import { describe, expect, it } from 'vitest';
import {
  containerOf,
  createScenario,
  effectOf,
  FOLDER,
  readingOf,
  typesOf,
} from '../../../test/property/support/model-scenario.ts';
import type { Effect } from './effects.ts';

type Scenario = ReturnType<typeof createScenario>;

const RECORD = { id: 'r1', name: 'a', directory: '/workspaces/a' };
const jobOf = (effects: readonly Effect[]): string => effectOf(effects, 'inject').jobId;
const agentOf = (scenario: Scenario) => scenario.entry().agent;
const fails = (scenario: Scenario, jobId: string): readonly Effect[] =>
  scenario.dispatch({ type: 'injectFailed', id: FOLDER, jobId, reason: 'no room', at: scenario.now });
const succeeds = (scenario: Scenario, jobId: string): readonly Effect[] =>
  scenario.dispatch({ type: 'injected', id: FOLDER, jobId, version: '1', at: scenario.now });
const exits = (scenario: Scenario, jobId: string): readonly Effect[] =>
  scenario.dispatch({ type: 'subAgentExited', id: FOLDER, jobId, reason: 'it crashed', at: scenario.now });
const pass = (scenario: Scenario): readonly Effect[] => scenario.observe([containerOf('c1')]);

describe('an injection', () => {
  it('begins for a running, adopted devcontainer that is not ignored, once', () => {
    const scenario = createScenario();
    const effects = pass(scenario);
    expect(effectOf(effects, 'inject')).toEqual({
      type: 'inject',
      id: FOLDER,
      jobId: `pass-1/${FOLDER}`,
      containerId: 'c1',
    });
    expect(scenario.view().agent).toMatchObject({ status: 'starting', id: null });
    expect(pass(scenario)).toEqual([]);
  });

  it.each<[string, () => readonly Effect[]]>([
    ['is only seen', () => pass(createScenario({ adopt: 'none' }))],
    ['does not run', () => createScenario().observe([containerOf('c1', { state: 'exited' })])],
    ['is paused', () => createScenario().observe([containerOf('c1', { state: 'paused' })])],
    ['is of a library that injects nothing', () => pass(createScenario({ injectSubAgents: false }))],
    [
      'has opted out',
      () =>
        createScenario().observe([containerOf('c1')], {
          readings: { [FOLDER]: readingOf('one', { ignored: true }) },
        }),
    ],
  ])('does not begin for a devcontainer that %s', (_which, look) => {
    expect(typesOf(look())).not.toContain('inject');
  });

  it('that succeeds is shown as running, with version and start', () => {
    const scenario = createScenario();
    const jobId = jobOf(pass(scenario));
    scenario.dispatch({ type: 'subAgentCreated', id: FOLDER, record: RECORD });
    expect(succeeds(scenario, jobId)).toEqual([]);
    expect(scenario.view()).toMatchObject({
      subAgentId: 'r1',
      agent: {
        id: 'r1',
        name: 'a',
        directory: '/workspaces/a',
        status: 'running',
        version: '1',
        startedAt: scenario.now,
      },
    });
    expect(pass(scenario)).toEqual([]);
  });

  it('is left alone while its container is paused, and goes on with it', () => {
    const scenario = createScenario();
    succeeds(scenario, jobOf(pass(scenario)));
    expect(scenario.observe([containerOf('c1', { state: 'paused' })])).toEqual([]);
    expect(scenario.view()).toMatchObject({ status: 'stopped', agent: { status: 'running' } });
    expect(pass(scenario)).toEqual([]);
    expect(scenario.view()).toMatchObject({ status: 'running', agent: { status: 'running' } });

    scenario.observe([containerOf('c1', { state: 'paused' })]);
    expect(typesOf(scenario.observe([containerOf('c1', { state: 'exited' })]))).toContain('endSubAgent');
    expect(scenario.view().agent).toBeUndefined();
  });

  it('that fails is shown with its reason, and tried again after 1, 2, 4, 8, 16, 32, 60 and 60 s', () => {
    const scenario = createScenario();
    let jobId = jobOf(pass(scenario));
    for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
      const at = scenario.now + seconds * 1_000;
      expect(fails(scenario, jobId)).toEqual([{ type: 'refreshAt', at }]);
      expect(scenario.view()).toMatchObject({
        status: 'running',
        error: 'no room',
        agent: { status: 'failed', reason: 'no room' },
      });
      scenario.wait(seconds * 1_000 - 1);
      expect(pass(scenario)).toEqual([{ type: 'refreshAt', at }]);
      scenario.wait(1);
      jobId = jobOf(pass(scenario));
    }
    expect(scenario.view().error).toBeUndefined();
  });

  it('that finds no binary for the platform is not tried again until the container changes', () => {
    const scenario = createScenario();
    const jobId = jobOf(pass(scenario));
    const reason = 'There is no sub-agent for linux/riscv64.';
    expect(scenario.dispatch({ type: 'injectUnsupported', id: FOLDER, jobId, reason })).toEqual([]);
    scenario.wait(1_000_000);
    expect(pass(scenario)).toEqual([]);
    expect(scenario.view()).toMatchObject({ status: 'running', agent: { status: 'unsupported', reason } });
    expect(typesOf(scenario.observe([containerOf('c2')]))).toContain('inject');
  });

  it('that was dropped is no error, and the next pass asks again', () => {
    const scenario = createScenario();
    const jobId = jobOf(pass(scenario));
    expect(scenario.dispatch({ type: 'injectDropped', id: FOLDER, jobId })).toEqual([]);
    expect(scenario.view().error).toBeUndefined();
    expect(jobOf(pass(scenario))).not.toBe(jobId);
  });

  it('that is superseded reports in vain; a process that it has started is ended', () => {
    const scenario = createScenario();
    const old = jobOf(pass(scenario));
    scenario.stop('job');
    const before = scenario.state;
    expect(fails(scenario, old)).toEqual([]);
    expect(scenario.dispatch({ type: 'injectUnsupported', id: FOLDER, jobId: old, reason: '' })).toEqual([]);
    expect(scenario.dispatch({ type: 'injectDropped', id: FOLDER, jobId: old })).toEqual([]);
    expect(exits(scenario, old)).toEqual([]);
    expect(succeeds(scenario, old)).toEqual([{ type: 'endSubAgent', id: FOLDER, jobId: old }]);
    expect(scenario.state).toBe(before);
  });

  it('is ended when its container stops, without an error', () => {
    const scenario = createScenario();
    const jobId = jobOf(pass(scenario));
    expect(scenario.observe([containerOf('c1', { state: 'exited' })])).toEqual([
      { type: 'cancelInjection', id: FOLDER },
      { type: 'endSubAgent', id: FOLDER, jobId },
    ]);
    expect(agentOf(scenario)).toEqual({ kind: 'none' });
    expect(scenario.view().error).toBeUndefined();
  });
});

describe('a run of a container', () => {
  it.each([
    ['restarted', containerOf('c1', { startedAt: 1_800_000_000_000 })],
    ['replaced', containerOf('c2')],
  ])('that is another, since the container was %s, leads to a fresh injection in the same pass', (_how, next) => {
    const scenario = createScenario();
    const old = scenario.running();
    const effects = scenario.observe([next]);
    expect(effects.slice(0, 1)).toEqual([{ type: 'endSubAgent', id: FOLDER, jobId: old }]);
    expect(effectOf(effects, 'inject').containerId).toBe(next.id);
    expect(agentOf(scenario)).toMatchObject({ kind: 'injecting', failures: 0 });
  });

  it('that is another does not wait for the back-off of the one before', () => {
    const scenario = createScenario();
    fails(scenario, jobOf(pass(scenario)));
    expect(typesOf(pass(scenario))).not.toContain('inject');
    expect(typesOf(scenario.observe([containerOf('c1', { startedAt: scenario.now })]))).toContain('inject');
    expect(agentOf(scenario)).toMatchObject({ failures: 0 });
  });

  it('cancels the injection into the one before, which is under way', () => {
    const scenario = createScenario();
    const old = jobOf(pass(scenario));
    const effects = scenario.observe([containerOf('c2')]);
    expect(typesOf(effects)).toEqual(['cancelInjection', 'endSubAgent', 'inject']);
    expect(jobOf(effects)).not.toBe(old);
  });
});

describe('a sub-agent that ends', () => {
  it('is started again at once the first time, then after 1, 2, 4 … 60 s while it is never healthy', () => {
    const scenario = createScenario();
    let jobId = scenario.running();
    expect(exits(scenario, jobId)).toEqual([{ type: 'refresh', reason: 'sub-agent ended' }]);
    expect(scenario.view()).toMatchObject({ error: 'it crashed', agent: { status: 'exited', reason: 'it crashed' } });
    jobId = jobOf(pass(scenario));
    for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
      succeeds(scenario, jobId);
      scenario.wait(59_999);
      const at = scenario.now + seconds * 1_000;
      expect(exits(scenario, jobId)).toEqual([{ type: 'refreshAt', at }]);
      scenario.wait(seconds * 1_000);
      jobId = jobOf(pass(scenario));
    }
  });

  it('after 60 s of health counts as the first failure again', () => {
    const scenario = createScenario();
    let jobId = scenario.running();
    for (let round = 0; round < 5; round++) {
      exits(scenario, jobId);
      scenario.wait(60_000);
      jobId = jobOf(pass(scenario));
      succeeds(scenario, jobId);
    }
    scenario.wait(60_000);
    expect(exits(scenario, jobId)).toEqual([{ type: 'refresh', reason: 'sub-agent ended' }]);
    expect(agentOf(scenario)).toMatchObject({ kind: 'exited', failures: 1 });
  });

  it('counts failures of injections and exits together, as long as there is no health in between', () => {
    const scenario = createScenario();
    fails(scenario, jobOf(pass(scenario)));
    scenario.wait(1_000);
    const jobId = jobOf(pass(scenario));
    succeeds(scenario, jobId);
    exits(scenario, jobId);
    expect(agentOf(scenario)).toMatchObject({ kind: 'exited', failures: 2, retryAt: scenario.now + 1_000 });
  });

  it('before its injection has reported success is ended all the same; the late success changes nothing', () => {
    const scenario = createScenario();
    const jobId = jobOf(pass(scenario));
    exits(scenario, jobId);
    expect(agentOf(scenario).kind).toBe('exited');
    expect(succeeds(scenario, jobId)).toEqual([{ type: 'endSubAgent', id: FOLDER, jobId }]);
    expect(agentOf(scenario).kind).toBe('exited');
  });

  it('of an earlier job changes nothing', () => {
    const scenario = createScenario();
    const old = scenario.running();
    scenario.observe([containerOf('c2')]);
    const before = scenario.state;
    expect(exits(scenario, old)).toEqual([]);
    expect(scenario.state).toBe(before);
  });

  it('does not erase an error of the lifecycle, nor the other way round', () => {
    const scenario = createScenario();
    scenario.register();
    scenario.up('job');
    scenario.upFailed('job', 'c1');
    const container = containerOf('c1', { createdAt: scenario.now });
    const jobId = jobOf(scenario.observe([container]));
    fails(scenario, jobId);
    expect(scenario.view()).toMatchObject({ error: 'up broke', agent: { status: 'failed', reason: 'no room' } });
    scenario.wait(1_000);
    succeeds(scenario, jobOf(scenario.observe([container])));
    expect(scenario.view()).toMatchObject({ error: 'up broke', agent: { status: 'running' } });
  });
});

describe('a devcontainer that opts out', () => {
  it('has its sub-agent ended and its record deleted', () => {
    const scenario = createScenario();
    const jobId = scenario.running();
    scenario.dispatch({ type: 'subAgentCreated', id: FOLDER, record: RECORD });
    scenario.dispatch({ type: 'configRead', id: FOLDER, reading: readingOf('one', { ignored: true }) });
    expect(pass(scenario)).toEqual([
      { type: 'endSubAgent', id: FOLDER, jobId },
      { type: 'deleteRecord', id: FOLDER, recordId: 'r1' },
    ]);
    expect(agentOf(scenario)).toEqual({ kind: 'ignored' });
    expect(scenario.view().agent).toBeUndefined();
    scenario.dispatch({ type: 'subAgentDeleted', id: FOLDER, recordId: 'r1' });
    expect(scenario.view().subAgentId).toBeNull();
    expect(pass(scenario)).toEqual([]);
  });

  it('stays ignored while its configuration cannot be read', () => {
    const scenario = createScenario();
    scenario.observe([containerOf('c1')], { readings: { [FOLDER]: readingOf('one', { ignored: true }) } });
    const error = { message: 'broken', line: 1, column: 1 };
    for (const reading of [{ kind: 'invalid', error }, { kind: 'missing' }] as const) {
      scenario.dispatch({ type: 'configRead', id: FOLDER, reading });
      expect(typesOf(pass(scenario))).not.toContain('inject');
    }
    expect(agentOf(scenario)).toEqual({ kind: 'ignored' });
  });

  it('gets its sub-agent when it opts in again', () => {
    const scenario = createScenario();
    scenario.observe([containerOf('c1')], { readings: { [FOLDER]: readingOf('one', { ignored: true }) } });
    scenario.dispatch({ type: 'configRead', id: FOLDER, reading: readingOf('one') });
    expect(typesOf(pass(scenario))).toContain('inject');
  });
});

describe('a record', () => {
  it('outlives a restart, a replacement and a stop of the container', () => {
    const scenario = createScenario();
    scenario.running();
    scenario.dispatch({ type: 'subAgentCreated', id: FOLDER, record: RECORD });
    const looks = [
      [containerOf('c1', { startedAt: scenario.now })],
      [containerOf('c2')],
      [containerOf('c2', { state: 'exited' })],
      [],
    ];
    for (const containers of looks) {
      expect(typesOf(scenario.observe(containers))).not.toContain('deleteRecord');
      expect(scenario.entry().record).toEqual(RECORD);
    }
  });

  it('that another replaces is deleted, unless it is the same or the embedder made it', () => {
    const scenario = createScenario();
    scenario.register(FOLDER, { origin: 'manifest', preassignedRecordId: 'pre' });
    const create = (id: string) =>
      scenario.dispatch({ type: 'subAgentCreated', id: FOLDER, record: { ...RECORD, id } });
    expect(create('pre')).toEqual([]);
    expect(create('r1')).toEqual([]);
    expect(create('r1')).toEqual([]);
    expect(create('r2')).toEqual([{ type: 'deleteRecord', id: FOLDER, recordId: 'r1' }]);
    expect(scenario.view().subAgentId).toBe('r2');
  });

  it('and its entry show the same name, unless the user chose the name', () => {
    const scenario = createScenario();
    pass(scenario);
    scenario.dispatch({ type: 'subAgentCreated', id: FOLDER, record: { ...RECORD, name: 'w-a' } });
    expect(scenario.view()).toMatchObject({ name: 'w-a', agent: { name: 'w-a' } });
    scenario.dispatch({ type: 'configRead', id: FOLDER, reading: readingOf('one', { name: 'mine' }) });
    scenario.dispatch({ type: 'subAgentCreated', id: FOLDER, record: { ...RECORD, id: 'r2', name: 'mine' } });
    expect(scenario.view()).toMatchObject({ name: 'mine', agent: { name: 'mine' } });
  });

  it('whose entry was given another name is registered anew, by a fresh injection', () => {
    const scenario = createScenario();
    const old = scenario.running();
    scenario.dispatch({ type: 'subAgentCreated', id: FOLDER, record: RECORD });
    scenario.dispatch({ type: 'configRead', id: FOLDER, reading: readingOf('one', { name: 'mine' }) });
    const effects = pass(scenario);
    expect(typesOf(effects)).toEqual(['endSubAgent', 'inject']);
    expect(jobOf(effects)).not.toBe(old);
    scenario.dispatch({ type: 'subAgentCreated', id: FOLDER, record: { ...RECORD, id: 'r2', name: 'mine' } });
    succeeds(scenario, jobOf(effects));
    expect(pass(scenario)).toEqual([]);
  });

  it('is forgotten when it was deleted, and only then', () => {
    const scenario = createScenario();
    pass(scenario);
    scenario.dispatch({ type: 'subAgentCreated', id: FOLDER, record: RECORD });
    scenario.dispatch({ type: 'subAgentDeleted', id: FOLDER, recordId: 'another' });
    expect(scenario.view().subAgentId).toBe('r1');
    scenario.dispatch({ type: 'subAgentDeleted', id: FOLDER, recordId: 'r1' });
    expect(scenario.view().subAgentId).toBeNull();
    expect(scenario.dispatch({ type: 'subAgentDeleted', id: 'nobody', recordId: 'r1' })).toEqual([]);
  });
});
