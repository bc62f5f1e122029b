import type { ContainerEngine } from '../ports.ts';
import type { Clock } from '../../clock/clock.ts';
import { isAgentContainersError, reasonOf } from '../../errors.ts';
import { plainLine } from '../../text/plain-text.ts';
import { failureReason, runShortCommand } from './run-short-command.ts';

/** By this variable the processes of one run are found again; children inherit it. Its value is no secret. */
export const RUN_ID_VARIABLE = 'AGENTCONTAINERS_RUN_ID';

/**
 * $1: RUN_ID_VARIABLE=<id>, $2: TERM or KILL. For dash, busybox ash and everything larger; it starts no program.
 *
 * TERM goes to the processes that began the run, each of which knows best how to end what it started. KILL goes to all:
 * those that carry the mark, and what descends from them without it, again and again until a look finds none, since a
 * process can start another between the look and the signal.
 */
const SCRIPT = `mark=$1
marked() {
  line=
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in *"$mark"*) return 0 ;; esac
    line=
  done 2>/dev/null <"/proc/$1/environ"
  return 1
}
parent_of() {
  parent= line=
  { IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null
  set -f; set -- \${line##*) }; set +f
  case \${1:-Z} in Z | X) ;; *) parent=$2 ;; esac
}
look() {
  found=' ' first=' '
  for dir in /proc/[0-9]*; do
    pid=\${dir#/proc/}
    [ "$pid" = "$$" ] && continue
    marked "$pid" && parent_of "$pid" && [ -n "$parent" ] && found="$found$pid "
  done
  for pid in $found; do
    parent_of "$pid"
    case $found in *" $parent "*) ;; *) first="$first$pid " ;; esac
  done
}
descend() {
  rounds=0 grew=yes
  while [ -n "$grew" ] && [ "$rounds" -lt 20 ]; do
    rounds=$((rounds + 1)) grew=
    for dir in /proc/[0-9]*; do
      pid=\${dir#/proc/}
      case $found in *" $pid "*) continue ;; esac
      parent_of "$pid"
      [ -n "$parent" ] && case $found in *" $parent "*) found="$found$pid " grew=yes ;; esac
    done
  done
}
look
if [ "$2" = TERM ]; then
  [ "$first" = ' ' ] || kill -TERM $first 2>/dev/null
  exit 0
fi
passes=0
while [ "$found" != ' ' ]; do
  [ "$passes" -ge 50 ] && { echo 'its processes do not go away' >&2; exit 1; }
  passes=$((passes + 1))
  descend
  kill -KILL $found 2>/dev/null
  look
done
exit 0`;

export interface SignalRequest {
  readonly containerId: string;
  readonly runId: string;
  /** As whom it runs: nobody else may look at its environment, not even root without further rights. */
  readonly user: string | undefined;
  readonly signal: 'TERM' | 'KILL';
  readonly timeoutMs: number;
  readonly abort: AbortSignal;
}

/**
 * Sends a signal to the processes of one run through a shell in the container; the engine itself has no call for it.
 * Resolves with the reason when it could not, as the end of a sentence. Never rejects.
 */
export async function signalProcesses(
  engine: ContainerEngine,
  clock: Clock,
  { containerId, runId, user, signal, timeoutMs, abort }: SignalRequest,
): Promise<string | undefined> {
  try {
    const argv = ['/bin/sh', '-c', SCRIPT, 'sh', `${RUN_ID_VARIABLE}=${runId}`, signal];
    const result = await runShortCommand(engine, clock, { containerId, argv, user, timeoutMs }, abort);
    if (result.exitCode === 0) return undefined;
    return result.exitCode === 126 || result.exitCode === 127
      ? 'the container has no /bin/sh that could do it'
      : plainLine(failureReason(result));
  } catch (error) {
    if (isAgentContainersError(error, 'engine-object-not-found')) return 'the container is gone';
    return plainLine(reasonOf(error));
  }
}
