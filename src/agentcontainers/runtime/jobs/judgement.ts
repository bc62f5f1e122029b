import { AgentContainersError } from '../../../errors.ts';
import type { Entry } from '../../model/state.ts';
import { isAccepted, permissionOf, type Finding, type Verdict } from '../../model/verdict.ts';
import type { UpRequest } from '../../ports.ts';
import { readInTime } from './read-in-time.ts';
import { verdictOf } from '../verdict-of.ts';
import { notTrusted, type UpJob } from './up-job.ts';

/**
 * What one `up` may do to the host. It goes by what this job itself has read, never by what the state says: the files may
 * be others by now, and be others again when they are looked at next.
 */
export interface Judgement {
  /** Of the files as this job read them, and of the image that it built. */
  readonly verdict: Verdict;
  /** A container that is there is started as it was made: that takes no trust, only the command on the host does. */
  readonly isStart: boolean;
}

/**
 * Whether the command on the host must be left out. Throws `devcontainer-not-trusted` when more than that was not
 * accepted, or nobody may start this by itself.
 */
export function leavesOutInitializeCommand({ rt, id, cause }: UpJob, { verdict, isStart }: Judgement): boolean {
  const entry = rt.store.state.entries.get(id);
  const { settings } = rt.store.state;
  const trustsAll = settings.trust === 'all';
  const permission = trustsAll ? 'all' : permissionOf(verdict, entry?.trust);
  const mayStartByItself = trustsAll || isAccepted(verdict, entry?.trust);
  const isRefused = cause === 'autostart' ? !mayStartByItself : permission === 'none' && !isStart;
  if (isRefused) throw notTrusted({ name: entry?.name ?? id, verdict });
  return permission !== 'all';
}

/** What a run of the CLI is allowed, as a request for it says that. Throws `devcontainer-not-trusted`. */
export function allowance(
  job: UpJob,
  entry: Entry,
  judgement: Judgement,
): Required<Pick<UpRequest, 'withoutInitializeCommand' | 'beforeSpawn'>> {
  const withoutInitializeCommand = leavesOutInitializeCommand(job, judgement);
  return {
    withoutInitializeCommand,
    async beforeSpawn() {
      // It waits for other builds before it begins, for as long as those take.
      if ((await judgeAgain(job, entry, judgement)) && !withoutInitializeCommand) throw changedMeanwhile();
    },
  };
}

/**
 * The same, at any later moment: nothing was written into the files meanwhile that was not judged, and nothing
 * that was accepted was taken back. A build and the end of the old container take their time, and who is inside a
 * container can write into its workspace.
 */
export async function judgeAgain(job: UpJob, { key }: Entry, judgement: Judgement): Promise<boolean> {
  const { rt, signal } = job;
  const { reading } = await readInTime({ rt, signal }, key);
  if (reading.kind !== 'valid' || reading.verdict.hash !== judgement.verdict.hash) throw changedMeanwhile();
  return leavesOutInitializeCommand(job, judgement);
}

function changedMeanwhile(): AgentContainersError {
  return new AgentContainersError(
    'verdict-changed',
    'Bringing up failed: the configuration was changed meanwhile in what it can do to the host, or in what of that is accepted. Look at it, and try again.',
  );
}

/** The verdict with what the image asks for in place of what an earlier one did. */
export function withImage(verdict: Verdict, before: readonly Finding[], now: readonly Finding[]): Verdict {
  const earlier = new Set(before.map((finding) => JSON.stringify(finding)));
  return verdictOf([...verdict.findings.filter((finding) => !earlier.has(JSON.stringify(finding))), ...now]);
}
