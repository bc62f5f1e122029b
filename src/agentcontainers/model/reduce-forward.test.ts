import { beforeEach, describe, expect, test } from 'vitest';
import { containerOf, createScenario, FOLDER } from '../../../test/property/support/model-scenario.ts';
import { MOST_FORWARDS, type PortForward } from './forward.ts';
import { forwardOfHostPort } from './reduce-forward.ts';

const FORWARD: PortForward = { id: 'f', host: '127.0.0.1', port: 3000, hostPort: 3001, status: 'listening' };
const PERSIST = { type: 'persist' };

let scenario: ReturnType<typeof createScenario>;
beforeEach(() => {
  scenario = createScenario();
  scenario.register();
});

const add = (over: Partial<PortForward> = {}) =>
  scenario.dispatch({ type: 'forwardAdded', id: FOLDER, forward: { ...FORWARD, ...over } });

describe('a forward that was added', () => {
  test('is shown, after those before it, and kept', () => {
    expect(scenario.view()).not.toHaveProperty('forwards');
    expect(add()).toEqual([PERSIST]);
    expect(add({ id: 'g', hostPort: 3002 })).toEqual([PERSIST]);
    expect(scenario.view().forwards).toEqual([FORWARD, { ...FORWARD, id: 'g', hostPort: 3002 }]);
  });

  test.each([
    ['a second time', () => {}, {}],
    ['beyond the most', () => fill(), { id: 'more' }],
    ['while the library closes', () => void scenario.dispatch({ type: 'closing' }), { id: 'late' }],
  ])('%s changes nothing', (_when, arrange, over) => {
    add();
    arrange();
    const { state } = scenario;
    expect(add(over)).toEqual([]);
    expect(scenario.state).toBe(state);
  });

  test('to an entry that is gone changes nothing', () => {
    const { state } = scenario;
    expect(scenario.dispatch({ type: 'forwardAdded', id: 'gone', forward: FORWARD })).toEqual([]);
    expect(scenario.state).toBe(state);
  });

  function fill(): void {
    for (let count = 1; count < MOST_FORWARDS; count++) add({ id: `f${count}` });
    expect(scenario.entry().forwards).toHaveLength(MOST_FORWARDS);
  }
});

describe('a forward that changed', () => {
  const change = (forwardId: string, error?: string) =>
    scenario.dispatch({ type: 'forwardChanged', id: FOLDER, forwardId, ...(error === undefined ? {} : { error }) });

  test('has failed with an error, and listens without one; that is not written down', () => {
    add();
    expect(change('f', 'No.')).toEqual([]);
    expect(scenario.view().forwards).toEqual([{ ...FORWARD, status: 'failed', error: 'No.' }]);
    expect(change('f')).toEqual([]);
    expect(scenario.view().forwards).toEqual([FORWARD]);
  });

  test.each([
    ['to what it was', 'f', undefined],
    ['and is not there', 'g', 'No.'],
  ])('%s changes nothing', (_how, forwardId, error) => {
    add();
    const { state } = scenario;
    change(forwardId, error);
    expect(scenario.state).toBe(state);
  });

  test('in an entry that is gone changes nothing', () => {
    const { state } = scenario;
    scenario.dispatch({ type: 'forwardChanged', id: 'gone', forwardId: 'f', error: 'No.' });
    expect(scenario.state).toBe(state);
  });
});

describe('a forward that ended', () => {
  test('is gone, and the others stay', () => {
    add();
    add({ id: 'g' });
    expect(scenario.dispatch({ type: 'forwardEnded', id: FOLDER, forwardId: 'f' })).toEqual([PERSIST]);
    expect(scenario.view().forwards?.map(({ id }) => id)).toEqual(['g']);
  });

  test.each([
    [FOLDER, 'g'],
    ['gone', 'f'],
  ])('in %s with the id %s changes nothing', (id, forwardId) => {
    add();
    const { state } = scenario;
    expect(scenario.dispatch({ type: 'forwardEnded', id, forwardId })).toEqual([]);
    expect(scenario.state).toBe(state);
  });
});

test('no lifecycle change touches a forward', () => {
  scenario.observe([containerOf('c1')]);
  add();
  scenario.up('job', 'recreate');
  expect(scenario.view().forwards).toEqual([FORWARD]);
  scenario.observe([]);
  scenario.dispatch({ type: 'observeFailed', message: 'away', at: scenario.now });
  expect(scenario.view().forwards).toEqual([FORWARD]);
});

test.each(['created', 'manifest', 'discovered'] as const)('a delete of what was %s ends its forwards', (origin) => {
  scenario = createScenario();
  scenario.register(FOLDER, { origin });
  scenario.observe([containerOf('c1')]);
  add();
  scenario.dispatch({
    type: 'deleteRequested',
    id: FOLDER,
    jobId: 'job',
    volumes: 'none',
    at: scenario.now,
    logOffset: 0,
  });
  scenario.dispatch({ type: 'deleteStopped', id: FOLDER, jobId: 'job' });
  expect(scenario.entry().forwards).toEqual([FORWARD]);
  scenario.dispatch({ type: 'deleteEnded', id: FOLDER, jobId: 'job', at: scenario.now });
  expect(scenario.entryOf(FOLDER)?.forwards ?? []).toEqual([]);
});

test('those of the last run come with their entry, and a later registration leaves them', () => {
  scenario = createScenario();
  const { id, host, port, hostPort } = FORWARD;
  scenario.register(FOLDER, { forwards: [{ id, host, port, hostPort }] });
  scenario.register(FOLDER, { origin: 'manifest' });
  expect(scenario.view().forwards).toMatchObject([{ id, hostPort, status: 'failed' }]);
});

test('a port of the host is found with whoever has it', () => {
  add();
  expect(forwardOfHostPort(scenario.state, 3001)).toMatchObject({ entry: { id: FOLDER }, forward: FORWARD });
  expect(forwardOfHostPort(scenario.state, 3000)).toBeUndefined();
});
