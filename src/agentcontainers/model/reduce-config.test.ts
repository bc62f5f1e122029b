import { describe, expect, it } from 'vitest';
import {
  containerOf,
  createScenario,
  FOLDER,
  readingOf,
  typesOf,
} from '../../../test/property/support/model-scenario.ts';
import type { ConfigReading } from './events.ts';

const ERROR = { message: 'CloseBraceExpected', line: 3, column: 1 };

function runningScenario() {
  const scenario = createScenario();
  scenario.running();
  const read = (reading: ConfigReading) => scenario.dispatch({ type: 'configRead', id: FOLDER, reading });
  return { ...scenario, scenario, read };
}

describe('a configuration that was read', () => {
  it('marks dirty at once, without a pass; reverting it makes clean again', () => {
    const { scenario, read } = runningScenario();
    expect(scenario.view().dirty).toBe(false);
    expect(read(readingOf('two'))).toEqual([]);
    expect(scenario.view()).toMatchObject({ dirty: true, dirtyReasons: [{ input: 'image', class: 'recreate' }] });
    read(readingOf('one'));
    expect(scenario.view()).toMatchObject({ dirty: false });
    expect(scenario.view().dirtyReasons).toBeUndefined();
  });

  it('changes nothing when it says nothing new', () => {
    const { scenario, read } = runningScenario();
    const before = scenario.state;
    read(readingOf('one'));
    // Written again with the same content.
    read(readingOf('one', { config: { fingerprint: 'one', inputs: { image: 'one' }, modifiedAt: scenario.now } }));
    expect(scenario.state).toBe(before);
    read({ kind: 'invalid', error: ERROR });
    const broken = scenario.state;
    read({ kind: 'invalid', error: { ...ERROR } });
    expect(scenario.state).toBe(broken);
  });

  it('that is half-written keeps the last good fingerprint, name and opt-out, and shows the error', () => {
    const { scenario, read } = runningScenario();
    read(readingOf('two', { name: 'chosen', ignored: true }));
    const { config } = scenario.entry();
    read({ kind: 'invalid', error: ERROR });
    expect(scenario.entry()).toMatchObject({ name: 'chosen', ignored: true });
    expect(scenario.entry().config).toBe(config);
    expect(scenario.view()).toMatchObject({ dirty: true, configError: ERROR });
  });

  it('never flips to dirty and back while it is half-written', () => {
    const { scenario, read } = runningScenario();
    read({ kind: 'invalid', error: ERROR });
    expect(scenario.view()).toMatchObject({ dirty: false, configError: ERROR });
    read(readingOf('one'));
    expect(scenario.view().configError).toBeUndefined();
    expect(scenario.view().dirty).toBe(false);
  });

  it('that is away keeps what was known, and says that it is away', () => {
    const { scenario, read } = runningScenario();
    read({ kind: 'invalid', error: ERROR });
    read({ kind: 'missing' });
    expect(scenario.view()).toMatchObject({ dirty: false });
    expect(scenario.view().configError).toEqual({ message: 'There is no such file.', line: 1, column: 1 });
    expect(scenario.entry().config?.fingerprint).toBe('one');
  });

  it('gives the name that the user chose, never altered; without one the folder gives it again', () => {
    const { scenario, read } = runningScenario();
    scenario.observe([containerOf('c1'), containerOf('c2', { workspaceFolder: '/w/b' })]);
    expect(scenario.entry('/w/b').name).toBe('b');
    expect(typesOf(read(readingOf('one', { name: 'b' })))).toEqual(['refresh', 'persist']);
    expect(scenario.entry()).toMatchObject({ name: 'b', nameSource: 'chosen' });
    read(readingOf('one'));
    expect(scenario.entry()).toMatchObject({ name: 'a', nameSource: 'folder' });
  });

  it('keeps an opt-out that changed and asks for a pass, but not of an entry that a job owns', () => {
    const { scenario, read } = runningScenario();
    expect(typesOf(read(readingOf('one', { ignored: true })))).toEqual(['refresh', 'persist']);
    scenario.stop('job');
    expect(typesOf(read(readingOf('one', { ignored: false })))).toEqual(['persist']);
    expect(scenario.entry().ignored).toBe(false);
  });

  it('of an entry that is gone changes nothing', () => {
    const scenario = createScenario();
    const before = scenario.state;
    expect(scenario.dispatch({ type: 'configRead', id: FOLDER, reading: readingOf('one') })).toEqual([]);
    expect(scenario.state).toBe(before);
  });

  it('counts also while a recreate is under way: an edit after it began is dirty when it has ended', () => {
    const { scenario, read } = runningScenario();
    scenario.up('job', 'recreate');
    scenario.upBegan('job', 'one', ['c1']);
    read(readingOf('two'));
    scenario.upSucceeded('job', 'c2');
    scenario.observe([containerOf('c2', { createdAt: scenario.now })]);
    expect(scenario.view()).toMatchObject({ status: 'running', dirty: true, level: 'managed' });
  });
});
