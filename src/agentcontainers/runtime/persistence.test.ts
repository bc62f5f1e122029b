import { describe, expect, it } from 'vitest';
import { containerOf, createScenario, FOLDER, keyOf } from '../../../test/property/support/model-scenario.ts';
import { createGate } from '../../testing/gate.ts';
import { createRecordingLogger } from '../../testing/recording-logger.ts';
import type { PersistedState } from '../ports.ts';
import { createMemoryStorage } from './memory-storage.ts';
import { createPersistence, restoreOperation } from './persistence.ts';

function createWorld(save: (state: PersistedState, count: number) => Promise<void> = async () => {}) {
  const scenario = createScenario();
  const logger = createRecordingLogger();
  const saved: PersistedState[] = [];
  const storage = {
    ...createMemoryStorage(),
    load: async () => undefined,
    save(state: PersistedState): Promise<void> {
      saved.push(state);
      return save(state, saved.length);
    },
  };
  const persistence = createPersistence(storage, () => scenario.state, logger);
  persistence.begin();
  return { scenario, logger, saved, storage, persistence };
}

describe('persistence', () => {
  it('writes nothing before what was written earlier is known', async () => {
    const { scenario, logger, saved, storage } = createWorld();
    const persistence = createPersistence(storage, () => scenario.state, logger);
    await persistence.flush();
    expect(saved).toEqual([]);
    persistence.begin();
    await persistence.flush();
    expect(saved).toHaveLength(1);
  });

  it('writes what people have said of entries that are not listed any more, and not what counts for this life only', async () => {
    const { scenario, saved, persistence } = createWorld();
    const trust = { hash: 'h', findings: [], at: 1 };
    const none = { autoStarted: false, imageFindings: [] };
    scenario.dispatch({
      type: 'remembered',
      entries: [
        { ...none, id: 'a', stoppedByPerson: true },
        { ...none, id: 'b', stoppedByPerson: false, autoStarted: true },
        { ...none, id: 'c', stoppedByPerson: false, trust },
      ],
    });
    await persistence.flush();
    expect(saved).toEqual([
      {
        version: 1,
        entries: [],
        operations: [],
        remembered: [
          { id: 'a', stopped: true },
          { id: 'c', trust },
        ],
      },
    ]);
  });

  it('writes what a forward leads to, and not whether it listens just now', async () => {
    const { scenario, saved, persistence } = createWorld();
    scenario.register();
    const known = { id: 'f', host: 'db', port: 5432, hostPort: 15_432 };
    scenario.dispatch({ type: 'forwardAdded', id: FOLDER, forward: { ...known, status: 'failed', error: 'No.' } });
    await persistence.flush();
    expect(saved[0]?.entries).toEqual([expect.objectContaining({ id: FOLDER, forwards: [known] })]);
    scenario.dispatch({ type: 'forwardEnded', id: FOLDER, forwardId: 'f' });
    await persistence.flush();
    expect(saved[1]?.entries[0]).not.toHaveProperty('forwards');
  });

  it('writes entries that are more than seen, and operations', async () => {
    const { scenario, saved, persistence } = createWorld();
    const made = [{ containerId: 'c1', fingerprint: 'one', inputs: { image: 'x' }, ours: true }];
    scenario.register(FOLDER, { made });
    const claim = {
      containerId: 'c2',
      entryId: '/w/b',
      key: keyOf('/w/b'),
      proven: false,
      underRoot: false,
      namesConfig: true,
    };
    scenario.observe([containerOf('c1'), containerOf('c2', { workspaceFolder: '/w/b' })], {
      claims: [{ ...claim, containerId: 'c1', entryId: FOLDER, key: keyOf(FOLDER), proven: true }, claim],
    });
    scenario.stop('job');
    await persistence.flush();
    expect(saved).toEqual([
      {
        version: 1,
        entries: [
          {
            id: FOLDER,
            workspaceFolder: FOLDER,
            configPath: keyOf(FOLDER).configPath,
            name: 'a',
            adopted: true,
            made,
            stopped: true,
          },
        ],
        operations: [scenario.state.operations.get('job')],
      },
    ]);
  });

  it('writes what an up sets out from, and the wish of a person but not that of the policy', async () => {
    const { scenario, saved, persistence } = createWorld();
    scenario.observe([containerOf('c1')]);
    scenario.up('job', 'recreate');
    scenario.upBegan('job', 'two', ['c1']);
    await persistence.flush();
    expect(saved[0]?.entries[0]).toMatchObject({ adopted: false, intent: scenario.entry().intent });
  });

  it('has written the state of the call, or a later one, when a flush resolves', async () => {
    const gate = createGate();
    const { scenario, saved, persistence } = createWorld((_state, count) =>
      count === 1 ? gate.wait() : Promise.resolve(),
    );
    const first = persistence.flush();
    await gate.reached();
    scenario.register();
    const later = [persistence.flush(), persistence.flush()];
    expect(saved.map(({ entries }) => entries.length)).toEqual([0]);
    gate.open();
    await Promise.all([first, ...later]);
    expect(saved.map(({ entries }) => entries.length)).toEqual([0, 1]);
  });

  it('logs a failure once and the recovery once, and never throws', async () => {
    const { logger, persistence } = createWorld((_state, count) =>
      count === 2 || count === 3 ? Promise.reject(new Error('no space left on device')) : Promise.resolve(),
    );
    for (let round = 0; round < 6; round++) await persistence.flush();
    expect(logger.messages('error')).toEqual([
      'Writing the state failed: no space left on device. A restart would not know of recent changes.',
    ]);
    expect(logger.messages('info')).toEqual(['Writing the state works again.']);
  });
});

describe('restoreOperation', () => {
  const operation = {
    id: 'job',
    devcontainerId: FOLDER,
    kind: 'stop',
    phase: 'stop',
    startedAt: 1,
    logOffset: 0,
    steps: [],
  };

  it('says of an operation that ran that it was interrupted', () => {
    expect(restoreOperation({ ...operation, status: 'running' }, 9)).toEqual({
      ...operation,
      status: 'interrupted',
      endedAt: 9,
      error: 'The daemon ended while this was under way.',
    });
  });

  it.each(['succeeded', 'failed', 'cancelled', 'interrupted'])('leaves one that is %s as it is', (status) => {
    const ended = { ...operation, status, endedAt: 3 };
    expect(restoreOperation(ended, 9)).toEqual(ended);
  });
});
