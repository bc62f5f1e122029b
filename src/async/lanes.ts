// INVARIANTS
// - Per key at most one job runs and at most one waits; keys do not wait for each other.
// - An exclusive job pre-empts: it aborts a preemptible job that runs, waits for its end, then runs.
// - A preemptible job never waits: it is refused while the lane is not empty.
// - A refused or aborted-while-waiting job was never begun.

export interface Lanes {
  /**
   * Runs `job` alone in its lane, after aborting a preemptible job there. Returns false, without running it, when an
   * exclusive job waits already.
   */
  exclusive(key: string, reason: unknown, job: (signal: AbortSignal) => Promise<void>): Promise<boolean>;
  /** Runs `job` unless the lane is in use; then false, and the job was not begun. */
  preemptible(key: string, job: (signal: AbortSignal) => Promise<void>): Promise<boolean>;
  /** Aborts the preemptible job of this lane, if one runs. */
  abortPreemptible(key: string, reason: unknown): void;
  /** Aborts everything that runs and refuses everything that comes. */
  abortAll(reason: unknown): void;
  /** Resolves when no job runs or waits. */
  drain(): Promise<void>;
}

interface Lane {
  running?: { readonly preemptible: boolean; readonly controller: AbortController; readonly ended: Promise<void> };
  waiting: boolean;
}

export function createLanes(): Lanes {
  const lanes = new Map<string, Lane>();
  const jobs = new Set<Promise<unknown>>();
  let closed: { reason: unknown } | undefined;

  function laneOf(key: string): Lane {
    let lane = lanes.get(key);
    if (!lane) lanes.set(key, (lane = { waiting: false }));
    return lane;
  }

  function runIn(
    key: string,
    lane: Lane,
    preemptible: boolean,
    job: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const controller = new AbortController();
    const ended = Promise.resolve()
      .then(() => job(controller.signal))
      .finally(() => {
        delete lane.running;
        if (!lane.waiting) lanes.delete(key);
      });
    lane.running = { preemptible, controller, ended };
    return ended;
  }

  async function exclusive(
    key: string,
    reason: unknown,
    job: (signal: AbortSignal) => Promise<void>,
  ): Promise<boolean> {
    const lane = laneOf(key);
    if (lane.waiting) return false;
    if (lane.running) {
      lane.waiting = true;
      try {
        if (lane.running.preemptible) lane.running.controller.abort(reason);
        await lane.running.ended.catch(() => {});
      } finally {
        lane.waiting = false;
      }
      if (closed) {
        if (!lane.running) lanes.delete(key);
        return false;
      }
      lanes.set(key, lane);
    }
    await runIn(key, lane, false, job);
    return true;
  }

  function track<T>(promise: Promise<T>): Promise<T> {
    jobs.add(promise);
    const forget = (): void => void jobs.delete(promise);
    promise.then(forget, forget);
    return promise;
  }

  return {
    exclusive(key, reason, job) {
      if (closed) return Promise.resolve(false);
      return track(exclusive(key, reason, job));
    },
    preemptible(key, job) {
      const lane = lanes.get(key);
      if (closed || lane?.running || lane?.waiting) return Promise.resolve(false);
      return track(runIn(key, laneOf(key), true, job).then(() => true));
    },
    abortPreemptible(key, reason) {
      const running = lanes.get(key)?.running;
      if (running?.preemptible) running.controller.abort(reason);
    },
    abortAll(reason) {
      closed ??= { reason };
      for (const lane of lanes.values()) lane.running?.controller.abort(reason);
    },
    async drain() {
      while (jobs.size > 0) await Promise.allSettled(jobs);
    },
  };
}
