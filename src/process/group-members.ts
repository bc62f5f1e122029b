import { readdirSync, readFileSync } from 'node:fs';

/** Ids of the processes of a group that can still do something; `undefined` where there is no /proc to tell. */
export function groupMembers(pgid: number): number[] | undefined {
  let names: string[];
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return undefined;
  }
  return names.length === 0 ? undefined : names.map(Number).filter((pid) => isLivingMember(pid, pgid));
}

function isLivingMember(pid: number, pgid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // `pid (command) state ppid pgrp …`; the command may hold spaces and parentheses.
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // One that has ended counts for the kernel until its parent asks, which an idle init may never do.
    return Number(group) === pgid && state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}

/** Whether a process was started with `entry`, a `NAME=value`, in its environment. Another user's process never was. */
export function hasEnvironment(pid: number, entry: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(entry);
  } catch {
    return false;
  }
}
