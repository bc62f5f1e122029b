import { setMaxListeners } from 'node:events';
import { linkedScope } from '../async/abort.ts';
import { createLanes } from '../async/lanes.ts';
import { createLimiter } from '../async/limiter.ts';
import { createTaskGroup } from '../async/task-group.ts';
import { AgentContainersError, errorMessage, isCancelled } from '../errors.ts';
import type { AgentContainers, LogChunk, LogQuery } from './api.ts';
import { DEFAULTS, LONGEST_GRACE, LONGEST_TIME } from './constants.ts';
import { initialState } from './model/state.ts';
import type { ListResult } from './model/view.ts';
import type { AgentContainersOptions, Ports } from './options.ts';
import { createCommands } from './runtime/commands.ts';
import { createConfigurationCache } from './runtime/configuration-cache.ts';
import { createContainerClaims, matchesLabels } from './runtime/container-claims.ts';
import { createContainerDetails } from './runtime/container-details.ts';
import { createEffectRunner } from './runtime/effect-runner.ts';
import { createEventLoop } from './runtime/event-loop.ts';
import { execInDevcontainer } from './runtime/exec.ts';
import { createObserver } from './runtime/observe.ts';
import { createPersistence } from './runtime/persistence.ts';
import { registerKnown } from './runtime/register-known.ts';
import type { Limits, Runtime } from './runtime/runtime.ts';
import { shutdown } from './runtime/shutdown.ts';
import { createStore } from './runtime/store.ts';
import { deleteUnknownRecords } from './runtime/sub-agent-records.ts';
import { createSupervision } from './runtime/supervision.ts';
import { createTails } from './runtime/tails.ts';
import { createUpdaterLoop } from './runtime/updater-loop.ts';
import { createWatcherLoop } from './runtime/watcher-loop.ts';

/** The library over the given ports. `createAgentContainers` fills in the real ones. */
export function buildAgentContainers(ports: Ports, options: AgentContainersOptions): AgentContainers {
  const { clock, logger } = ports;
  const limits = resolveLimits(options);
  const closingController = new AbortController();
  // Every loop and job listens to it: many listeners are no leak here.
  setMaxListeners(0, closingController.signal);
  const store = createStore(
    initialState({ adopt: options.adopt ?? 'all', injectSubAgents: options.injectSubAgents ?? true }),
    (effect) => execute(effect),
    logger,
  );
  const reportTask = (error: unknown, name: string): void => {
    if (!isCancelled(error)) logger.error({ err: error }, `${name} failed: ${errorMessage(error)}`);
  };
  const rt: Runtime = {
    ports,
    limits,
    options,
    store,
    lanes: createLanes(),
    tasks: createTaskGroup(reportTask),
    injections: createTaskGroup(reportTask),
    closing: closingController.signal,
    upLimiter: createLimiter(limits.maxUps),
    injectLimiter: createLimiter(limits.maxInjections),
    tails: createTails(clock),
    supervision: createSupervision(),
    persistence: createPersistence(ports.storage, () => store.state, logger),
    configurations: createConfigurationCache(ports.cli),
    tokens: new Map(),
    registrations: new Set(),
    failures: new Map(),
    pass: () => updater.pass(),
  };
  const details = createContainerDetails(ports.engine, clock);
  const claims = createContainerClaims(ports.configFiles, {
    labels: options.labels ?? [],
    roots: options.roots ?? [],
    clock,
    logger,
  });
  const updater = createUpdaterLoop(clock, createObserver(rt, claims, details), limits);
  const watcher = createWatcherLoop(rt);
  const execute = createEffectRunner(rt, { updater, watcher });
  const forget = (containerId?: string): void => {
    details.forget(containerId);
    claims.forget(containerId);
  };
  const events = createEventLoop(
    rt,
    {
      onEvent(containerId) {
        forget(containerId);
        updater.passSoon();
      },
      onGap: () => forget(),
    },
    Math.random,
  );
  const commands = createCommands(rt);

  let started: Promise<void> | undefined;
  let closed: Promise<void> | undefined;

  async function start(): Promise<void> {
    await registerKnown(rt);
    if (rt.closing.aborted) return;
    // Before the first listing, so that nothing falls between the two.
    rt.tasks.spawn('event stream', () => events.run());
    rt.tasks.spawn('clean up records', () => deleteUnknownRecords(rt));
    await updater.pass();
    if (rt.closing.aborted) return;
    updater.start(
      () => events.isHealthy(),
      async () => {
        await watcher.reread();
        await rt.injections.settled();
      },
    );
  }

  /** Every call waits for the first pass and is refused after close. */
  async function ready(): Promise<void> {
    if (closed) throw new AgentContainersError('api-closed', 'API closed');
    if (!started) throw new AgentContainersError('broken-contract', 'Not started: call start() first.');
    await started;
    if (closed) throw new AgentContainersError('api-closed', 'API closed');
  }

  function listFailure(): AgentContainersError | undefined {
    const { observation } = store.state;
    if (observation.status === 'ok') return undefined;
    const detail = observation.status === 'failed' ? observation.message : 'No listing has ended yet.';
    return new AgentContainersError('list-failed', 'Could not get containers', { details: { detail } });
  }

  const close = (): Promise<void> =>
    (closed ??= shutdown(rt, { updater, watcher }, (reason) => closingController.abort(reason)));

  return {
    start: () =>
      closed ? Promise.reject(new AgentContainersError('api-closed', 'API closed')) : (started ??= start()),
    close,
    [Symbol.asyncDispose]: close,

    async list(query) {
      await ready();
      const failure = listFailure();
      if (failure) throw failure;
      return filtered(store.list, query?.labels ?? []);
    },
    async get(id) {
      await ready();
      const found = store.list.devcontainers.find((devcontainer) => devcontainer.id === id);
      if (!found) throw new AgentContainersError('devcontainer-not-found', 'Devcontainer not found.');
      return found;
    },
    async refresh() {
      await ready();
      await updater.pass();
      await rt.injections.settled();
      if (closed) throw new AgentContainersError('api-closed', 'API closed');
      const failure = listFailure();
      if (failure) throw failure;
    },
    subscribe: (listener) => store.onChange(listener),

    async create(request) {
      await ready();
      return commands.create(request);
    },
    async recreate(id) {
      await ready();
      return commands.recreate(id);
    },
    async recreateByContainer(container) {
      await ready();
      return commands.recreateByContainer(container);
    },
    async startDevcontainer(id) {
      await ready();
      return commands.start(id);
    },
    async stopDevcontainer(id) {
      await ready();
      return commands.stop(id);
    },
    async restartDevcontainer(id) {
      await ready();
      return commands.restart(id);
    },
    async remove(id, removal) {
      await ready();
      await commands.remove(id, { volumes: removal?.volumes ?? false });
    },
    async operation(operationId) {
      await ready();
      return commands.operation(operationId);
    },
    async *logs(id, query: LogQuery = {}): AsyncGenerator<LogChunk> {
      await ready();
      if (!store.state.entries.has(id))
        throw new AgentContainersError('devcontainer-not-found', 'Devcontainer not found.');
      const { offset = 0, follow = false, signal } = query;
      const scope = linkedScope(signal, rt.closing);
      try {
        yield* ports.logSink.read(id, { offset, follow, signal: scope.signal });
      } finally {
        scope.release();
      }
    },
    async exec(id, spec) {
      await ready();
      return execInDevcontainer(rt, id, spec);
    },
  };
}

function resolveLimits(options: AgentContainersOptions): Limits {
  const limits = { ...DEFAULTS } as Record<keyof Limits, number>;
  for (const name of Object.keys(DEFAULTS) as (keyof Limits)[]) {
    const value = options[name];
    if (value === undefined) continue;
    const most = name === 'stopGraceSeconds' ? LONGEST_GRACE : LONGEST_TIME;
    if (!(value > 0 && value <= most)) {
      throw new AgentContainersError(
        'invalid-request',
        `Option ${name} must be a number above 0 and at most ${most}, not ${String(value)}.`,
      );
    }
    limits[name] = value;
  }
  return limits;
}

function filtered(list: ListResult, labels: readonly string[]): ListResult {
  if (labels.length === 0) return list;
  return {
    ...list,
    containers: list.containers.filter((container) => matchesLabels(container, labels)),
    devcontainers: list.devcontainers.filter(({ container }) => container && matchesLabels(container, labels)),
  };
}
