import { describe, expect, it } from 'vitest';
import {
  claimOf,
  containerOf,
  createScenario,
  effectOf,
  FOLDER,
  keyOf,
  readingOf,
  T0,
  typesOf,
} from '../../../test/property/support/model-scenario.ts';

const OTHER = '/w/b';

describe('a container that is seen for the first time', () => {
  it.each([
    ['running', 'running'],
    ['exited', 'stopped'],
    ['created', 'stopped'],
    ['paused', 'stopped'],
    ['restarting', 'stopped'],
    ['removing', 'stopped'],
    ['dead', 'stopped'],
  ] as const)('and is %s makes an entry that is %s', (state, status) => {
    const scenario = createScenario();
    scenario.observe([containerOf('c1', { state })]);
    expect(scenario.view()).toMatchObject({ status, name: 'a', workspaceFolder: FOLDER, container: { id: 'c1' } });
  });

  it('has its configuration watched when it is adopted', () => {
    const scenario = createScenario();
    expect(effectOf(scenario.observe([containerOf('c1')]), 'watchConfig')).toEqual({
      type: 'watchConfig',
      id: FOLDER,
      key: keyOf(FOLDER),
    });
  });

  it('and is no devcontainer is listed and makes no entry', () => {
    const scenario = createScenario();
    scenario.observe([containerOf('c1')], { claims: [] });
    expect(scenario.state.entries.size).toBe(0);
    expect(scenario.state.containers.map(({ id }) => id)).toEqual(['c1']);
  });

  it('gives two folders of one name different names', () => {
    const scenario = createScenario();
    scenario.observe([containerOf('c1'), containerOf('c2', { workspaceFolder: '/x/a' })]);
    expect([scenario.entry().name, scenario.entry('/x/a').name]).toEqual(['a', 'x-a']);
  });
});

describe('an up that failed', () => {
  it('while its container is held for a moment, as it is when it is copied, leaves it running when it runs on', () => {
    const scenario = createScenario();
    scenario.observe([containerOf('c1')]);
    scenario.up('job');
    scenario.upBegan('job', 'one', ['c1']);
    scenario.upFailed('job');
    scenario.observe([containerOf('c1', { state: 'paused' })]);
    expect(scenario.view()).toMatchObject({ status: 'error', error: 'up broke' });
    scenario.observe([containerOf('c1')]);
    expect(scenario.view()).toMatchObject({ status: 'running', error: 'up broke' });
  });
});

describe('an up that ended well', () => {
  const begin = () => {
    const scenario = createScenario();
    scenario.register();
    scenario.up('job');
    scenario.upBegan('job', 'one');
    scenario.upSucceeded('job', 'c1');
    return scenario;
  };

  it('in a container that claims nothing has failed, and says in which', () => {
    const scenario = begin();
    scenario.observe([containerOf('c1', { name: 'theirs' })], { claims: [] });
    expect(scenario.view()).toMatchObject({ status: 'error', error: expect.stringContaining('the container theirs') });
    expect(scenario.state.operations.get('job')).toMatchObject({ status: 'failed' });
  });

  it('in one that claims another entry has failed, also when the one before is there', () => {
    const scenario = begin();
    const other = containerOf('c1', { workspaceFolder: OTHER });
    scenario.observe([containerOf('c0', { state: 'exited' }), other]);
    expect(scenario.view()).toMatchObject({ status: 'error', error: expect.stringContaining('Bringing up failed') });
    expect(scenario.view(OTHER)).toMatchObject({ status: 'running' });
  });

  it('in one that is gone again has not: there is nothing to be wrong about', () => {
    const scenario = begin();
    scenario.observe([]);
    expect(scenario.view()).toMatchObject({ status: 'stopped' });
    expect(scenario.state.operations.get('job')).toMatchObject({ status: 'succeeded' });
  });
});

describe('the level of an entry', () => {
  const levels = [
    ['all', true, false, 'adopted'],
    ['all', true, true, 'adopted'],
    ['all', false, false, 'seen'],
    ['all', false, true, 'seen'],
    ['roots', true, true, 'adopted'],
    ['roots', true, false, 'seen'],
    ['roots', false, true, 'seen'],
    ['none', true, true, 'seen'],
    ['none', true, false, 'seen'],
  ] as const;

  it.each(levels)('by policy %s, claim proven %s, under a root %s is %s', (adopt, proven, underRoot, level) => {
    const scenario = createScenario({ adopt });
    const container = containerOf('c1');
    const effects = scenario.observe([container], { claims: [claimOf(container, { proven, underRoot })] });
    expect(scenario.entry().level).toBe(level);
    expect(typesOf(effects)).toEqual(level === 'seen' ? [] : ['watchConfig', 'inject']);
  });

  it('once adopted stays, also when a later claim is not proven; that one does not stand for the entry', () => {
    const scenario = createScenario();
    scenario.observe([containerOf('c1')]);
    const fake = containerOf('c2');
    scenario.observe([fake], { claims: [claimOf(fake, { proven: false })] });
    expect(scenario.view()).toMatchObject({ level: 'adopted', status: 'stopped' });
    expect(scenario.view().container).toBeUndefined();
  });

  it('rises when a proven container joins one that is only a claim, and from then on only that one counts', () => {
    const scenario = createScenario();
    const fake = containerOf('c9', { createdAt: T0 + 9 });
    scenario.observe([fake], { claims: [claimOf(fake, { proven: false })] });
    expect(scenario.view()).toMatchObject({ level: 'seen', container: { id: 'c9' } });
    const real = containerOf('c1');
    const effects = scenario.observe([fake, real], { claims: [claimOf(fake, { proven: false }), claimOf(real)] });
    expect(scenario.view()).toMatchObject({ level: 'adopted', container: { id: 'c1' } });
    expect(scenario.view().candidates).toBeUndefined();
    expect(typesOf(effects)).toEqual(['watchConfig', 'inject']);
  });

  it('seen goes with its container, without a trace', () => {
    const scenario = createScenario({ adopt: 'none' });
    scenario.observe([containerOf('c1')]);
    expect(scenario.status()).toBe('running');
    expect(scenario.observe([])).toEqual([]);
    expect(scenario.state.entries.size).toBe(0);
    expect(scenario.state.tombstones.size).toBe(0);
  });

  it('is managed when the container is one that our up made', () => {
    const scenario = createScenario();
    scenario.register();
    scenario.up('job');
    scenario.upBegan('job', 'one', ['c0']);
    scenario.upSucceeded('job', 'c1');
    const effects = scenario.observe([containerOf('c1', { createdAt: scenario.now })]);
    expect(scenario.entry()).toMatchObject({
      level: 'managed',
      made: [{ containerId: 'c1', fingerprint: 'one', ours: true }],
    });
    expect(scenario.entry().intent).toBeUndefined();
    expect(typesOf(effects)).toContain('persist');
  });

  it('stays as it was when an up found the container that was there already', () => {
    const scenario = createScenario();
    scenario.observe([containerOf('c1', { state: 'exited' })], { readings: { [FOLDER]: readingOf('one') } });
    scenario.up('job');
    scenario.upBegan('job', 'one', ['c1']);
    scenario.upSucceeded('job', 'c1');
    scenario.observe([containerOf('c1', { startedAt: scenario.now })]);
    expect(scenario.view()).toMatchObject({ level: 'adopted', status: 'running' });
  });
});

describe('a container that goes', () => {
  it('leaves its entry stopped and not dirty', () => {
    const scenario = createScenario();
    scenario.running();
    scenario.dispatch({ type: 'configRead', id: FOLDER, reading: readingOf('two') });
    expect(scenario.view()).toMatchObject({ status: 'running', dirty: true });
    scenario.observe([]);
    expect(scenario.view()).toMatchObject({ status: 'stopped', dirty: false });
    expect(scenario.view().container).toBeUndefined();
    expect(scenario.entry().made).toEqual([]);
  });

  it('and stops only, leaves its entry stopped with the container shown, and dirty as it is', () => {
    const scenario = createScenario();
    scenario.running();
    scenario.dispatch({ type: 'configRead', id: FOLDER, reading: readingOf('two') });
    scenario.observe([containerOf('c1', { state: 'exited' })]);
    expect(scenario.view()).toMatchObject({ status: 'stopped', dirty: true, container: { id: 'c1' } });
  });

  it('gives way to the next of several within the same pass', () => {
    const scenario = createScenario();
    const next = containerOf('c2', { state: 'exited' });
    const both = scenario.observe([containerOf('c1'), next]);
    expect(effectOf(both, 'warn').fields).toMatchObject({ devcontainer: FOLDER, chosen: 'c1' });
    expect(scenario.view()).toMatchObject({
      container: { id: 'c1' },
      candidates: [{ containerId: 'c2', name: 'name-c2', reason: 'it is exited, the chosen one is running' }],
    });
    scenario.observe([next]);
    expect(scenario.view()).toMatchObject({ container: { id: 'c2' }, status: 'stopped' });
    expect(scenario.view().candidates).toBeUndefined();
  });

  it('takes the error of its hooks with it when another replaces it', () => {
    const scenario = createScenario();
    scenario.register();
    scenario.up('job');
    scenario.upFailed('job', 'c1');
    scenario.observe([containerOf('c1', { createdAt: scenario.now })]);
    expect(scenario.view().error).toBe('up broke');
    scenario.observe([containerOf('c1', { createdAt: scenario.now })]);
    expect(scenario.view().error).toBe('up broke');
    scenario.observe([containerOf('c2', { createdAt: scenario.now + 1 })]);
    expect(scenario.view().error).toBeUndefined();
  });
});

describe('several containers of one entry', () => {
  it('are told apart by whether their claim names the configuration, before their age', () => {
    const scenario = createScenario();
    const [naming, newer] = [containerOf('c1'), containerOf('c2', { createdAt: T0 + 1 })];
    scenario.observe([newer, naming], { claims: [claimOf(newer, { namesConfig: false }), claimOf(naming)] });
    expect(scenario.view().container?.id).toBe('c1');
  });

  it('are warned of once, not at every pass', () => {
    const scenario = createScenario();
    const containers = [containerOf('c1'), containerOf('c2', { state: 'exited' })];
    expect(typesOf(scenario.observe(containers))).toContain('warn');
    expect(typesOf(scenario.observe(containers))).not.toContain('warn');
    expect(typesOf(scenario.observe(containers.toReversed()))).not.toContain('warn');
  });
});

describe('what a container was made from', () => {
  it('is the configuration that was there before it and has not changed since', () => {
    const scenario = createScenario();
    scenario.observe([containerOf('c1')], { readings: { [FOLDER]: readingOf('one') } });
    expect(scenario.entry().made).toEqual([
      { containerId: 'c1', fingerprint: 'one', inputs: { image: 'one' }, ours: false },
    ]);
  });

  it('is not known when the file changed after it was made', () => {
    const scenario = createScenario();
    const changed = { fingerprint: 'two', inputs: {}, modifiedAt: T0 + 1 };
    scenario.observe([containerOf('c1')], { readings: { [FOLDER]: readingOf('two', { config: changed }) } });
    expect(scenario.entry().made).toEqual([]);
    expect(scenario.view().dirty).toBe(true);
  });

  it('is forgotten with the container', () => {
    const scenario = createScenario();
    const [one, two] = [containerOf('c1'), containerOf('c2', { createdAt: T0 + 1 })];
    scenario.observe([one], { readings: { [FOLDER]: readingOf('one') } });
    scenario.observe([one, two]);
    expect(scenario.entry().made.map(({ containerId }) => containerId)).toEqual(['c1', 'c2']);
    scenario.observe([two]);
    expect(scenario.entry().made.map(({ containerId }) => containerId)).toEqual(['c2']);
  });
});

describe('a stale observation', () => {
  it('changes nothing of an entry whose lifecycle changed after it began, and all of the others', () => {
    const scenario = createScenario();
    scenario.observe([containerOf('c1'), containerOf('c2', { workspaceFolder: OTHER })]);
    const startRevision = scenario.state.revision;
    scenario.stop('job');
    scenario.stopEnded('job');
    const before = scenario.entry();
    scenario.observe([containerOf('c1')], { startRevision });
    expect(scenario.entry()).toBe(before);
    expect(scenario.status(OTHER)).toBe('stopped');
  });
});

describe('a listing', () => {
  it('that failed is noted and leaves all data', () => {
    const scenario = createScenario();
    scenario.running();
    const { entries, containers } = scenario.state;
    scenario.dispatch({ type: 'observeFailed', message: 'no answer', at: 7 });
    expect(scenario.state.observation).toEqual({ status: 'failed', message: 'no answer', at: 7 });
    expect(scenario.state.entries).toBe(entries);
    expect(scenario.state.containers).toBe(containers);
    scenario.observe([containerOf('c1')]);
    expect(scenario.state.observation).toEqual({ status: 'ok', at: scenario.now });
  });

  it('that shows nothing new keeps every object', () => {
    const scenario = createScenario();
    scenario.running();
    scenario.observe([containerOf('c1')]);
    const { entries, containers } = scenario.state;
    expect(scenario.observe([containerOf('c1')])).toEqual([]);
    expect(scenario.state.containers).toBe(containers);
    expect([...scenario.state.entries]).toEqual([...entries]);
    expect(scenario.entry()).toBe(entries.get(FOLDER));
  });
});
