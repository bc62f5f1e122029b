import { posix } from 'node:path';
import type { CommandSpec } from '../ports.ts';
import { AgentContainersError } from '../../errors.ts';
import { checkCommand } from '../check-command.ts';
import { needsResident } from './needs-resident.ts';

export interface CommandLine {
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
}

/** $1: names to remove from the environment, one in a line; $2: `merged` or nothing; the rest: the command. */
const WRAPPER = `names=$1 how=$2
shift 2
for name in $names; do unset "$name"; done
[ "$how" = merged ] && exec "$@" 2>&1
exec "$@"`;
const USER_SHELL = 'exec "${SHELL:-/bin/sh}" -c "$1"';

/**
 * A command as the engine's exec takes it. Goes through `/bin/sh` only where it has to: for a line, for merged output and
 * to remove a variable. Throws `invalid-request`, and `runtime-unavailable` for what only a resident does.
 */
export function commandLine(
  spec: CommandSpec,
  world: { readonly workingDir: string; readonly env: Readonly<Record<string, string>> },
): CommandLine {
  const { argv, command } = spec;
  if (spec.tty) throw needsResident('Opening a terminal', "the engine's exec of this daemon has none");
  if (spec.overflow === 'spill') throw needsResident('Running a command', 'its output cannot be kept in a file');
  checkCommand(spec);
  const given = command === undefined ? (argv ?? []) : ['/bin/sh', '-c', USER_SHELL, 'sh', command];
  const env = { ...world.env, ...spec.env };
  const removed = Object.keys(env).filter((name) => env[name] === null);
  for (const name of removed) {
    if (!/^[A-Za-z_]\w*$/.test(name)) {
      throw new AgentContainersError(
        'invalid-request',
        `Starting a command failed: ${JSON.stringify(name)} is no name.`,
      );
    }
  }
  const isWrapped = removed.length > 0 || spec.merged === true;
  return {
    argv: isWrapped
      ? ['/bin/sh', '-c', WRAPPER, 'sh', removed.join(' '), spec.merged ? 'merged' : '', ...given]
      : given,
    env: Object.entries(env).flatMap(([name, value]) => (value === null ? [] : [`${name}=${value}`])),
    workingDir: posix.resolve(world.workingDir, spec.cwd ?? '.'),
  };
}
