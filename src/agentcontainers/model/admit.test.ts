import { describe, expect, it } from 'vitest';
import {
  containerOf,
  createScenario,
  DEGRADED,
  FOLDER,
  readingOf,
} from '../../../test/property/support/model-scenario.ts';
import { admit, type Command } from './admit.ts';
import type { Verdict } from './verdict.ts';

const COMMANDS = ['create', 'recreate', 'recreate-container', 'start', 'stop', 'restart', 'remove'] as const;
type Scenario = ReturnType<typeof createScenario>;

// How an entry comes to be where it is.
const PLACES: Readonly<Record<string, (scenario: Scenario) => void>> = {
  stopped(scenario) {
    scenario.register();
    scenario.observe([]);
  },
  running: (scenario) => void scenario.observe([containerOf('c1')]),
  error(scenario) {
    scenario.register();
    scenario.up('job');
    scenario.dispatch({ type: 'upFailed', id: FOLDER, jobId: 'job', message: 'no', degraded: DEGRADED, at: 0 });
    scenario.observe([]);
  },
  'starting by create'(scenario) {
    scenario.register();
    scenario.up('job', 'create');
  },
  'starting by start'(scenario) {
    scenario.register();
    scenario.up('job', 'start');
  },
  'starting by recreate'(scenario) {
    scenario.register();
    scenario.up('job', 'recreate');
  },
  'stopping by stop'(scenario) {
    scenario.register();
    scenario.stop('job');
  },
  'stopping by restart'(scenario) {
    scenario.register();
    scenario.restart('job');
  },
  'starting by restart'(scenario) {
    scenario.register();
    scenario.restart('job');
    scenario.dispatch({ type: 'restartStopped', id: FOLDER, jobId: 'job' });
  },
  'stopping by delete'(scenario) {
    scenario.register();
    scenario.remove('job');
  },
  'deleting by delete'(scenario) {
    scenario.register();
    scenario.remove('job');
    scenario.deleteStopped('job');
  },
};

// A row a place, a column a command: + accepted, = joined, 0 nothing to do, t transitioning, r recreation in progress.
const TABLE: Readonly<Record<keyof typeof PLACES, string>> = {
  //                       create recreate recreate-container start stop restart remove
  stopped: /*            */ '+ + + + 0 + +',
  running: /*            */ '0 + + 0 + + +',
  error: /*              */ '+ + + + + + +',
  'starting by create': /**/ '= t r = t t t',
  'starting by start': /* */ '= t r = t t t',
  'starting by recreate': /**/ 't t r t t t t',
  'stopping by stop': /*  */ 't t r t = t t',
  'stopping by restart': /**/ 't t r t t = t',
  'starting by restart': /**/ 't t r t t = t',
  'stopping by delete': /**/ 't t r t t t t',
  'deleting by delete': /**/ 't t r t t t t',
};

const CELLS = Object.entries(TABLE).flatMap(([place, row]) =>
  row.split(' ').map((mark, column) => [COMMANDS[column]!, place, mark] as const),
);

function reached(place: string): Scenario {
  const scenario = createScenario();
  PLACES[place]?.(scenario);
  expect(scenario.status()).toBe(place.split(' ')[0]);
  return scenario;
}

describe('admit', () => {
  it('has a cell for every command in every place', () => {
    expect(Object.keys(TABLE)).toEqual(Object.keys(PLACES));
    expect(CELLS).toHaveLength(COMMANDS.length * Object.keys(PLACES).length);
  });

  it.each(CELLS)('answers %s of one that is %s with %s', (type, place, mark) => {
    const scenario = reached(place);
    const entry = scenario.entry();
    const expected = {
      '+': { kind: 'accepted', entry },
      '=': { kind: 'joined', jobId: 'job' },
      '0': { kind: 'nothing-to-do', entry },
      t: { kind: 'rejected', code: 'devcontainer-transitioning', entry },
      r: { kind: 'rejected', code: 'recreation-in-progress', entry },
    }[mark];
    expect(admit(scenario.state, { type, id: FOLDER })).toEqual(expected);
  });

  it.each(['stop', 'restart', 'remove'] as const)('refuses %s while no listing has told what there is', (type) => {
    const scenario = createScenario();
    scenario.register();
    expect(admit(scenario.state, { type, id: FOLDER })).toMatchObject({ kind: 'rejected', code: 'list-failed' });
  });

  it.each(CELLS.filter(([, , mark]) => mark === '+'))('accepts %s of one that is %s no second time', (type, place) => {
    const scenario = reached(place);
    const begin: Readonly<Record<Command['type'], () => unknown>> = {
      create: () => scenario.up('next', 'create'),
      start: () => scenario.up('next', 'start'),
      recreate: () => scenario.up('next', 'recreate'),
      'recreate-container': () => scenario.up('next', 'recreate'),
      stop: () => scenario.stop('next'),
      restart: () => scenario.restart('next'),
      remove: () => scenario.remove('next'),
      'rerun-hook': () =>
        scenario.dispatch({
          type: 'hookRequested',
          id: FOLDER,
          jobId: 'next',
          hook: 'postCreateCommand',
          at: 0,
          logOffset: 0,
        }),
    };
    begin[type]();
    for (const again of COMMANDS) {
      const { kind } = admit(scenario.state, { type: again, id: FOLDER });
      expect(['joined', 'rejected']).toContain(kind);
    }
  });

  it.each(COMMANDS)('refuses %s of what it does not know', (type) => {
    expect(admit(createScenario().state, { type, id: 'nobody' })).toEqual({
      kind: 'rejected',
      code: 'devcontainer-not-found',
    });
  });

  it.each(COMMANDS)('refuses %s of what is only seen', (type) => {
    const scenario = createScenario({ adopt: 'none' });
    scenario.observe([containerOf('c1')]);
    expect(admit(scenario.state, { type, id: FOLDER })).toMatchObject({
      kind: 'rejected',
      code: 'devcontainer-not-adopted',
    });
  });

  it.each(COMMANDS.flatMap((type) => (['closing', 'closed'] as const).map((lifecycle) => [type, lifecycle] as const)))(
    'refuses %s when the library is %s',
    (type, lifecycle) => {
      const scenario = reached('stopped');
      scenario.dispatch({ type: 'closing' });
      if (lifecycle === 'closed') scenario.dispatch({ type: 'closed' });
      expect(admit(scenario.state, { type, id: FOLDER })).toEqual({ kind: 'rejected', code: 'api-closed' });
    },
  );

  it.each(COMMANDS)('lets a broken configuration hold up %s only if it reads one', (type) => {
    const scenario = reached('error');
    const error = { message: 'CloseBraceExpected', line: 3, column: 1 };
    scenario.dispatch({ type: 'configRead', id: FOLDER, reading: { kind: 'invalid', error } });
    const expected = type === 'stop' || type === 'remove' ? { kind: 'accepted' } : { code: 'config-invalid' };
    expect(admit(scenario.state, { type, id: FOLDER })).toMatchObject(expected);
    scenario.dispatch({ type: 'configRead', id: FOLDER, reading: readingOf('mended') });
    expect(admit(scenario.state, { type, id: FOLDER })).toMatchObject({ kind: 'accepted' });
  });

  describe('a recreate', () => {
    const holder = { id: 'h', kind: 'exec', description: 'sh', since: 0 } as const;

    it.each(['recreate', 'recreate-container'] as const)(
      'asked for by %s is refused while somebody uses it, unless forced',
      (type) => {
        const scenario = reached('running');
        scenario.dispatch({ type: 'holderCame', id: FOLDER, holder });
        expect(admit(scenario.state, { type, id: FOLDER })).toMatchObject({ code: 'devcontainer-busy' });
        expect(admit(scenario.state, { type, id: FOLDER, force: true })).toMatchObject({ kind: 'accepted' });
        expect(admit(scenario.state, { type: 'restart', id: FOLDER })).toMatchObject({ kind: 'accepted' });
        scenario.dispatch({ type: 'holderLeft', id: FOLDER, holderId: 'h' });
        expect(admit(scenario.state, { type, id: FOLDER })).toMatchObject({ kind: 'accepted' });
      },
    );
  });

  describe('what its configuration can do to the host', () => {
    const mount = { kind: 'mount', detail: '/ on /host', source: './x' } as const;
    const command = { kind: 'initialize-command', detail: 'curl', source: './x' } as const;
    const judged = (place: string, findings: Verdict['findings'], isCompose = false): Scenario => {
      const scenario = reached(place);
      const config = { fingerprint: 'one', inputs: {}, modifiedAt: 0, isCompose };
      const reading = readingOf('one', { config, verdict: { findings, hash: 'h1' } });
      scenario.dispatch({ type: 'configRead', id: FOLDER, reading });
      return scenario;
    };
    const trusted = (scenario: Scenario, hash: string): void =>
      void scenario.dispatch({ type: 'trusted', id: FOLDER, trust: { hash, findings: [mount], at: 0 } });

    it.each([
      ['create', 'stopped', '-'],
      ['start', 'stopped', '-'],
      ['recreate', 'running', '-'],
      ['recreate-container', 'running', '-'],
      // A container that is there is started and stopped as it was made.
      ['restart', 'running', '+'],
      ['stop', 'running', '+'],
      ['remove', 'running', '+'],
    ] as const)('lets %s of one that is %s through without trust: %s', (type, place, mark) => {
      const expected = mark === '+' ? { kind: 'accepted' } : { code: 'devcontainer-not-trusted' };
      expect(admit(judged(place, [mount]).state, { type, id: FOLDER })).toMatchObject(expected);
    });

    it('counts for a restart of a compose project, which is brought up whole', () => {
      const { state } = judged('running', [mount], true);
      expect(admit(state, { type: 'restart', id: FOLDER })).toMatchObject({ code: 'devcontainer-not-trusted' });
    });

    it('is accepted with the hash that was trusted, and with no other', () => {
      const scenario = judged('running', [mount]);
      trusted(scenario, 'h0');
      expect(admit(scenario.state, { type: 'recreate', id: FOLDER })).toMatchObject({
        code: 'devcontainer-not-trusted',
      });
      trusted(scenario, 'h1');
      expect(admit(scenario.state, { type: 'recreate', id: FOLDER })).toMatchObject({ kind: 'accepted' });
      scenario.dispatch({ type: 'trustRevoked', id: FOLDER });
      expect(admit(scenario.state, { type: 'recreate', id: FOLDER })).toMatchObject({
        code: 'devcontainer-not-trusted',
      });
    });

    it('is no reason to refuse when it is the initializeCommand alone, which is left out', () => {
      expect(admit(judged('running', [command]).state, { type: 'recreate', id: FOLDER })).toMatchObject({
        kind: 'accepted',
      });
      expect(admit(judged('running', [command, mount]).state, { type: 'recreate', id: FOLDER })).toMatchObject({
        code: 'devcontainer-not-trusted',
      });
    });
  });
});
