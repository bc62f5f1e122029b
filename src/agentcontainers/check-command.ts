import { AgentContainersError } from '../errors.ts';
import type { CommandSpec } from './ports.ts';

/** Throws `invalid-request` unless exactly one of `argv` and `command` is given, and not empty. */
export function checkCommand({ argv, command }: Pick<CommandSpec, 'argv' | 'command'>): void {
  if ((argv === undefined) === (command === undefined)) throw invalid('give exactly one of argv and command');
  if (argv !== undefined && (argv.length === 0 || argv[0] === '')) throw invalid('argv is empty');
  if (command !== undefined && command.trim() === '') throw invalid('the command is empty');
}

function invalid(reason: string): AgentContainersError {
  return new AgentContainersError('invalid-request', `Starting a command failed: ${reason}.`);
}
