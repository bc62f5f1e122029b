import type { Command } from 'commander';
import type { CommandContext, LocationFlags } from './commands/context.ts';

/** Makes an action of commander out of a command: its arguments come after context and flags. */
export type Run = <T extends LocationFlags, A extends unknown[]>(
  work: (context: CommandContext, flags: T, ...rest: A) => Promise<number>,
) => (...values: unknown[]) => Promise<void>;

/** What the declarations of commands are written with. Nothing of what a command does is imported until it runs. */
export interface Declaring {
  readonly run: Run;
  /** A command that talks to a daemon; `help` comes after its options. */
  command(usage: string, description: string, help: string): Command;
  /** The same, for one whose end can be waited for. */
  longCommand(usage: string, description: string, help: string): Command;
}

/** A line that pipes into one of ours stands as it is. */
export const examples = (...lines: readonly string[]): string =>
  `\nExamples:\n${lines
    .map((line) => `  $ ${line.includes('| agentcontainers ') ? '' : 'agentcontainers '}${line}`)
    .join('\n')}\n`;
