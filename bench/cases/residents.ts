import { readFile, readdir } from 'node:fs/promises';
import { createFleet } from '../containers.ts';
import type { BenchContext } from '../context.ts';
import { sleep, until } from '../context.ts';
import { startDaemon } from '../daemon.ts';
import type { RunningDaemon, WireList } from '../daemon.ts';
import { readCounters } from '../process-counters.ts';
import type { Row } from '../row.ts';
import { kills } from './kills.ts';
import { interrupts, keystrokes } from './terminals.ts';

const COUNT = 50;
const IDLE_S = 30;
const LIMIT_MS = 300_000;

/** 50 residents that do nothing, what a terminal feels like through the daemon, and how soon it tells of one that was killed. */
export async function residents(context: BenchContext): Promise<Row[]> {
  const fleet = await createFleet(context.engine, context.cleanup);
  try {
    context.say(`Starting ${COUNT} containers with their residents…`);
    const containers = await fleet.fill(COUNT, { start: true });
    const daemon = await startDaemon(context.engine, fleet.root, context.cleanup);
    try {
      const id = await running(daemon, containers.length);
      return [
        ...(await idle(context, containers)),
        ...(await keystrokes(context, daemon, id)),
        ...(await interrupts(context, daemon, id)),
        ...(await kills(context, daemon, () => agentsIn(containers))),
      ];
    } finally {
      await daemon.stop();
    }
  } finally {
    await fleet.dispose();
  }
}

/** Waits until all sub-agents run; the id of the first devcontainer. */
async function running(daemon: RunningDaemon, count: number): Promise<string> {
  let latest: WireList | undefined;
  const leave = await daemon.watch(({ list }) => (latest = list));
  const runs = (): WireList['devcontainers'] =>
    latest?.devcontainers.filter(({ agent }) => agent?.status === 'running') ?? [];
  await until('all residents run', LIMIT_MS, () => runs().length >= count);
  leave();
  return runs()[0]?.id ?? '';
}

async function idle(context: BenchContext, containers: readonly string[]): Promise<Row[]> {
  const pids = await agentsIn(containers);
  if (pids.length !== COUNT) throw new Error(`${pids.length} of ${COUNT} residents were found.`);
  await sleep(5_000);
  context.say(`Looking at ${COUNT} idle residents for ${IDLE_S} s…`);
  const before = await Promise.all(pids.map(readCounters));
  await sleep(IDLE_S * 1_000);
  const after = await Promise.all(pids.map(readCounters));
  const cpu = after.map(({ cpuMs }, index) => cpuMs - (before[index]?.cpuMs ?? 0));
  const rounds = `${IDLE_S} s`;
  return [
    {
      name: `${COUNT} idle residents: resident memory, highest`,
      unit: 'MB',
      ours: Math.max(...after.map(({ residentMb }) => residentMb)),
      demand: { kind: 'below', value: 12 },
      rounds: String(COUNT),
    },
    {
      name: `${COUNT} idle residents: CPU of one core, all of them`,
      unit: '%',
      ours: (100 * cpu.reduce((sum, ms) => sum + ms, 0)) / (IDLE_S * 1_000),
      // The kernel counts in steps of 10 ms: a step here and there.
      demand: { kind: 'below', value: 0.5 },
      rounds,
    },
  ];
}

/** Processes of the host that are residents of these containers. */
async function agentsIn(containers: readonly string[]): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const args = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (args.split('\0').join(' ').trim() !== 'resident agent') continue;
    const group = await readFile(`/proc/${name}/cgroup`, 'utf8').catch(() => '');
    if (containers.some((id) => group.includes(id))) found.push(Number(name));
  }
  return found;
}
