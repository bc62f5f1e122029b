import { bounded, linkedScope } from '../../../async/abort.ts';
import { createDeferred } from '../../../async/deferred.ts';
import { AgentContainersError, errorMessage, isCancelled } from '../../../errors.ts';
import { FOLDER_TIMEOUT } from '../../constants.ts';
import type { EffectMap } from '../../model/effects.ts';
import type { Degraded } from '../../model/devcontainer.ts';
import type { Entry, Intent } from '../../model/state.ts';
import type { CliProgress, UpRun } from '../../ports.ts';
import type { Runtime } from '../runtime.ts';

/**
 * Brings a devcontainer up. Ends when it is ready, i.e. when a hook after `waitFor` begins, or when `up` has ended;
 * what runs after that is the tail, which goes on in the background.
 */
export async function up(rt: Runtime, effect: EffectMap['up'], laneSignal: AbortSignal): Promise<void> {
  const { id } = effect;
  // A new `up` awaits the end of the old one's tail: two must never work on one devcontainer.
  await rt.tails.end(id, 'superseded');
  // The tail outlives the lane's job, so its scope hangs on closing, not on the lane.
  const scope = linkedScope(laneSignal, rt.closing);
  const exclusivePart = createDeferred<void>();
  let release: (() => void) | undefined;
  // The later hooks may run for ever; they must not keep other devcontainers from coming up.
  const ready = (): void => {
    release?.();
    exclusivePart.resolve();
  };
  const ended = (async () => {
    release = await rt.upLimiter.acquire(scope.signal);
    await run(rt, effect, scope.signal, ready);
  })()
    .catch((error: unknown) => fail(rt, effect, error, scope.signal))
    .finally(() => {
      scope.release();
      ready();
    });
  rt.tails.add(id, { abort: scope.abort, ended });
  await exclusivePart.promise;
}

async function run(rt: Runtime, effect: EffectMap['up'], signal: AbortSignal, ready: () => void): Promise<void> {
  const { id, jobId, cause } = effect;
  const { store, ports } = rt;
  const entry = store.state.entries.get(id);
  if (!entry) return;
  const intent = await recordIntent(rt, entry, jobId, signal);
  store.dispatch({ type: 'upBegan', id, intent });
  // The intent is written before the first side effect, so that a daemon killed at any step knows what it had begun.
  await rt.persistence.flush();
  const process = ports.cli.up({
    key: entry.key,
    removeExisting: cause === 'recreate',
    onProgress: (progress) => report(rt, id, jobId, progress),
    signal,
  });
  void process.ready.then((isReady) => {
    if (!isReady) return;
    store.dispatch({ type: 'upReady', id, jobId });
    ready();
  });
  await finish(rt, effect, process);
}

/** What the container will be made from, and which ones there are already. */
async function recordIntent(rt: Runtime, entry: Entry, jobId: string, signal: AbortSignal): Promise<Intent> {
  const { clock, configFiles } = rt.ports;
  const what = `Reading ${entry.key.configPath}`;
  const snapshot = await bounded(clock, FOLDER_TIMEOUT, what, signal, () => configFiles.read(entry.key.configPath));
  if (snapshot.kind === 'invalid') {
    const { message, line, column } = snapshot.error;
    throw new AgentContainersError(
      'config-invalid',
      `Bringing up failed: ${entry.key.configPath}:${line}:${column}: ${message} Mend the file and try again.`,
    );
  }
  if (snapshot.kind === 'missing') {
    throw new AgentContainersError('config-not-found', `Bringing up failed: there is no file ${entry.key.configPath}.`);
  }
  const { claims } = rt.store.state;
  const knownContainers = [...claims].filter(([, entryId]) => entryId === entry.id).map(([containerId]) => containerId);
  const { fingerprint, properties } = snapshot;
  return { operationId: jobId, fingerprint, properties, since: rt.ports.clock.now(), knownContainers };
}

function report(rt: Runtime, id: string, jobId: string, progress: CliProgress): void {
  if (progress.level >= 3 || progress.phase !== 'other') rt.ports.logSink.append(id, `${progress.text.trimEnd()}\n`);
  if (progress.phase !== 'other') rt.store.dispatch({ type: 'operationProgressed', jobId, phase: progress.phase });
}

async function finish(rt: Runtime, { id, jobId }: EffectMap['up'], run: UpRun): Promise<void> {
  const outcome = await run.done;
  const at = rt.ports.clock.now();
  const fields = { devcontainer: id, operation: jobId };
  const name = rt.store.state.entries.get(id)?.name ?? id;
  if (outcome.outcome === 'success') {
    rt.ports.logger.info({ ...fields, container: outcome.containerId }, `Brought up ${name}.`);
    rt.store.dispatch({ type: 'upSucceeded', id, jobId, containerId: outcome.containerId, at });
    return;
  }
  const { phase, command, exitCode, outputTail, message, containerId } = outcome;
  rt.ports.logger.warn({ ...fields, phase, exitCode }, `Bringing up ${name}: ${message}`);
  rt.ports.logSink.append(id, `${message}\n`);
  rt.store.dispatch({
    type: 'upFailed',
    id,
    jobId,
    containerId,
    message,
    degraded: { phase, command, exitCode, outputTail },
    at,
  });
}

function fail(rt: Runtime, { id, jobId }: EffectMap['up'], error: unknown, signal: AbortSignal): void {
  const at = rt.ports.clock.now();
  // Only our own signal makes it our cancellation: a library in between may have aborted something of its own.
  if (signal.aborted && isCancelled(signal.reason)) {
    rt.store.dispatch({ type: 'upCancelled', id, jobId, at });
    return;
  }
  const message = errorMessage(error);
  rt.ports.logger.error({ err: error, devcontainer: id }, message);
  rt.ports.logSink.append(id, `${message}\n`);
  const degraded: Degraded = { phase: 'up', outputTail: '' };
  rt.store.dispatch({ type: 'upFailed', id, jobId, message, degraded, at });
}
