import { runChild } from '../child.ts';
import type { BenchContext } from '../context.ts';
import { sleep } from '../context.ts';
import { readCounters, settled } from '../process-counters.ts';
import type { Row } from '../row.ts';

const SECONDS = 60;
/** Events for a client that comes back are kept for a minute after the last one left. */
const FEED_LINGERS_MS = 65_000;

/** A daemon that has nothing to do, with 100 adopted dev containers whose sub-agents run. */
export async function idle(context: BenchContext): Promise<Row[]> {
  const { engine, say } = context;
  await assertChildrenAreCounted();
  const { ids } = await context.hundredRunning();
  const daemon = await context.daemonOfHundred();
  say('Leaving the daemon alone…');
  await sleep(FEED_LINGERS_MS);
  await settled(daemon.pid);

  let execs = 0;
  const ours = new Set(ids);
  const unfollow = await engine.follow(['exec_create', 'exec_start'], ({ action, containerId }) => {
    if (action.startsWith('exec_create') && ours.has(containerId)) execs++;
  });
  try {
    say(`Watching the idle daemon for ${SECONDS} s…`);
    const before = await readCounters(daemon.pid);
    const began = performance.now();
    let resident = before.residentMb;
    let living = before.children;
    while (performance.now() - began < SECONDS * 1_000) {
      await sleep(Math.min(500, SECONDS * 1_000 - (performance.now() - began)));
      const now = await readCounters(daemon.pid);
      resident = Math.max(resident, now.residentMb);
      living = Math.max(living, now.children);
    }
    const after = await readCounters(daemon.pid);
    const elapsed = performance.now() - began;
    // How many ended is not known: any page fault of a child that was waited for tells of at least one.
    const ended = after.childFaults > before.childFaults ? 1 : 0;
    const rounds = `${SECONDS} s`;
    return [
      {
        name: 'idle daemon: child processes (at least)',
        unit: 'count',
        ours: living + ended,
        demand: { kind: 'zero' },
        rounds,
      },
      { name: 'idle daemon: execs', unit: 'count', ours: execs, demand: { kind: 'zero' }, rounds },
      {
        name: 'idle daemon: CPU of one core',
        unit: '%',
        ours: (100 * (after.cpuMs - before.cpuMs)) / elapsed,
        demand: { kind: 'below', value: 1 },
        rounds,
      },
      {
        name: 'idle daemon: resident memory, highest',
        unit: 'MB',
        ours: resident,
        demand: { kind: 'below', value: 150 },
        rounds,
      },
    ];
  } finally {
    unfollow();
  }
}

/** On a kernel that does not keep the counter, a count of zero would say nothing. */
async function assertChildrenAreCounted(): Promise<void> {
  const before = await readCounters(process.pid);
  await runChild('true', []);
  const after = await readCounters(process.pid);
  if (after.childFaults <= before.childFaults) {
    throw new Error('Counting child processes failed: this kernel keeps no page faults of children in /proc.');
  }
}
