import type { BenchContext } from '../context.ts';
import { until } from '../context.ts';
import type { RunningDaemon, WireList } from '../daemon.ts';
import type { Row } from '../row.ts';
import { median } from '../row.ts';

const ROUNDS = 10;
const LIMIT_MS = 60_000;

/** From the kill of a resident to the frame of `/watch` that tells of it, and to the one that shows the next resident. */
export async function kills(
  context: BenchContext,
  daemon: RunningDaemon,
  agents: () => Promise<number[]>,
): Promise<Row[]> {
  context.say(`Killing ${ROUNDS} residents, one after the other…`);
  let running = 0;
  let count = 0;
  let falls = 0;
  let fellAt = 0;
  let backAt = 0;
  const leave = await daemon.watch((frame) => {
    const next = agentsOf(frame.list);
    if (next < running) {
      falls++;
      fellAt = frame.at;
    }
    if (next > running) backAt = frame.at;
    running = next;
    count = Math.max(count, running);
  });
  const told: number[] = [];
  const replaced: number[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      await until('all residents run', LIMIT_MS, () => count > 0 && running === count);
      const pids = await agents();
      const pid = pids[(round * 7) % pids.length];
      if (pid === undefined) throw new Error('There is no resident to kill.');
      const began = Date.now();
      process.kill(pid, 'SIGKILL');
      await until('a frame tells of it', LIMIT_MS, () => falls > round);
      told.push(fellAt - began);
      await until('a resident runs again', LIMIT_MS, () => running === count);
      replaced.push(backAt - began);
    }
  } finally {
    leave();
  }
  const rounds = String(ROUNDS);
  return [
    {
      name: 'resident killed to the frame that tells, highest',
      unit: 'ms',
      ours: Math.max(...told),
      demand: { kind: 'below', value: 1_000 },
      rounds,
      samples: { ours: told },
    },
    { name: 'resident killed to the next one ready, p50', unit: 'ms', ours: median(replaced), rounds },
  ];
}

function agentsOf(list: WireList): number {
  return list.devcontainers.filter(({ agent }) => agent?.status === 'running').length;
}
