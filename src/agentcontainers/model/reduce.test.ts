import { describe, expect, it } from 'vitest';
import {
  containerOf,
  createScenario,
  effectOf,
  FOLDER,
  keyOf,
  readingOf,
  typesOf,
} from '../../../test/property/support/model-scenario.ts';

describe('an entry that is known before any container of it', () => {
  it('from the manifest is stopped, adopted and watched', () => {
    const scenario = createScenario();
    const effects = scenario.register(FOLDER, { origin: 'manifest', name: 'chosen', preassignedRecordId: 'pre' });
    expect(effects).toEqual([{ type: 'watchConfig', id: FOLDER, key: keyOf(FOLDER) }]);
    expect(scenario.view()).toMatchObject({
      name: 'chosen',
      status: 'stopped',
      dirty: false,
      level: 'adopted',
      subAgentId: 'pre',
    });
  });

  it('keeps the name that the manifest gave it when its configuration gives none', () => {
    const scenario = createScenario();
    scenario.register(FOLDER, { origin: 'manifest', name: 'chosen' });
    scenario.dispatch({ type: 'configRead', id: FOLDER, reading: readingOf('one') });
    expect(scenario.entry().name).toBe('chosen');
  });

  it('takes a name in its configuration before that of the manifest, which comes back when it goes', () => {
    const scenario = createScenario();
    scenario.register(FOLDER, { origin: 'manifest', name: 'chosen' });
    scenario.dispatch({ type: 'configRead', id: FOLDER, reading: readingOf('one', { name: 'configured' }) });
    expect(scenario.entry()).toMatchObject({ name: 'configured', nameSource: 'chosen' });
    scenario.dispatch({ type: 'configRead', id: FOLDER, reading: readingOf('two') });
    expect(scenario.entry()).toMatchObject({ name: 'chosen', nameSource: 'chosen' });
  });

  it('has the name that the manifest gives, also when the state of the last run was there first', () => {
    const scenario = createScenario();
    scenario.register(FOLDER, { origin: 'seen', adopted: false, name: 'a' });
    scenario.register(FOLDER, { origin: 'manifest', name: 'chosen', preassignedRecordId: 'pre' });
    expect(scenario.entry()).toMatchObject({
      name: 'chosen',
      level: 'adopted',
      origin: 'manifest',
      preassignedRecordId: 'pre',
    });
  });

  it('of the last run stays ignored until its configuration is read', () => {
    const scenario = createScenario();
    scenario.register(FOLDER, { ignored: true });
    expect(typesOf(scenario.observe([containerOf('c1')]))).not.toContain('inject');
    scenario.dispatch({ type: 'configRead', id: FOLDER, reading: readingOf('one') });
    expect(typesOf(scenario.observe([containerOf('c1')]))).toContain('inject');
  });

  it('of the last run keeps the name it had', () => {
    const scenario = createScenario();
    scenario.register('/w/b', { name: 'w-b' });
    expect(scenario.entry('/w/b').name).toBe('w-b');
    expect(scenario.status('/w/b')).toBe('stopped');
  });

  it('is adopted, watched and written down when it was only seen before', () => {
    const scenario = createScenario({ adopt: 'none' });
    scenario.observe([containerOf('c1')]);
    expect(scenario.entry().level).toBe('seen');
    expect(typesOf(scenario.register())).toEqual(['watchConfig', 'persist', 'refresh']);
    expect(scenario.entry()).toMatchObject({ level: 'adopted', origin: 'created', link: undefined });
    expect(scenario.register()).toEqual([]);
  });

  it('of the manifest stays one of the manifest when a person asks for it too', () => {
    const scenario = createScenario();
    scenario.register(FOLDER, { origin: 'manifest' });
    scenario.register(FOLDER, { origin: 'created' });
    scenario.remove('job');
    scenario.deleteStopped('job');
    scenario.deleteEnded('job');
    expect(scenario.status()).toBe('stopped');
  });

  it('knows after a restart what its containers were made from, also of one that was made meanwhile', () => {
    const scenario = createScenario();
    const made = [{ containerId: 'c1', fingerprint: 'one', inputs: {}, ours: true }];
    const intent = {
      kind: 'up' as const,
      operationId: 'job',
      fingerprint: 'two',
      inputs: {},
      since: 1,
      knownContainers: ['c1'],
    };
    scenario.register(FOLDER, { made, intent });
    const effects = scenario.observe([containerOf('c2', { createdAt: scenario.now })], {
      readings: { [FOLDER]: readingOf('two') },
    });
    expect(scenario.view()).toMatchObject({ level: 'managed', dirty: false, status: 'running' });
    expect(scenario.entry().made).toEqual([{ containerId: 'c2', fingerprint: 'two', inputs: {}, ours: true }]);
    // Until what was begun has been brought to an end.
    expect(scenario.entry().intent).toMatchObject({ isInterrupted: true });
    expect(typesOf(effects)).toContain('persist');
  });
});

describe('a library that closes', () => {
  it('begins nothing any more, but takes what jobs under way report', () => {
    const scenario = createScenario();
    scenario.observe([containerOf('c1')]);
    scenario.stop('job');
    scenario.dispatch({ type: 'closing' });
    expect(scenario.up('late')).toEqual([]);
    scenario.stopEnded('job');
    expect(scenario.status()).toBe('stopped');
    expect(scenario.stop('late')).toEqual([]);
    expect(scenario.status()).toBe('stopped');
    expect(typesOf(scenario.observe([containerOf('c1')]))).not.toContain('inject');
  });

  it('when closed takes nothing any more, but deletes a record that comes too late', () => {
    const scenario = createScenario();
    scenario.running();
    scenario.dispatch({ type: 'closing' });
    scenario.dispatch({ type: 'closed' });
    const before = scenario.state;
    expect(scenario.observe([])).toEqual([]);
    expect(scenario.up('late')).toEqual([]);
    const record = { id: 'r1', name: 'a', directory: '/w' };
    const effects = scenario.dispatch({ type: 'subAgentCreated', id: FOLDER, record });
    expect(effectOf(effects, 'deleteRecord').recordId).toBe('r1');
    expect(scenario.state).toBe(before);
  });
});
