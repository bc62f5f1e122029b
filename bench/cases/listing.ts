import { runChild } from '../child.ts';
import type { BenchContext } from '../context.ts';
import { createFleet } from '../containers.ts';
import { startDaemon } from '../daemon.ts';
import type { WireList } from '../daemon.ts';
import { until } from '../context.ts';
import { loadLibrary } from '../library.ts';
import { readCounters, settled } from '../process-counters.ts';
import type { Row } from '../row.ts';
import { median } from '../row.ts';

/** 100 running dev containers: one pass against two child processes of the docker client. */
export async function listHundred(context: BenchContext): Promise<Row[]> {
  const { ids } = await context.hundredRunning();
  return compare(context, { count: ids.length, what: `${ids.length} running`, rounds: 21, demanded: 8 });
}

/** The same of 1,000 that are created and were never started, and the memory of a daemon that lists them. */
export async function listThousand(context: BenchContext): Promise<Row[]> {
  await context.endHundred();
  const count = 1_000;
  context.say(`Creating ${count} containers…`);
  const fleet = await createFleet(context.engine, context.cleanup);
  try {
    await fleet.fill(count, { start: false });
    const rows = await compare(context, { count, what: '1,000 created', rounds: 9, demanded: 6 });
    return [...rows, await memory(context, fleet.root, count)];
  } finally {
    context.say(`Removing ${count} containers…`);
    await fleet.dispose();
  }
}

async function compare(
  { engine, say }: BenchContext,
  { count, what, rounds, demanded }: { count: number; what: string; rounds: number; demanded: number },
): Promise<Row[]> {
  const { createAgentContainers, silentLogger } = await loadLibrary();
  const api = createAgentContainers({
    dockerHost: engine.dockerHost,
    adopt: 'all',
    injectSubAgents: false,
    logger: silentLogger,
  });
  const ours: number[] = [];
  const baseline: number[] = [];
  try {
    const began = performance.now();
    await api.start();
    const cold = performance.now() - began;
    const { devcontainers } = await api.list();
    if (devcontainers.length < count) throw new Error(`Only ${devcontainers.length} of ${count} were listed.`);
    // After the first pass it begins to watch every configuration, which is not what is measured here.
    await settled(process.pid);
    say(`Listing ${what}: ${rounds} rounds…`);
    // The first round of each warms the caches of the file system and is not counted.
    for (let round = 0; round <= rounds; round++) {
      const pass = await timed(() => api.refresh());
      const children = await timed(() => listByChildren(engine.env));
      if (round === 0) continue;
      ours.push(pass);
      baseline.push(children);
    }
    return [
      {
        name: `list and reconcile, ${what}`,
        unit: 'ms',
        ours: median(ours),
        baseline: median(baseline),
        demand: { kind: 'ratio', value: demanded },
        rounds: String(rounds),
        samples: { ours, baseline },
      },
      {
        name: `first pass after start, ${what}`,
        unit: 'ms',
        ours: cold,
        baseline: median(baseline),
        rounds: '1',
      },
    ];
  } finally {
    await api.close();
  }
}

async function listByChildren(env: NodeJS.ProcessEnv): Promise<void> {
  const ids = (await runChild('docker', ['ps', '-aq'], { env })).trim().split('\n');
  await runChild('docker', ['inspect', ...ids], { env });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function memory(context: BenchContext, root: string, count: number): Promise<Row> {
  context.say('Starting a daemon on them…');
  const daemon = await startDaemon(context.engine, root, context.cleanup);
  try {
    let latest: WireList | undefined;
    const leave = await daemon.watch(({ list }) => {
      latest = list;
    });
    await until('the daemon lists all', 120_000, () => (latest?.devcontainers.length ?? 0) >= count);
    leave();
    await settled(daemon.pid);
    const { residentMb } = await readCounters(daemon.pid);
    return { name: 'resident memory of the daemon, 1,000 created', unit: 'MB', ours: residentMb, rounds: '1' };
  } finally {
    await daemon.stop();
  }
}
