import type {
  AgentContainers,
  Devcontainer,
  ListResult,
  Operation,
  OperationReceipt,
  Verdict,
} from '../agentcontainers/api.ts';
import { createDeferred } from '../async/deferred.ts';

// Support of the tests in this folder; not published.

/** An `AgentContainers` that does what the script says; any other call throws its name. */
export function scriptedApi(script: Partial<AgentContainers> = {}): AgentContainers {
  const unscripted = (name: string) => (): never => {
    throw new Error(`unscripted call: ${name}`);
  };
  return {
    start: unscripted('start'),
    close: unscripted('close'),
    [Symbol.asyncDispose]: unscripted('asyncDispose'),
    list: unscripted('list'),
    get: unscripted('get'),
    refresh: unscripted('refresh'),
    subscribe: unscripted('subscribe'),
    create: unscripted('create'),
    recreate: unscripted('recreate'),
    recreateByContainer: unscripted('recreateByContainer'),
    startDevcontainer: unscripted('startDevcontainer'),
    stopDevcontainer: unscripted('stopDevcontainer'),
    restartDevcontainer: unscripted('restartDevcontainer'),
    remove: unscripted('remove'),
    planRemoval: unscripted('planRemoval'),
    rerunHook: unscripted('rerunHook'),
    trust: unscripted('trust'),
    revokeTrust: unscripted('revokeTrust'),
    diff: unscripted('diff'),
    operation: unscripted('operation'),
    logs: unscripted('logs'),
    devcontainer: unscripted('devcontainer'),
    exec: unscripted('exec'),
    ...script,
  };
}

/** A list that the test changes. */
export interface ListSource {
  readonly list: AgentContainers['list'];
  readonly subscribe: AgentContainers['subscribe'];
  readonly subscribers: number;
  readonly calls: number;
  change(list: ListResult): void;
}

export function listSource(initial: ListResult): ListSource {
  let present = initial;
  let calls = 0;
  const listeners = new Set<(list: ListResult) => void>();
  return {
    list: () => {
      calls++;
      return Promise.resolve(present);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get subscribers() {
      return listeners.size;
    },
    get calls() {
      return calls;
    },
    change(list) {
      present = list;
      for (const listener of listeners) listener(list);
    },
  };
}

export const T0 = Date.UTC(2025, 0, 31, 12);

export function devcontainer(part: Partial<Devcontainer> = {}): Devcontainer {
  return {
    id: '5d1f7c0e-0000-5000-8000-000000000001',
    name: 'web',
    workspaceFolder: '/src/web',
    configPath: '/src/web/.devcontainer/devcontainer.json',
    status: 'running',
    dirty: false,
    level: 'adopted',
    subAgentId: null,
    trusted: true,
    ...part,
  };
}

/** Two findings, and their hash. */
export const VERDICT: Verdict = {
  hash: 'a1'.repeat(32),
  findings: [
    { kind: 'initialize-command', detail: 'make deps', source: '.devcontainer/devcontainer.json' },
    { kind: 'mount', detail: '/var/run/docker.sock', source: '.devcontainer/devcontainer.json' },
  ],
};

/** A list with one devcontainer of this name; `filler` makes it as large as wanted. */
export function listOf(name: string, filler = 0): ListResult {
  return { devcontainers: [devcontainer({ name, error: 'x'.repeat(filler) })], containers: [], warnings: [] };
}

export function operation(part: Partial<Operation> = {}): Operation {
  return {
    id: 'op-1',
    devcontainerId: 'dc-1',
    kind: 'recreate',
    status: 'running',
    phase: 'build',
    startedAt: T0,
    logOffset: 7,
    steps: [],
    ...part,
  };
}

export function receipt(started = true, part: Partial<Operation> = {}): OperationReceipt {
  return { operation: operation(part), started, done: createDeferred<Operation>().promise };
}
