import { linkedScope } from '../../../async/abort.ts';
import { createDeferred } from '../../../async/deferred.ts';
import { errorMessage, isCancelled } from '../../../errors.ts';
import type { EffectMap } from '../../model/effects.ts';
import type { Runtime } from '../runtime.ts';
import { bringUp } from './bring-up.ts';

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
    await bringUp({ rt, ...effect, signal: scope.signal, ready });
  })()
    .catch((error: unknown) => failUp(rt, effect, error, scope.signal))
    .finally(() => {
      scope.release();
      ready();
    });
  rt.tails.add(id, { abort: scope.abort, ended });
  await exclusivePart.promise;
}

/** Reports why an `up` ended early: cancelled by us, or failed. */
export function failUp(
  rt: Runtime,
  { id, jobId }: { readonly id: string; readonly jobId: string },
  error: unknown,
  signal: AbortSignal,
): void {
  const at = rt.ports.clock.now();
  // Only our own signal makes it our cancellation: a library in between may have aborted something of its own.
  if (signal.aborted && isCancelled(signal.reason)) {
    rt.store.dispatch({ type: 'upCancelled', id, jobId, at });
    return;
  }
  const message = errorMessage(error);
  rt.ports.logger.error({ err: error, devcontainer: id }, message);
  rt.ports.logSink.append(id, `${message}\n`);
  rt.store.dispatch({ type: 'upFailed', id, jobId, message, degraded: { phase: 'up', outputTail: '' }, at });
}
