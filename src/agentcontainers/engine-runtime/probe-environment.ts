import { randomBytes } from 'node:crypto';
import type { ContainerEngine, UserEnvProbe } from '../ports.ts';
import type { Clock } from '../../clock/clock.ts';
import { AgentContainersError, isAgentContainersError } from '../../errors.ts';
import { runShortCommand } from './run-short-command.ts';
import { RUN_ID_VARIABLE, signalProcesses } from './signal-processes.ts';

export interface ProbeRequest {
  readonly containerId: string;
  /** `undefined`: the container's own. */
  readonly user: string | undefined;
  readonly mode: UserEnvProbe;
  /** `KEY=value`, of the container. */
  readonly containerEnv: readonly string[];
}

/** Shells read profiles that people wrote: what they start takes its time, and may never come to an end. */
const PROBE_TIMEOUT_MS = 10_000;
const KILL_TIMEOUT_MS = 3_000;
const MAX_BYTES = 256 * 1024;
/** Room for what profiles print before and after. */
const KEPT_BYTES = MAX_BYTES + 64 * 1024;
const NO_SHELL = 127;

/** Of a shell alone: its folder, how deep it is, and our mark. */
const OWN_VARIABLES = new Set(['PWD', 'OLDPWD', 'SHLVL', '_', RUN_ID_VARIABLE]);

const FLAGS = {
  loginShell: 'l',
  interactiveShell: 'i',
  loginInteractiveShell: 'li',
} as const satisfies Record<Exclude<UserEnvProbe, 'none'>, string>;

/**
 * $1: a mark, $2: letters of how the shell begins. For dash, busybox ash and everything larger; it starts only the shell. Its
 * own variables are set where nothing inherits them. busybox shows its greeting after the first line that it echoes.
 */
const SCRIPT = `_ac_shell=$(
  uid= login=
  while read -r key value rest; do [ "$key" = Uid: ] && uid=$value; done </proc/self/status
  while IFS=: read -r name secret id group note home shell; do
    [ "$id" = "$uid" ] && [ -z "$login" ] && login=$shell
  done 2>/dev/null </etc/passwd
  shell=\${SHELL:-$login}
  case \${shell##*/} in (nologin | false) shell= ;; esac
  [ -x "$shell" ] || shell=/bin/sh
  printf %s "$shell"
)
case \${_ac_shell##*/}-$2 in
  pwsh*-*l*) set -- "$1" -Login -Command ;;
  pwsh*) set -- "$1" -Command ;;
  *) set -- "$1" "-$2c" ;;
esac
_ac_show="echo; echo $1; cat /proc/self/environ; echo $1"
shift
exec "$_ac_shell" "$@" "$_ac_show"`;

/**
 * What the profiles of a user make of the environment in a container, as the tools for dev containers find it out: a shell
 * is started as `userEnvProbe` says, and shows its own. Its search path is merged with the container's.
 *
 * Empty without any shell, and for `none`. Rejects when it could not be found out in 10 seconds and 256 KiB, and then
 * nothing of it is left, or with the signal's reason, and then the same holds as far as 3 seconds allow.
 */
export async function probeEnvironment(
  engine: ContainerEngine,
  clock: Clock,
  request: ProbeRequest,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const { containerId, user, mode, containerEnv } = request;
  if (mode === 'none') return {};
  signal.throwIfAborted();
  const runId = randomBytes(16).toString('hex');
  const mark = `environment-${randomBytes(16).toString('hex')}`;
  const argv = ['/bin/sh', '-c', SCRIPT, 'sh', mark, FLAGS[mode]];
  const env = [`${RUN_ID_VARIABLE}=${runId}`];
  try {
    const spec = { containerId, argv, user, env, timeoutMs: PROBE_TIMEOUT_MS, keptBytes: KEPT_BYTES };
    const result = await runShortCommand(engine, clock, spec, signal);
    const shown = between(result.stdout, mark);
    if (shown !== undefined) return withContainerPath(parse(shown), containerEnv, user);
    if (result.exitCode === NO_SHELL && result.stdout === '') return {};
    throw failed(reasonOf(result.exitCode));
  } catch (error) {
    // Also when nobody waits any more: nobody else would ever end it.
    const abort = new AbortController().signal;
    const target = { containerId, runId, user, signal: 'KILL', timeoutMs: KILL_TIMEOUT_MS, abort } as const;
    await signalProcesses(engine, clock, target);
    signal.throwIfAborted();
    if (!isAgentContainersError(error, 'timeout')) throw error;
    throw failed(`it takes longer than ${PROBE_TIMEOUT_MS / 1000} s`);
  }
}

function failed(reason: string): AgentContainersError {
  return new AgentContainersError(
    'engine-request-failed',
    `Probing the environment of the user failed: ${reason}. Correct the profiles of the user, or set userEnvProbe to "none".`,
  );
}

/** Without what the profiles printed: with `set -x` that is the values that they set. */
function reasonOf(exitCode: number | null): string {
  if (exitCode === null) return 'it ended without an exit code';
  return exitCode === 0 ? 'the shell did not show it' : `exit code ${exitCode}`;
}

/** The last of it: a shell that repeats its commands shows the mark before. */
function between(text: string, mark: string): string | undefined {
  const begin = text.indexOf(`${mark}\n`);
  const end = text.lastIndexOf(mark);
  if (begin < 0 || end <= begin) return undefined;
  const shown = text.slice(begin + mark.length + 1, end);
  if (Buffer.byteLength(shown) > MAX_BYTES) throw failed(`it is larger than ${MAX_BYTES / 1024} KiB`);
  return shown;
}

function parse(shown: string): Record<string, string> {
  const pairs = shown.split('\0').map((pair) => [pair.slice(0, pair.indexOf('=')), pair] as const);
  return Object.fromEntries(
    pairs
      // What is no UTF-8 would come back as something else.
      .filter(
        ([name, pair]) =>
          /^[^\s]+$/.test(name) && !OWN_VARIABLES.has(name) && !pair.includes('\uFFFD') && pair.includes('='),
      )
      .map(([name, pair]) => [name, pair.slice(name.length + 1)]),
  );
}

/** A profile may set the search path anew; what the image, or a feature, added to it stays in it all the same. */
function withContainerPath(
  environment: Record<string, string>,
  containerEnv: readonly string[],
  user: string | undefined,
): Record<string, string> {
  const shellPath = environment['PATH'];
  const containerPath = containerEnv.find((pair) => pair.startsWith('PATH='))?.slice('PATH='.length);
  if (!shellPath || !containerPath) return environment;
  const merged = shellPath.split(':');
  const isRoot = user === undefined || /^(?:root|0)(?::|$)/.test(user);
  let at = 0;
  for (const directory of containerPath.split(':')) {
    const found = merged.indexOf(directory);
    if (found >= 0) at = found + 1;
    // Those are for root alone, and its profile left them out for others.
    else if (isRoot || !/\/sbin(?:\/|$)/.test(directory)) merged.splice(at++, 0, directory);
  }
  return { ...environment, PATH: merged.join(':') };
}
