import type { Container } from '../../../src/agentcontainers/model/container.ts';
import type { Degraded, EntryKey, StartCause } from '../../../src/agentcontainers/model/devcontainer.ts';
import type { Effect, EffectType } from '../../../src/agentcontainers/model/effects.ts';
import type { Claim, ConfigReading, Event } from '../../../src/agentcontainers/model/events.ts';
import { reduce } from '../../../src/agentcontainers/model/reduce.ts';
import { initialState, type Entry, type Settings, type State } from '../../../src/agentcontainers/model/state.ts';
import { projectEntry, type Devcontainer } from '../../../src/agentcontainers/model/view.ts';
import { buildContainer, type ContainerSeed } from '../../../src/testing/build-container.ts';

/** First instant of every scenario. */
export const T0 = 1_700_000_000_000;
export const FOLDER = '/w/a';
export const DEGRADED: Degraded = { phase: 'postCreateCommand', command: 'false', exitCode: 1, outputTail: 'no' };

export function keyOf(folder: string): EntryKey {
  return { workspaceFolder: folder, configPath: `${folder}/.devcontainer/devcontainer.json` };
}

/** A running dev container of a folder; of `/w/a` unless told otherwise. */
export function containerOf(id: string, seed: ContainerSeed = {}): Container {
  return buildContainer({ id, name: `name-${id}`, workspaceFolder: FOLDER, createdAt: T0, ...seed });
}

/** What its labels claim. The id of an entry is its folder here, so that tests can be read. */
export function claimOf(container: Container, over: Partial<Claim> = {}): Claim {
  const folder = container.labels['devcontainer.local_folder'] ?? '';
  return {
    containerId: container.id,
    entryId: folder,
    key: keyOf(folder),
    proven: true,
    underRoot: false,
    namesConfig: true,
    ...over,
  };
}

export function readingOf(fingerprint: string, over: Partial<Extract<ConfigReading, { kind: 'valid' }>> = {}) {
  const config = { fingerprint, inputs: { image: fingerprint }, modifiedAt: T0 - 10_000 };
  const verdict = { findings: [], hash: 'harmless' };
  return { kind: 'valid', config, ignored: false, autoStart: false, verdict, ...over } as const;
}

export interface Looking {
  readonly claims?: readonly Claim[];
  /** Default: now, so that nothing is stale. */
  readonly startRevision?: number;
  readonly readings?: Readonly<Record<string, ConfigReading>>;
}

/** Throws when anything inside is changed later; maps and sets too. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  if (value instanceof Map) {
    for (const [key, one] of value) {
      deepFreeze(key);
      deepFreeze(one);
    }
    const refuse = (): never => {
      throw new TypeError('A map of the state was changed in place.');
    };
    Object.assign(value, { set: refuse, delete: refuse, clear: refuse });
  }
  Object.freeze(value);
  for (const one of Object.values(value)) deepFreeze(one);
  return value;
}

/** The model, driven by events. Time passes only by `wait`; every state is frozen as soon as it is made. */
export function createScenario(settings: Partial<Settings> = {}) {
  let state: State = deepFreeze(
    initialState({ adopt: 'all', injectSubAgents: true, trust: 'ask', autoStart: false, ...settings }),
  );
  let now = T0 + 100_000;
  let passes = 0;

  const scenario = {
    get state() {
      return state;
    },
    get now() {
      return now;
    },
    wait(ms: number): void {
      now += ms;
    },
    dispatch(event: Event): readonly Effect[] {
      const [next, effects] = reduce(state, deepFreeze(event));
      state = deepFreeze(next);
      return effects;
    },
    entry(id = FOLDER): Entry {
      const entry = state.entries.get(id);
      if (!entry) throw new Error(`There is no entry ${id}.`);
      return entry;
    },
    entryOf: (id: string): Entry | undefined => state.entries.get(id),
    view(id = FOLDER): Devcontainer {
      return projectEntry(state, scenario.entry(id));
    },
    status: (id = FOLDER) => scenario.entry(id).phase.status,

    register(id = FOLDER, over: Partial<Extract<Event, { type: 'registered' }>> = {}): readonly Effect[] {
      const event = { type: 'registered', id, key: keyOf(id), origin: 'created', adopted: true, made: [] } as const;
      return scenario.dispatch({ ...event, ...over });
    },
    /** A pass that sees these containers and nothing else. */
    observe(containers: readonly Container[], looking: Looking = {}): readonly Effect[] {
      const { claims = containers.map((one) => claimOf(one)), startRevision = state.revision, readings = {} } = looking;
      return scenario.dispatch({
        type: 'observed',
        startRevision,
        at: now,
        passId: `pass-${++passes}`,
        containers,
        claims,
        readings: new Map(Object.entries(readings)),
      });
    },
    /** The entry of `/w/a`, running in the container `c1`, its sub-agent injected by the job that is returned. */
    running(): string {
      scenario.observe([containerOf('c1')], { readings: { [FOLDER]: readingOf('one') } });
      const { agent } = scenario.entry();
      if (agent.kind !== 'injecting') throw new Error(`The sub-agent is ${agent.kind}, not injecting.`);
      scenario.dispatch({ type: 'injected', id: FOLDER, jobId: agent.jobId, version: '1.2.3', at: now });
      return agent.jobId;
    },
    up(jobId: string, cause: StartCause = 'start', id = FOLDER): readonly Effect[] {
      return scenario.dispatch({ type: 'upRequested', id, jobId, cause, at: now, logOffset: 0 });
    },
    upBegan(jobId: string, fingerprint: string, knownContainers: readonly string[] = [], id = FOLDER) {
      const intent = {
        kind: 'up' as const,
        operationId: jobId,
        fingerprint,
        inputs: { image: fingerprint },
        since: now,
        knownContainers,
      };
      return scenario.dispatch({ type: 'upBegan', id, intent });
    },
    upReady: (jobId: string, id = FOLDER) => scenario.dispatch({ type: 'upReady', id, jobId }),
    upSucceeded: (jobId: string, containerId: string, id = FOLDER) =>
      scenario.dispatch({ type: 'upSucceeded', id, jobId, containerId, at: now }),
    upFailed: (jobId: string, containerId?: string, id = FOLDER) =>
      scenario.dispatch({
        type: 'upFailed',
        id,
        jobId,
        containerId,
        message: 'up broke',
        degraded: DEGRADED,
        at: now,
      }),
    stop: (jobId: string, id = FOLDER) =>
      scenario.dispatch({ type: 'stopRequested', id, jobId, at: now, logOffset: 0 }),
    stopEnded: (jobId: string, error?: string, id = FOLDER) =>
      scenario.dispatch({ type: 'stopEnded', id, jobId, error, at: now }),
    restart: (jobId: string, id = FOLDER) =>
      scenario.dispatch({ type: 'restartRequested', id, jobId, at: now, logOffset: 0 }),
    remove: (jobId: string, id = FOLDER) =>
      scenario.dispatch({ type: 'deleteRequested', id, jobId, volumes: 'none', at: now, logOffset: 0 }),
    deleteStopped: (jobId: string, id = FOLDER) => scenario.dispatch({ type: 'deleteStopped', id, jobId }),
    deleteEnded: (jobId: string, error?: string, id = FOLDER) =>
      scenario.dispatch({ type: 'deleteEnded', id, jobId, error, at: now }),
  };
  return scenario;
}

export const typesOf = (effects: readonly Effect[]): EffectType[] => effects.map(({ type }) => type);

/** The only effect of this type; throws when there is none or are several. */
export function effectOf<T extends EffectType>(effects: readonly Effect[], type: T): Extract<Effect, { type: T }> {
  const found = effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type);
  if (found.length !== 1) throw new Error(`${found.length} effects ${type} in: ${typesOf(effects).join(', ')}`);
  return found[0] as Extract<Effect, { type: T }>;
}
