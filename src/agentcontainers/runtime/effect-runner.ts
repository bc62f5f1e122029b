import { cancelled } from '../../errors.ts';
import type { Effect, EffectMap, EffectType } from '../model/effects.ts';
import { deleteDevcontainer } from './jobs/delete.ts';
import { deleteRecord } from './jobs/delete-record.ts';
import { inject } from './jobs/inject.ts';
import { removeAbandoned } from './jobs/remove-abandoned.ts';
import { recover } from './jobs/recover.ts';
import { rerunHook } from './jobs/rerun-hook.ts';
import { stop, restart } from './jobs/stop.ts';
import { up } from './jobs/up.ts';
import type { Runtime } from './runtime.ts';
import type { UpdaterLoop } from './updater-loop.ts';
import type { WatcherLoop } from './watcher-loop.ts';

type Executors = { readonly [T in EffectType]: (effect: EffectMap[T]) => void };

/** Starts the work that an effect asks for. Nothing here waits; every promise has an owner. */
export function createEffectRunner(
  rt: Runtime,
  loops: {
    readonly updater: UpdaterLoop;
    readonly watcher: WatcherLoop;
    readonly autoStart: (id: string) => Promise<void>;
  },
): (effect: Effect) => void {
  /** Lifecycle jobs pre-empt injections; a pass follows each. */
  function lifecycle(name: string, id: string, job: (signal: AbortSignal) => Promise<void>): void {
    rt.tasks.spawn(`${name} ${id}`, async () => {
      await rt.lanes.exclusive(id, cancelled('pre-empted'), job);
      await rt.pass();
    });
  }

  const executors: Executors = {
    up: (effect) => lifecycle('up', effect.id, (signal) => up(rt, effect, signal)),
    stop: (effect) => lifecycle('stop', effect.id, () => stop(rt, effect)),
    restart: (effect) => lifecycle('restart', effect.id, (signal) => restart(rt, effect, signal)),
    delete: (effect) => lifecycle('delete', effect.id, () => deleteDevcontainer(rt, effect)),
    recover: (effect) => lifecycle('recover', effect.id, (signal) => recover(rt, effect, signal)),
    rerunHook: (effect) => rt.tasks.spawn(`rerun ${effect.hook} of ${effect.id}`, () => rerunHook(rt, effect)),
    removeAbandoned: (effect) => rt.tasks.spawn(`remove ${effect.containerId}`, () => removeAbandoned(rt, effect)),
    autoStart: ({ id }) => rt.tasks.spawn(`auto-start ${id}`, () => loops.autoStart(id)),
    inject: (effect) =>
      rt.injections.spawn(`inject ${effect.id}`, async () => {
        const ran = await rt.lanes.preemptible(effect.id, (signal) => inject(rt, effect, signal));
        if (!ran) rt.store.dispatch({ type: 'injectDropped', id: effect.id, jobId: effect.jobId });
        else await rt.pass();
      }),
    cancelInjection: ({ id }) => rt.lanes.abortPreemptible(id, cancelled('superseded')),
    endSubAgent: ({ jobId }) => rt.tasks.spawn(`end sub-agent ${jobId}`, () => rt.supervision.end(jobId)),
    deleteRecord: (effect) => rt.tasks.spawn(`delete record ${effect.recordId}`, () => deleteRecord(rt, effect)),
    watchConfig: ({ id, key }) => loops.watcher.watch(id, key),
    unwatchConfig: ({ id }) => loops.watcher.unwatch(id),
    refresh: () => rt.tasks.spawn('pass', () => loops.updater.pass()),
    refreshAt: ({ at }) => loops.updater.passAt(at),
    persist: () => rt.tasks.spawn('persist', () => rt.persistence.flush()),
    warn: ({ message, fields }) => rt.ports.logger.warn(fields, message),
  };
  return (effect) => (executors[effect.type] as (effect: Effect) => void)(effect);
}
