/** Callbacks that one step of a fake clock has fired, and what became of their promises. */
export interface Batch {
  /** How many were started so far. */
  readonly started: number;
  /** Tags of those whose promises are pending. */
  readonly pending: readonly string[];
  start(tag: string, call: () => void | Promise<void>): void;
  /** Resolves when a promise settles or `wake` is called; rejects when neither comes for a while of real time. */
  changed(): Promise<void>;
  wake(): void;
  /** Throws what the callbacks rejected with. */
  throwFailures(): void;
  /** Nobody will ask for failures any more: later ones become unhandled rejections, so that none is lost. */
  release(): void;
}

// Taken when this module is loaded, so that a test which patches the globals does not stop the fake clock.
const { setImmediate, setTimeout, clearTimeout } = globalThis;

/** Microtasks of any depth run within one round; several rounds let work through that itself goes by `setImmediate`. */
const SETTLE_ROUNDS = 10;

/** Lets everything run that is able to run without time going on and without I/O of the operating system. */
export async function settle(rounds: number = SETTLE_ROUNDS): Promise<void> {
  for (let round = 0; round < rounds; round++) await new Promise<void>((resolve) => setImmediate(resolve));
}

export function createBatch(patienceMs: number): Batch {
  const running = new Map<number, string>();
  const failures: unknown[] = [];
  let started = 0;
  let released = false;
  let wakeUp: (() => void) | undefined;

  function wake(): void {
    wakeUp?.();
    wakeUp = undefined;
  }

  async function follow(id: number, call: () => void | Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      if (released) throw error;
      failures.push(error);
    } finally {
      running.delete(id);
      wake();
    }
  }

  return {
    get started() {
      return started;
    },
    get pending() {
      return [...running.values()];
    },
    start(tag, call) {
      const id = started++;
      running.set(id, tag);
      void follow(id, call);
    },
    wake,
    async changed() {
      let timer: NodeJS.Timeout | undefined;
      try {
        await new Promise<void>((resolve, reject) => {
          wakeUp = resolve;
          timer = setTimeout(() => {
            const tags = [...running.values()].map((tag) => `"${tag}"`).join(', ');
            const text = `Waiting for callbacks of the fake clock failed: ${tags} did not end within ${patienceMs} ms of real time.`;
            reject(
              new Error(
                `${text} If they wait for a gate or a later timer, keep the promise of advance(), do what they wait for, then await it.`,
              ),
            );
          }, patienceMs);
        });
      } finally {
        clearTimeout(timer);
      }
    },
    throwFailures() {
      const thrown = failures.splice(0);
      if (thrown.length === 1) throw thrown[0];
      if (thrown.length > 1) throw new AggregateError(thrown, `${thrown.length} callbacks of the fake clock failed.`);
    },
    release() {
      released = true;
    },
  };
}
