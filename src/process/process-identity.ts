import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

/** Names one run of one process: a process id alone is given out again, after a reboot at the latest. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Changes with each boot of the machine. */
  readonly bootId: string;
  /** When the process began, in the system's own words; equal texts mean equal times within one boot. */
  readonly startTime: string;
}

export interface ProcessTable {
  bootId(): string;
  /** `undefined` when there is no such process, or it has ended and its parent has not taken note of that yet. */
  startTime(pid: number): string | undefined;
}

/** Reads /proc where there is one, and asks `ps` elsewhere. */
export const systemProcessTable: ProcessTable = {
  bootId() {
    try {
      return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    } catch {
      // Without /proc: the time of the boot, to the minute, since its computation jitters.
      // oxlint-disable-next-line no-restricted-globals -- a time of the past, not one to wait for
      return `boot-${Math.round((Date.now() / 1_000 - uptime()) / 60)}`;
    }
  },

  startTime(pid) {
    try {
      // The command name, in parentheses, may contain anything: count fields after the last parenthesis.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return hasEnded(fields[0]) ? undefined : fields[19];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' && process.platform === 'linux') return undefined;
    }
    try {
      const text = execFileSync('ps', ['-o', 'stat=', '-o', 'lstart=', '-p', String(pid)], {
        encoding: 'utf8',
        timeout: 5_000,
      }).trim();
      const [, state, start] = /^(\S+)\s+(.+)$/.exec(text) ?? [];
      return hasEnded(state) ? undefined : start;
    } catch {
      return undefined;
    }
  },
};

/** Zombies, and what is on the way out. */
function hasEnded(state: string | undefined): boolean {
  return state === undefined || /^[ZXx]/.test(state);
}

export function identityOf(pid: number, table: ProcessTable = systemProcessTable): ProcessIdentity {
  return { pid, bootId: table.bootId(), startTime: table.startTime(pid) ?? 'unknown' };
}

/** True when the very process that `identity` names still runs. */
export function isAlive(identity: ProcessIdentity, table: ProcessTable = systemProcessTable): boolean {
  return identity.bootId === table.bootId() && identity.startTime === table.startTime(identity.pid);
}
