import { readdir, readFile } from 'node:fs/promises';
import { sleep } from './context.ts';

export interface ProcessCounters {
  /** User and system time, in ms; the kernel counts in steps of 10. */
  readonly cpuMs: number;
  /** Page faults of all children that ended and were waited for: no program runs without some. */
  readonly childFaults: number;
  /** Children that live now. */
  readonly children: number;
  /** Resident memory, in MB of 1,000,000 bytes. */
  readonly residentMb: number;
}

const TICK_MS = 10;

/** What the kernel keeps of a process. Linux. */
export async function readCounters(pid: number): Promise<ProcessCounters> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The program's name may hold anything; what follows its closing bracket does not.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const field = (number: number): number => fields[number - 3] ?? Number.NaN;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return {
    cpuMs: (field(14) + field(15)) * TICK_MS,
    childFaults: field(11) + field(13),
    children: await countChildren(pid),
    residentMb: (Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024) / 1e6,
  };
}

/** Waits until a process that has just begun has done what it does in the background after that. */
export async function settled(pid: number, timeoutMs = 120_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (let quiet = 0, before = (await readCounters(pid)).cpuMs; quiet < 3;) {
    if (performance.now() > end) throw new Error(`Waiting for process ${pid} to settle failed: it is still busy.`);
    await sleep(500);
    const { cpuMs } = await readCounters(pid);
    quiet = cpuMs - before <= 20 ? quiet + 1 : 0;
    before = cpuMs;
  }
}

async function countChildren(pid: number): Promise<number> {
  let count = 0;
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    const children = await readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '');
    count += children.split(' ').filter(Boolean).length;
  }
  return count;
}
