import { setMaxListeners } from 'node:events';
import { linkedScope } from '../async/abort.ts';
import { AgentContainersError } from '../errors.ts';
import type { AgentContainers, LogChunk, LogQuery } from './api.ts';
import { initialState } from './model/state.ts';
import type { AgentContainersOptions, Ports } from './options.ts';
import { createCommands } from './runtime/commands.ts';
import { createContainerClaims } from './runtime/container-claims.ts';
import { createContainerDetails } from './runtime/container-details.ts';
import { diff } from './runtime/diff.ts';
import { createDevcontainerRuntimes } from './runtime/devcontainer-runtime.ts';
import { createDiscovery } from './runtime/discovery.ts';
import { planRemoval } from './runtime/plan-removal.ts';
import { resumeDeletes } from './runtime/resume-deletes.ts';
import { sweepBackups } from './runtime/sweep-backups.ts';
import { revokeTrust, trust } from './runtime/trust.ts';
import { createEffectRunner } from './runtime/effect-runner.ts';
import { createForwards } from './runtime/forwards.ts';
import { createEventLoop } from './runtime/event-loop.ts';
import { execInDevcontainer } from './runtime/exec.ts';
import { createRuntime } from './runtime/create-runtime.ts';
import { createObserver } from './runtime/observe.ts';
import { registerKnown } from './runtime/register-known.ts';
import { filterList } from './runtime/filter-list.ts';
import { resolveLimits } from './runtime/resolve-limits.ts';
import { shutdown } from './runtime/shutdown.ts';
import { createStore } from './runtime/store.ts';
import { deleteUnknownRecords } from './runtime/sub-agent-records.ts';
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
    initialState({
      adopt: options.adopt ?? 'all',
      injectSubAgents: options.injectSubAgents ?? true,
      trust: options.trust ?? 'ask',
      autoStart: options.autoStart ?? false,
    }),
    (effect) => execute(effect),
    logger,
  );
  const rt = createRuntime({
    ports,
    options,
    limits,
    store,
    closing: closingController.signal,
    pass: () => updater.pass(),
  });
  const details = createContainerDetails(ports.engine, clock);
  const claims = createContainerClaims(ports.configFiles, {
    labels: options.labels ?? [],
    roots: options.roots ?? [],
    labelSigner: rt.labels,
    clock,
    logger,
  });
  const updater = createUpdaterLoop(clock, createObserver(rt, claims, details), limits);
  const watcher = createWatcherLoop(rt);
  const discovery = createDiscovery(rt);
  const commands = createCommands(rt);
  const execute = createEffectRunner(rt, { updater, watcher, autoStart: (id) => commands.autoStart(id) });
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
      onImageEvent() {
        rt.images.forget();
        rt.tasks.spawn('reread after an image event', () => watcher.reread());
      },
      onGap() {
        forget();
        rt.images.forget();
      },
    },
    Math.random,
  );

  let started: Promise<void> | undefined;
  let closed: Promise<void> | undefined;

  async function start(): Promise<void> {
    const { isStateKnown } = await registerKnown(rt);
    if (rt.closing.aborted) return;
    // Before the first listing, so that nothing falls between the two.
    rt.tasks.spawn('event stream', () => events.run());
    rt.tasks.spawn('clean up records', () => deleteUnknownRecords(rt));
    // Side by side: neither waits for the other, and a slow disk is not waited for.
    await Promise.all([updater.pass(), discovery.start(), isStateKnown ? sweepBackups(rt) : undefined]);
    // After the first pass, so that it is known which containers run.
    await forwards.begin();
    if (rt.closing.aborted) return;
    rt.tasks.spawn('watch configurations', () => watcher.begin());
    rt.tasks.spawn('resume deletes', () => resumeDeletes(rt, commands));
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

  const forwards = createForwards(rt);
  const runtimes = createDevcontainerRuntimes(rt, ready, forwards);

  const close = (): Promise<void> =>
    (closed ??= shutdown(rt, { updater, watcher, discovery, forwards }, (reason) => closingController.abort(reason)));

  return {
    start: () =>
      closed ? Promise.reject(new AgentContainersError('api-closed', 'API closed')) : (started ??= start()),
    close,
    [Symbol.asyncDispose]: close,

    async list(query) {
      await ready();
      const failure = listFailure();
      if (failure) throw failure;
      return filterList(store.list, query?.labels ?? []);
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
    async recreate(id, recreation) {
      await ready();
      return commands.recreate(id, recreation);
    },
    async recreateByContainer(container, recreation) {
      await ready();
      return commands.recreateByContainer(container, recreation);
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
      await commands.remove(id, { volumes: removal?.volumes ?? 'none' });
    },
    async planRemoval(id, removal) {
      await ready();
      return planRemoval(rt, id, removal?.volumes ?? 'none');
    },
    async rerunHook(id, hook) {
      await ready();
      return commands.rerunHook(id, hook);
    },
    async trust(id, hash) {
      await ready();
      await trust(rt, id, hash);
    },
    async revokeTrust(id, hash) {
      await ready();
      await revokeTrust(rt, id, hash);
    },
    async diff(id) {
      await ready();
      return diff(rt, id);
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
    devcontainer: runtimes,
    async exec(id, spec) {
      await ready();
      return execInDevcontainer(rt, id, spec);
    },
  };
}
