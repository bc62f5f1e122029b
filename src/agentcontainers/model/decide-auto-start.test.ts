import { fc, test as propertyTest } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { keyOf, T0 } from '../../../test/property/support/model-scenario.ts';
import { decideAutoStart } from './decide-auto-start.ts';
import { newEntry } from './new-entry.ts';
import { initialState, type Entry, type Settings, type State } from './state.ts';

const VERDICT = { findings: [{ kind: 'initialize-command', detail: 'x', source: 'y' }], hash: 'now' } as const;
const HARMLESS = { findings: [], hash: 'none' } as const;
const ACCEPTED = { hash: 'none', findings: [], at: T0 } as const;

/** An entry that is to be started by itself. */
function entryWith(over: Partial<Entry> = {}): Entry {
  const fields = { id: 'a', key: keyOf('/w/a'), origin: 'discovered', level: 'adopted', name: 'a' } as const;
  return newEntry({ ...fields, nameSource: 'folder', autoStart: true, verdict: HARMLESS, trust: ACCEPTED, ...over });
}

function stateWith(over: Partial<State> = {}, settings: Partial<Settings> = {}): State {
  const all: Settings = { adopt: 'roots', injectSubAgents: true, trust: 'ask', autoStart: true, ...settings };
  return { ...initialState(all), observation: { status: 'ok', at: T0 }, ...over };
}

const starts = (state: State, entry: Entry): boolean =>
  decideAutoStart(state, entry)[1].some(({ type }) => type === 'autoStart');

describe('an entry is started by itself', () => {
  it('when everything asks for it, and only once', () => {
    const [entry, effects] = decideAutoStart(stateWith(), entryWith());
    expect(effects).toEqual([{ type: 'autoStart', id: 'a' }]);
    expect(decideAutoStart(stateWith(), entry)).toEqual([entry, []]);
  });

  it.each<[string, Partial<Entry>]>([
    ['that was trusted', { verdict: VERDICT, trust: { hash: 'now', findings: [], at: T0 } }],
    ['that is managed', { level: 'managed' }],
    ['that a person asked for once', { origin: 'created' }],
    ['of the manifest', { origin: 'manifest' }],
  ])('%s', (_what, over) => {
    expect(starts(stateWith(), entryWith(over))).toBe(true);
  });

  it('that nobody trusts, where everything is trusted', () => {
    expect(starts(stateWith({}, { trust: 'all' }), entryWith({ verdict: VERDICT, trust: undefined }))).toBe(true);
  });
});

describe('an entry is not started by itself', () => {
  it.each<[string, Partial<Entry>]>([
    ['when its configuration does not ask for it', { autoStart: false }],
    ['when a person stopped it', { stoppedByPerson: true }],
    ['when it is only seen', { level: 'seen' }],
    ['when its configuration was not read', { verdict: undefined }],
    ['when its configuration is broken', { configError: { message: 'x', line: 1, column: 1 } }],
    [
      'while what a killed daemon left is to be ended',
      { intent: { kind: 'delete', operationId: 'o', since: T0, volumes: 'none' } },
    ],
  ])('%s', (_what, over) => {
    const entry = entryWith(over);
    expect(decideAutoStart(stateWith(), entry)).toEqual([entry, []]);
  });

  it.each<[string, Partial<Entry>]>([
    ['when nobody has accepted what it can do to the host', { verdict: VERDICT, trust: undefined }],
    ['when another verdict was accepted', { verdict: VERDICT, trust: { hash: 'before', findings: [], at: T0 } }],
    ['when it can do nothing to the host, and nobody has accepted that either', { trust: undefined }],
  ])('%s, which is said once', (_what, over) => {
    const [entry, effects] = decideAutoStart(stateWith(), entryWith(over));
    expect(effects).toMatchObject([
      { type: 'warn', message: expect.stringMatching(/agentcontainers trust (?:--yes )?a$/) },
    ]);
    expect(decideAutoStart(stateWith(), entry)).toEqual([entry, []]);
    const other = { ...entry, verdict: { ...VERDICT, hash: 'other' } };
    expect(decideAutoStart(stateWith(), other)[1]).toMatchObject([{ type: 'warn' }]);
  });

  it.each<[string, Partial<State>, Partial<Settings>]>([
    ['when that is switched off', {}, { autoStart: false }],
    ['before the first listing', { observation: { status: 'none' } }, {}],
    ['while listing fails', { observation: { status: 'failed', message: 'away', at: T0 } }, {}],
    ['when the library closes', { lifecycle: 'closing' }, {}],
  ])('%s', (_what, over, settings) => {
    const entry = entryWith();
    expect(decideAutoStart(stateWith(over, settings), entry)).toEqual([entry, []]);
  });

  it.each<Entry['phase']>([
    { status: 'running' },
    { status: 'starting', jobId: 'j', cause: 'create' },
    { status: 'stopping', jobId: 'j' },
    { status: 'error', failedAt: T0 },
  ])('when it was $status before it stopped', (phase) => {
    const [entry, effects] = decideAutoStart(stateWith(), entryWith({ phase, autoStart: false }));
    expect(effects).toEqual([]);
    expect(starts(stateWith(), { ...entry, phase: { status: 'stopped' }, autoStart: true })).toBe(false);
  });
});

propertyTest.prop([
  fc.array(
    fc.record({
      status: fc.constantFrom('stopped' as const, 'running' as const),
      autoStart: fc.boolean(),
      stoppedByPerson: fc.boolean(),
      isTrusted: fc.boolean(),
    }),
    { maxLength: 12 },
  ),
])('never twice, and never after it ran', (moments) => {
  let entry = entryWith();
  let ran = false;
  let started = 0;
  for (const { status, autoStart, stoppedByPerson, isTrusted } of moments) {
    const trust = isTrusted ? { hash: 'now', findings: [], at: T0 } : undefined;
    entry = { ...entry, phase: { status }, autoStart, stoppedByPerson, verdict: VERDICT, trust };
    const [next, effects] = decideAutoStart(stateWith(), entry);
    entry = next;
    const isStart = effects.some(({ type }) => type === 'autoStart');
    started += Number(isStart);
    if (isStart)
      expect({ ran, autoStart, stoppedByPerson, isTrusted }).toEqual({
        ran: false,
        autoStart: true,
        stoppedByPerson: false,
        isTrusted: true,
      });
    ran ||= status === 'running';
  }
  expect(started).toBeLessThanOrEqual(1);
});
