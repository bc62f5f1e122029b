import { describe, expect, it } from 'vitest';
import {
  claimOf,
  containerOf,
  createScenario,
  FOLDER,
  keyOf,
  readingOf,
  T0,
  typesOf,
} from '../../../test/property/support/model-scenario.ts';
import { MOST_REMEMBERED } from './remembered.ts';
import type { Settings } from './state.ts';

const TRUST = { hash: 'one', findings: [], at: T0 };
const FINDINGS = [{ kind: 'privilege', detail: 'privileged: true', source: 'image x' }] as const;
const WANTED = readingOf('one', { autoStart: true, verdict: { findings: [], hash: 'one' } });

function begin(settings: Partial<Settings> = {}) {
  const scenario = createScenario({ adopt: 'roots', trust: 'ask', autoStart: true, ...settings });
  scenario.observe([]);
  const find = (...folders: readonly string[]) =>
    scenario.dispatch({ type: 'discovered', root: '/w', found: folders.map((id) => ({ id, key: keyOf(id) })) });
  const read = () => typesOf(scenario.dispatch({ type: 'configRead', id: FOLDER, reading: WANTED }));
  return { scenario, find, read };
}

describe('an entry whose configuration goes away and comes back', () => {
  it('is still stopped by a person, trusted, and judged with its image', () => {
    const { scenario, find, read } = begin();
    find(FOLDER);
    scenario.dispatch({ type: 'trusted', id: FOLDER, trust: TRUST });
    scenario.dispatch({ type: 'imageJudged', id: FOLDER, imageFindings: FINDINGS, verdict: WANTED.verdict });
    scenario.remove('job');
    scenario.deleteEnded('job');
    scenario.observe([]);
    find();
    expect(scenario.entryOf(FOLDER)).toBeUndefined();
    find(FOLDER);
    expect(scenario.entry()).toMatchObject({ stoppedByPerson: true, trust: TRUST, imageFindings: FINDINGS });
    expect(read()).not.toContain('autoStart');
    // What an entry knows of itself is not known twice.
    expect(scenario.state.remembered.size).toBe(0);
  });

  it('is not started by itself a second time', () => {
    const { scenario, find, read } = begin();
    find(FOLDER);
    scenario.dispatch({ type: 'trusted', id: FOLDER, trust: TRUST });
    expect(read()).toContain('autoStart');
    find();
    find(FOLDER);
    expect(read()).not.toContain('autoStart');
  });

  it('is as new when there is nothing to remember of it', () => {
    const { scenario, find } = begin();
    find(FOLDER);
    find();
    expect(scenario.state.remembered.size).toBe(0);
  });

  it('keeps what was said last', () => {
    const { scenario, find } = begin({ autoStart: false });
    find(FOLDER);
    scenario.dispatch({ type: 'trusted', id: FOLDER, trust: TRUST });
    find();
    find(FOLDER);
    scenario.dispatch({ type: 'trustRevoked', id: FOLDER });
    find();
    find(FOLDER);
    expect(scenario.entry().trust).toBeUndefined();
  });
});

describe('what is remembered', () => {
  it('counts when a person asks for it, or its container is seen, before it is found', () => {
    for (const comeBack of [
      ({ scenario }: ReturnType<typeof begin>) => scenario.register(FOLDER),
      ({ scenario }: ReturnType<typeof begin>) =>
        scenario.observe([containerOf('c1')], { claims: [claimOf(containerOf('c1'), { underRoot: true })] }),
    ]) {
      const story = begin();
      story.find(FOLDER);
      story.scenario.dispatch({ type: 'trusted', id: FOLDER, trust: TRUST });
      story.find();
      comeBack(story);
      expect(story.scenario.entry()).toMatchObject({ level: 'adopted', trust: TRUST });
      expect(story.scenario.state.remembered.size).toBe(0);
    }
  });

  it('is not lost to a container that only claims to be its', () => {
    const { scenario, find } = begin();
    find(FOLDER);
    scenario.dispatch({ type: 'trusted', id: FOLDER, trust: TRUST });
    find();
    const forged = containerOf('forged');
    scenario.observe([forged], { claims: [claimOf(forged, { proven: false })] });
    expect(scenario.entry().level).toBe('seen');
    scenario.observe([]);
    expect(scenario.entryOf(FOLDER)).toBeUndefined();
    find(FOLDER);
    expect(scenario.entry().trust).toEqual(TRUST);
  });

  it('of one that a person deleted, and that is found afterwards, is that it was deleted, and no trust', () => {
    const { scenario, find, read } = begin();
    scenario.register(FOLDER, { trust: TRUST });
    scenario.observe([]);
    scenario.remove('job');
    scenario.deleteEnded('job');
    expect(scenario.entryOf(FOLDER)).toBeUndefined();
    find(FOLDER);
    expect(scenario.entry()).toMatchObject({ stoppedByPerson: true });
    expect(scenario.entry().trust).toBeUndefined();
    expect(read()).not.toContain('autoStart');
  });

  it('is at most of so many entries: of more the oldest go', () => {
    const { scenario, find } = begin();
    const remembered = Array.from({ length: MOST_REMEMBERED }, (_, n) => ({
      id: `/w/${n}`,
      stoppedByPerson: true,
      autoStarted: false,
      imageFindings: [],
    }));
    scenario.dispatch({ type: 'remembered', entries: remembered });
    find(FOLDER);
    scenario.dispatch({ type: 'trusted', id: FOLDER, trust: TRUST });
    find();
    const ids = [...scenario.state.remembered.keys()];
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([MOST_REMEMBERED, '/w/1', FOLDER]);
  });
});
