import { fstatSync, type Stats } from 'node:fs';
import { AgentContainersError } from '../../errors.ts';
import { LIMITS } from '../../http/limits.ts';
import type { StartBody } from '../../http/runtime-wire-schemas.ts';
import { parseDurationFlag } from '../duration.ts';
import { explainTo } from '../output/explain.ts';
import { runSession, type SessionEnd, type SessionWorld } from '../session/run-session.ts';
import { processWorld } from '../session/session-world.ts';
import { isInteractive, terminalSize } from '../terminal/local-terminal.ts';
import { conclude, leftCode } from './conclude-exit.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';
import { startFields, type StartFlags } from './start-fields.ts';
import { concludeRefusal, isTerminalRefused, withoutTerminal } from './terminal-refusals.ts';

export interface ExecFlags extends StartFlags {
  /** Undefined: when it is a file, or the terminal that the command runs in. */
  readonly stdin?: boolean;
  /** Undefined: when both standard input and standard output are terminals. */
  readonly tty?: boolean;
  readonly timeout?: string;
}

/** Runs the command, connected with our standard streams, and returns its exit code. */
export async function exec(
  context: CommandContext,
  flags: LocationFlags & ExecFlags,
  name: string,
  argv: readonly string[],
  world: SessionWorld = processWorld(),
  stdin: Pick<Stats, 'isFile' | 'isFIFO'> | undefined = standardInput(),
): Promise<number> {
  const { client, output } = context;
  // Commander leaves the separator in when it comes after the name.
  const words = argv[0] === '--' ? argv.slice(1) : [...argv];
  if ((words[0] ?? '').length > LIMITS.programChars) {
    throw new AgentContainersError(
      'invalid-request',
      `Running the command failed: the name of the program has more than ${LIMITS.programChars} characters. Put what is long into its arguments.`,
    );
  }
  const timeout = flags.timeout === undefined ? undefined : parseDurationFlag('--timeout', flags.timeout);
  const { json } = output;
  const isByDefault = flags.tty === undefined && flags.stdin !== false && isInteractive(world.stdio);
  const tty = !json && (flags.tty ?? isByDefault);
  const readsInput =
    readsStandardInput(flags.stdin, stdin) || (flags.stdin === undefined && tty && isInteractive(world.stdio));

  const entry = await findDevcontainer(client, name);
  if (flags.stdin === undefined && stdin?.isFIFO() === true && world.stdio.stderr.isTTY) {
    output.note('Standard input is a pipe and was not read; -i passes it on.');
  }
  const base = devcontainerPath(entry.id);
  const start: StartBody = {
    argv: words,
    ...startFields(flags),
    ...(timeout === undefined ? {} : { timeout_ms: timeout }),
    ...(readsInput ? { stdin: true } : {}),
  };
  checkSize(start);
  if (json) {
    const { execLines } = await import('./exec-lines.ts');
    return execLines(context, base, start, readsInput ? world.stdio.stdin : undefined).catch((error: unknown) =>
      concludeRefusal(output, error, entry.name),
    );
  }

  const explain = explainTo(output);
  const run = (inTerminal: boolean): Promise<SessionEnd> =>
    runSession(
      {
        client,
        base,
        open: { start: inTerminal ? { ...start, tty: terminalSize(world.stdio) } : start },
        tty: inTerminal,
        input: readsInput ? 'pass' : 'none',
        note: output.note,
      },
      world,
    );
  try {
    const end = await run(tty).catch((error: unknown) => {
      if (!tty || !isTerminalRefused(error)) throw error;
      if (!isByDefault) throw withoutTerminal(error, entry.name);
      output.note('Only a resident can give it a terminal, and none runs in this container: running it without one.');
      return run(false);
    });
    return end.kind === 'left' ? leftCode(end.by) : conclude(end.exit, explain);
  } catch (error) {
    return concludeRefusal(output, error, entry.name);
  }
}

/** A file has an end. A pipe may be one that whoever started us keeps open and never writes to: only if asked for. */
export function readsStandardInput(flag: boolean | undefined, stdin: { isFile(): boolean } | undefined): boolean {
  return flag ?? stdin?.isFile() ?? false;
}

function standardInput(): Stats | undefined {
  try {
    return fstatSync(0);
  } catch {
    return undefined;
  }
}

function checkSize(start: StartBody): void {
  if (Buffer.byteLength(JSON.stringify(start)) <= LIMITS.bodyBytes) return;
  throw new AgentContainersError(
    'invalid-request',
    'Running the command failed: it is longer than 1 MiB. Pass what is long as standard input.',
  );
}
