import type { WireExit } from '../../http/runtime-wire-schemas.ts';
import { signalCode } from '../../process/signal-code.ts';
import { EXIT } from '../exit-codes.ts';
import type { Explain } from '../output/explain.ts';
import type { SessionEnd } from '../session/run-session.ts';

/**
 * The exit code for the end of a command: the command's own, 128+n for signal n, 124 for a time-out, else 1; whatever is
 * not the command's own with a reason.
 *
 * @param exit fields that the end of a stream of lines leaves out count as none
 */
export function conclude(
  exit: Pick<WireExit, 'code' | 'signal' | 'reason'> & {
    readonly survivors?: readonly number[] | undefined;
    readonly background_held?: boolean | undefined;
  },
  explain: Explain,
): number {
  const { survivors = [], background_held: isHeld = false } = exit;
  const bySignal = exit.signal === null ? undefined : signalCode(exit.signal);
  const own = exit.code ?? bySignal;
  const code = {
    exit: own ?? EXIT.failed,
    signal: own ?? EXIT.failed,
    timeout: EXIT.timedOut,
    oom: own ?? 137,
    killed: own ?? 137,
    lost: exit.code || EXIT.failed,
  }[exit.reason];
  const why = whyOf(exit);
  if (why !== undefined) explain.error(`Running the command failed: ${why}.`);
  if (survivors.length > 0) {
    explain.error(survivorsText(survivors));
  } else if (isHeld && exit.reason === 'exit') {
    explain.note('What the command has started still runs in the background; what that writes is not shown here.');
  }
  return code;
}

/** @param survivors process ids in the container, or what stands for one */
export function survivorsText(survivors: readonly (number | string)[]): string {
  return `These processes may be of it, and were not or could not be ended: ${survivors.join(', ')}.`;
}

function whyOf({ reason, code, signal }: Pick<WireExit, 'code' | 'signal' | 'reason'>): string | undefined {
  if (reason === 'timeout') return 'its time was up; it was ended with all that it had started';
  if (reason === 'oom') return 'it was ended, since the container has no memory left';
  if (reason === 'killed') return 'it was ended from elsewhere';
  if (reason === 'lost') return 'its container has ended, or what ran it there';
  return code === null && signal === null ? 'nobody knows how it ended' : undefined;
}

/** The exit code when a session was left; 0 when a person did so by keys. */
export function leftCode(by: Extract<SessionEnd, { kind: 'left' }>['by']): number {
  if (by === 'keys') return EXIT.ok;
  return typeof by === 'object' ? by.output : (signalCode(by) ?? EXIT.failed);
}
