import { describe, expect, it } from 'vitest';
import { claimOf, containerOf, FOLDER, keyOf } from '../../../test/property/support/model-scenario.ts';
import { createRecordingLogger } from '../../testing/recording-logger.ts';
import type { Effect } from '../model/effects.ts';
import type { Event } from '../model/events.ts';
import { initialState } from '../model/state.ts';
import type { ListResult } from '../model/view.ts';
import { createStore } from './store.ts';

const REGISTERED: Event = {
  type: 'registered',
  id: FOLDER,
  key: keyOf(FOLDER),
  origin: 'created',
  adopted: true,
  made: [],
};

function createWorld(execute: (effect: Effect) => void = () => {}) {
  const logger = createRecordingLogger();
  const store = createStore(
    initialState({ adopt: 'all', injectSubAgents: true, trust: 'ask', autoStart: false }),
    execute,
    logger,
  );
  return { logger, store };
}

describe('the store', () => {
  it('takes an event, tells of the commit, then of what is seen, then hands on the effects', () => {
    const order: string[] = [];
    const { store } = createWorld((effect) => order.push(effect.type));
    store.onCommit(() => order.push('commit'));
    store.onChange(() => order.push('change'));
    store.dispatch(REGISTERED);
    expect(order).toEqual(['commit', 'change', 'watchConfig']);
  });

  it('lets events that effects dispatch wait until the one at hand is done', () => {
    const seen: string[] = [];
    const { store } = createWorld((effect) => {
      if (effect.type === 'watchConfig') store.dispatch({ type: 'closing' });
      seen.push(`${effect.type} while ${store.state.lifecycle}`);
    });
    store.dispatch(REGISTERED);
    expect(seen).toEqual(['watchConfig while open']);
    expect(store.state.lifecycle).toBe('closing');
  });

  it('tells of a change only when something visible changed', () => {
    const { store } = createWorld();
    const lists: ListResult[] = [];
    let commits = 0;
    store.onChange((list) => lists.push(list));
    store.onCommit(() => commits++);
    store.dispatch(REGISTERED);
    store.dispatch({ type: 'observeFailed', message: 'no', at: 1 });
    store.dispatch({ type: 'operationProgressed', jobId: 'x', phase: 'y', at: 0 });
    expect([commits, lists.length]).toEqual([2, 1]);
    expect(store.list).toBe(lists[0]);
  });

  it('leaves the state as it was when taking an event throws, says so with the event, and goes on', () => {
    const { store, logger } = createWorld();
    store.dispatch(REGISTERED);
    const before = store.state;
    const broken = { type: 'observed', containers: undefined } as unknown as Event;
    store.dispatch(broken);
    expect(store.state).toBe(before);
    expect(logger.messages('error')).toEqual(['Taking the event observed failed; state is unchanged.']);
    expect(logger.entries[0]?.fields['event']).toBe(broken);
    store.dispatch({ type: 'closing' });
    expect(store.state.lifecycle).toBe('closing');
  });

  it('goes on with the other listeners when one throws, and forgets those that leave', () => {
    const { store, logger } = createWorld();
    let told = 0;
    store.onChange(() => {
      throw new Error('listener broke');
    });
    const off = store.onChange(() => told++);
    store.dispatch(REGISTERED);
    expect([told, logger.messages('error')]).toEqual([1, ['A listener threw; the others go on.']]);
    off();
    const container = containerOf('c1');
    const observed = { startRevision: 0, at: 1, passId: 'p', containers: [container], claims: [claimOf(container)] };
    store.dispatch({ type: 'observed', ...observed, readings: new Map() });
    expect(told).toBe(1);
  });

  it('goes on with the other effects when one cannot be started, and says which', () => {
    const begun: string[] = [];
    const { store, logger } = createWorld((effect) => {
      if (effect.type === 'watchConfig') throw new Error('no more watches');
      begun.push(effect.type);
    });
    store.dispatch(REGISTERED);
    const container = containerOf('c1');
    const other = containerOf('c2', { workspaceFolder: '/w/other' });
    store.dispatch({
      type: 'observed',
      startRevision: 0,
      at: 1,
      passId: 'p',
      containers: [other, container],
      claims: [claimOf(other), claimOf(container)],
      readings: new Map(),
    });
    expect(begun.filter((type) => type === 'inject')).toHaveLength(2);
    expect(logger.messages('error')).toEqual([
      'Starting the effect watchConfig failed; the others go on.',
      'Starting the effect watchConfig failed; the others go on.',
    ]);
    expect(logger.entries[0]?.fields['effect']).toMatchObject({ type: 'watchConfig', id: FOLDER });
  });
});
