import { fc, test as propertyTest } from '@fast-check/vitest';
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
import type { Settings } from './state.ts';

const ROOT = '/w';

function begin(settings: Partial<Settings> = {}) {
  const scenario = createScenario({ adopt: 'roots', trust: 'ask', autoStart: false, ...settings });
  const find = (folders: readonly string[], root = ROOT) =>
    scenario.dispatch({ type: 'discovered', root, found: folders.map((id) => ({ id, key: keyOf(id) })) });
  const ids = () => [...scenario.state.entries.keys()];
  return { scenario, find, ids };
}

describe('what was found below a root', () => {
  it('becomes an entry that is stopped, adopted and watched', () => {
    const { scenario, find } = begin();
    const effects = find(['/w/a', '/w/b']);
    expect(effects).toEqual([
      { type: 'watchConfig', id: '/w/a', key: keyOf('/w/a') },
      { type: 'watchConfig', id: '/w/b', key: keyOf('/w/b') },
      { type: 'persist' },
    ]);
    expect(scenario.entry('/w/a')).toMatchObject({
      origin: 'discovered',
      level: 'adopted',
      phase: { status: 'stopped' },
      name: 'a',
      nameSource: 'folder',
    });
  });

  it('is only seen, and not watched, where nothing is adopted', () => {
    const { scenario, find } = begin({ adopt: 'none' });
    expect(typesOf(find(['/w/a']))).toEqual(['persist']);
    expect(scenario.entry()).toMatchObject({ origin: 'discovered', level: 'seen', phase: { status: 'stopped' } });
  });

  it('gets a name that no other has', () => {
    const { scenario, find } = begin();
    find(['/w/x/app', '/w/y/app']);
    expect(scenario.entry('/w/x/app').name).toBe('app');
    expect(scenario.entry('/w/y/app').name).toBe('y-app');
  });

  it('stays as it is when the embedder gave it, also when it goes', () => {
    const { scenario, find } = begin();
    scenario.register(FOLDER, { origin: 'manifest' });
    scenario.observe([]);
    const before = scenario.state;
    expect(find([FOLDER])).toEqual([]);
    expect(find([])).toEqual([]);
    expect(scenario.state).toBe(before);
  });

  it('and that a person asked for is known by its file from now on, so that it stays when it is deleted', () => {
    const { scenario, find } = begin();
    scenario.register(FOLDER, { origin: 'created' });
    scenario.running();
    const before = scenario.entry();
    expect(typesOf(find([FOLDER]))).toEqual(['persist']);
    expect(scenario.entry()).toEqual({ ...before, origin: 'discovered' });
    scenario.remove('job');
    scenario.deleteEnded('job');
    expect(scenario.entry()).toMatchObject({ origin: 'discovered', phase: { status: 'stopped' } });
  });

  it('was seen before: it is known for its own sake from now on, with what runs in it', () => {
    const { scenario, find } = begin({ adopt: 'all' });
    scenario.running();
    expect(scenario.entry().origin).toBe('seen');
    const { link, agent } = scenario.entry();
    expect(typesOf(find([FOLDER]))).toEqual(['persist']);
    expect(scenario.entry()).toMatchObject({ origin: 'discovered', level: 'adopted', phase: { status: 'running' } });
    expect(scenario.entry().link).toBe(link);
    expect(scenario.entry().agent).toBe(agent);
  });

  it('is adopted without the container that only claimed to be its', () => {
    const { scenario, find } = begin();
    const forged = containerOf('forged');
    scenario.observe([forged], { claims: [claimOf(forged, { proven: false })] });
    expect(scenario.entry()).toMatchObject({ level: 'seen', link: { id: 'forged' }, phase: { status: 'running' } });
    const effects = find([FOLDER]);
    expect(typesOf(effects)).toEqual(['watchConfig', 'refresh', 'persist']);
    expect(scenario.entry()).toMatchObject({ level: 'adopted', phase: { status: 'stopped' } });
    expect(scenario.entry().link).toBeUndefined();
    // Nor does the next pass give it that container.
    scenario.observe([forged], { claims: [claimOf(forged, { proven: false })] });
    expect(scenario.entry().link).toBeUndefined();
  });

  it('that the last run knew is adopted when it is found, with what was known of it', () => {
    const { scenario, find } = begin();
    const trust = { hash: 'h', findings: [], at: T0 };
    scenario.register(FOLDER, { origin: 'discovered', adopted: false, name: 'old-name', trust, stoppedByPerson: true });
    scenario.observe([]);
    expect(typesOf(find([FOLDER]))).toEqual(['watchConfig', 'refresh', 'persist']);
    expect(scenario.entry()).toMatchObject({ level: 'adopted', name: 'old-name', trust, stoppedByPerson: true });
    expect(find([FOLDER])).toEqual([]);
  });

  it('that is adopted only now gets a name that is free among the others', () => {
    const { scenario, find } = begin();
    const foreign = containerOf('c', { workspaceFolder: '/w/x/app' });
    scenario.observe([foreign], { claims: [claimOf(foreign, { proven: false })] });
    scenario.register('/other/app');
    expect(scenario.entry('/w/x/app').name).toBe(scenario.entry('/other/app').name);
    find(['/w/x/app']);
    expect(scenario.entry('/w/x/app').name).toBe('x-app');
  });

  it('is not brought into the past by a listing that began before it was deleted', () => {
    const { scenario, find } = begin();
    scenario.register(FOLDER);
    scenario.observe([containerOf('c1')]);
    const startRevision = scenario.state.revision;
    scenario.remove('job');
    scenario.deleteEnded('job');
    expect(scenario.entryOf(FOLDER)).toBeUndefined();
    find([FOLDER]);
    scenario.observe([containerOf('c1')], { startRevision });
    expect(scenario.entry()).toMatchObject({ phase: { status: 'stopped' } });
    expect(scenario.entry().link).toBeUndefined();
  });
});

describe('what is not found any more', () => {
  it('goes, with its watch and its record', () => {
    const { scenario, find, ids } = begin();
    find(['/w/a', '/w/b']);
    scenario.observe([]);
    scenario.dispatch({ type: 'subAgentCreated', id: '/w/a', record: { id: 'r', name: 'a', directory: '/' } });
    expect(find(['/w/b'])).toEqual([
      { type: 'unwatchConfig', id: '/w/a' },
      { type: 'deleteRecord', id: '/w/a', recordId: 'r' },
      { type: 'persist' },
    ]);
    expect(ids()).toEqual(['/w/b']);
  });

  it('and comes back when it is found again', () => {
    const { scenario, find, ids } = begin();
    find([FOLDER]);
    scenario.observe([]);
    find([]);
    expect(ids()).toEqual([]);
    // A listing that was under way has nothing to bring back.
    scenario.observe([], { startRevision: 0 });
    expect(ids()).toEqual([]);
    find([FOLDER]);
    expect(scenario.entry()).toMatchObject({ origin: 'discovered', level: 'adopted' });
  });

  it('stays with its container, as one that was seen', () => {
    const { scenario, find } = begin();
    find([FOLDER]);
    scenario.running();
    const before = scenario.entry();
    expect(typesOf(find([]))).toEqual(['persist']);
    expect(scenario.entry()).toEqual({ ...before, origin: 'seen' });
  });

  it('stays while a job owns it', () => {
    const { scenario, find } = begin();
    find([FOLDER]);
    scenario.observe([]);
    scenario.up('job');
    const before = scenario.state;
    expect(find([])).toEqual([]);
    expect(scenario.state).toBe(before);
  });

  it('stays as long as no listing has told whether it has a container', () => {
    const { scenario, find, ids } = begin();
    find([FOLDER]);
    find([]);
    expect(ids()).toEqual([FOLDER]);
    scenario.dispatch({ type: 'observeFailed', message: 'engine away', at: scenario.now });
    find([]);
    expect(ids()).toEqual([FOLDER]);
    scenario.observe([]);
    find([]);
    expect(ids()).toEqual([]);
  });

  it('stays while what a killed daemon left half done is to be ended', () => {
    const { scenario, find, ids } = begin();
    const intent = { kind: 'delete', operationId: 'o', since: T0, volumes: 'none' } as const;
    scenario.register(FOLDER, { origin: 'discovered', intent });
    scenario.observe([]);
    find([]);
    expect(ids()).toEqual([FOLDER]);
  });

  it('stays when it lies below another root, even one whose name begins alike', () => {
    const { scenario, find, ids } = begin();
    find(['/proj/a'], '/proj');
    find(['/w/a']);
    scenario.observe([]);
    find([]);
    expect(ids()).toEqual(['/proj/a']);
    find([], '/');
    expect(ids()).toEqual([]);
  });

  it('may be the root itself', () => {
    const { scenario, find, ids } = begin();
    find(['/w']);
    scenario.observe([]);
    find([]);
    expect(ids()).toEqual([]);
  });
});

it('nothing is discovered once the library closes', () => {
  const { scenario, find, ids } = begin();
  scenario.dispatch({ type: 'closing' });
  expect(find([FOLDER])).toEqual([]);
  expect(ids()).toEqual([]);
});

const FOLDERS = ['/w/a', '/w/b', '/w/c/d', '/v/a'] as const;

propertyTest.prop(
  [
    fc.array(
      fc.oneof(
        fc.record({ do: fc.constant('find' as const), folders: fc.subarray([...FOLDERS]) }),
        fc.record({ do: fc.constant('observe' as const), folders: fc.subarray([...FOLDERS]) }),
        fc.record({ do: fc.constant('register' as const), folders: fc.subarray([...FOLDERS]) }),
      ),
      { maxLength: 12 },
    ),
    fc.constantFrom('all' as const, 'roots' as const),
    fc.subarray([...FOLDERS]),
  ],
  { numRuns: 200 },
)('the last finding decides, twice the same is once, and what lies elsewhere is left alone', (steps, adopt, last) => {
  const { scenario, find } = begin({ adopt });
  for (const step of steps) {
    if (step.do === 'find') find(step.folders);
    else if (step.do === 'register') for (const folder of step.folders) scenario.register(folder);
    else {
      const containers = step.folders.map((folder) => containerOf(`c${folder}`, { workspaceFolder: folder }));
      scenario.observe(containers, { claims: containers.map((one) => claimOf(one, { underRoot: true })) });
    }
  }
  scenario.observe([]);
  const before = scenario.state;
  find(last);
  const { entries } = scenario.state;
  for (const folder of FOLDERS) {
    const was = before.entries.get(folder);
    if (last.includes(folder)) {
      expect(entries.get(folder)).toMatchObject({ origin: 'discovered', level: 'adopted' });
    } else if (was?.origin === 'discovered' && folder.startsWith('/w/')) expect(entries.has(folder)).toBe(false);
    else expect(entries.get(folder)).toBe(was);
  }
  const after = scenario.state;
  expect(find(last)).toEqual([]);
  expect(scenario.state).toBe(after);
});

describe('starting by itself', () => {
  const wanted = readingOf('one', { autoStart: true, verdict: { findings: [], hash: 'none' } });
  const trust = { hash: 'none', findings: [], at: T0 };

  it('happens once, when the configuration of a discovered entry was read, and was accepted', () => {
    const { scenario, find } = begin({ autoStart: true });
    scenario.observe([]);
    find([FOLDER]);
    scenario.dispatch({ type: 'trusted', id: FOLDER, trust });
    expect(effectOf(scenario.dispatch({ type: 'configRead', id: FOLDER, reading: wanted }), 'autoStart')).toEqual({
      type: 'autoStart',
      id: FOLDER,
    });
    expect(typesOf(scenario.observe([]))).not.toContain('autoStart');
  });

  it('is not undone by a finding', () => {
    const { scenario, find } = begin({ autoStart: true });
    scenario.observe([]);
    find([FOLDER]);
    scenario.dispatch({ type: 'configRead', id: FOLDER, reading: wanted });
    scenario.up('job', 'autostart');
    find([FOLDER]);
    expect(scenario.status()).toBe('starting');
  });
});
