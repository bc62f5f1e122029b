import type { BenchContext } from '../context.ts';
import { sleep, until } from '../context.ts';
import type { WireContainer } from '../daemon.ts';
import type { Row } from '../row.ts';
import { median, quantile } from '../row.ts';

const ROUNDS = 20;
/** An event that no frame shows by then counts as one that took this long. */
const LATE_MS = 2_000;

interface Change {
  readonly action: string;
  readonly path: string;
  readonly isShown: (container: WireContainer) => boolean;
}

/** From the engine's time of an event to the arrival of the frame that shows it, at a client of the daemon's `/watch`. */
export async function watchLatency(context: BenchContext): Promise<Row[]> {
  const { engine, say } = context;
  const { ids } = await context.hundredRunning();
  const daemon = await context.daemonOfHundred();
  const happened = new Map<string, number>();
  const unfollow = await engine.follow(['rename', 'pause', 'unpause'], ({ action, containerId, at }) =>
    happened.set(`${action} ${containerId}`, at),
  );
  let waiting: { readonly id: string; readonly change: Change; shownAt?: number } | undefined;
  const leave = await daemon.watch(({ at, list }) => {
    if (waiting === undefined || waiting.shownAt !== undefined) return;
    const { id, change } = waiting;
    const container = list.containers.find((listed) => listed.id === id);
    if (container && change.isShown(container)) waiting.shownAt = at;
  });
  const samples: number[] = [];
  let late = 0;
  say(`Watching ${3 * ROUNDS} events…`);
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const id = ids[(round * 7) % ids.length] ?? '';
      for (const change of changes(id, round)) {
        const current = { id, change } as NonNullable<typeof waiting>;
        waiting = current;
        await engine.call('POST', change.path);
        const key = `${change.action} ${id}`;
        await until(`the engine tells of ${change.action}`, 10_000, () => happened.has(key));
        const isShown = await until('a frame shows it', LATE_MS, () => current.shownAt !== undefined).then(
          () => true,
          () => false,
        );
        if (!isShown) late++;
        samples.push((isShown ? (current.shownAt ?? 0) : Date.now()) - (happened.get(key) ?? Number.NaN));
        happened.delete(key);
        // What one event leads to must not reach into the next one.
        await sleep(150);
      }
    }
  } finally {
    leave();
    unfollow();
  }
  const rounds = String(samples.length);
  const name = 'engine event to WebSocket frame, 100 running';
  return [
    {
      name: `${name}, p50`,
      unit: 'ms',
      ours: median(samples),
      demand: { kind: 'below', value: 50 },
      rounds,
      samples: { ours: samples },
    },
    { name: `${name}, p95`, unit: 'ms', ours: quantile(samples, 0.95), rounds },
    { name: 'engine events that no frame showed within 2 s', unit: 'count', ours: late, rounds },
  ];
}

function changes(id: string, round: number): Change[] {
  const name = `ac-bench-renamed-${id.slice(0, 8)}-${round}`;
  return [
    { action: 'rename', path: `/containers/${id}/rename?name=${name}`, isShown: (listed) => listed.name === name },
    { action: 'pause', path: `/containers/${id}/pause`, isShown: (listed) => !listed.running },
    { action: 'unpause', path: `/containers/${id}/unpause`, isShown: (listed) => listed.running },
  ];
}
