import { z } from 'zod';

import type { ProcessIdentity } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { groupMembers, hasEnvironment } from '../process/group-members.ts';
import { identityOf, isAlive, systemProcessTable, type ProcessTable } from '../process/process-identity.ts';
import { throwIfAborted } from './cli-errors.ts';
import { endInSteps } from './end-in-steps.ts';
import { signalGroup, signalProcess } from './process-group.ts';

/** Name of the variable by which processes of a run are known when its first process has ended before them. */
const RUN_VARIABLE = 'AGENTCONTAINERS_RUN';

/** Makes the processes of one run recognisable. `run` names it, unlike any other. */
export function runMark(run: string): Readonly<Record<string, string>> {
  return { [RUN_VARIABLE]: run };
}

const startedAtSchema = z.tuple([z.string(), z.string(), z.string()]);

/** The identity of a process that was just started with the mark of `run`. */
export function identityOfRun(pid: number, run: string, table: ProcessTable = systemProcessTable): ProcessIdentity {
  const { bootId, startTime } = identityOf(pid, table);
  return { pid, startedAt: JSON.stringify([bootId, startTime, run]) };
}

/**
 * Ends what is left of a run that an earlier process of ours began: TERM to its group, after five seconds KILL. When its
 * leader has ended, only those of its group that carry the mark of the run are ended.
 *
 * What must hold: nothing is ever sent to a process that got the number later, after a reboot or in the same boot.
 * Gone is success. Rejects with `cancelled` only; resolves ten seconds later at the latest.
 */
export async function endProcess(
  { pid, startedAt }: ProcessIdentity,
  clock: Clock,
  signal: AbortSignal,
  table: ProcessTable = systemProcessTable,
): Promise<void> {
  throwIfAborted(signal);
  const started = parseStartedAt(startedAt);
  // Signals to 0 and 1, and to their negatives, mean whole sets of processes.
  if (started === undefined || !Number.isSafeInteger(pid) || pid <= 1) return;
  const [bootId, startTime, run] = started;
  if (bootId !== table.bootId()) return;
  const leaderAlive = (): boolean => isAlive({ pid, bootId, startTime }, table);
  const mark = `${RUN_VARIABLE}=${run}`;
  const members = (): number[] => {
    // While a group has members its number is not given out again: a leader that is another means that ours is gone.
    if (table.startTime(pid) !== undefined) return [];
    return (groupMembers(pid) ?? []).filter((member) => hasEnvironment(member, mark));
  };
  const target = {
    isGone: () => !leaderAlive() && members().length === 0,
    send(name: 'SIGTERM' | 'SIGKILL') {
      if (leaderAlive()) signalGroup(pid, name);
      else for (const member of members()) signalProcess(member, name);
    },
  };
  if (target.isGone()) return;
  await endInSteps(target, clock, { signal });
  throwIfAborted(signal);
}

function parseStartedAt(text: string): readonly [bootId: string, startTime: string, run: string] | undefined {
  try {
    return startedAtSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
