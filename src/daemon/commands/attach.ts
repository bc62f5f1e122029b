import { AgentContainersError } from '../../errors.ts';
import type { WireProcess } from '../../http/runtime-wire-schemas.ts';
import { EXIT } from '../exit-codes.ts';
import { explainTo } from '../output/explain.ts';
import { plainText } from '../output/plain-text.ts';
import { processPath } from '../session/process-paths.ts';
import { runSession, type SessionRequest, type SessionWorld } from '../session/run-session.ts';
import { processWorld } from '../session/session-world.ts';
import { isInteractive } from '../terminal/local-terminal.ts';
import { conclude, leftCode } from './conclude-exit.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';
import { getProcess } from './process-list.ts';

export interface AttachFlags extends LocationFlags {
  readonly readOnly?: boolean;
  /** Undefined: what is typed goes to a terminal, and nothing to anything else. */
  readonly stdin?: boolean;
}

/** Shows a process from what is kept of its output on, and passes on what is typed. */
export async function attach(
  context: CommandContext,
  flags: AttachFlags,
  name: string,
  processId: string,
  world: SessionWorld = processWorld(),
): Promise<number> {
  const { client, output } = context;
  const entry = await findDevcontainer(client, name);
  const base = devcontainerPath(entry.id);
  const process = await getProcess(client, base, processId, entry.name);
  if (output.json) {
    const { printLines } = await import('./exec-lines.ts');
    const path = processPath(base, process.id, '/output?offset=0&follow=true');
    return printLines(output, await client.stream({ method: 'GET', path }), client.socket);
  }
  const isWatching = flags.readOnly === true || flags.stdin === false;
  if (process.tty !== null && process.running && !isWatching && !isInteractive(world.stdio)) {
    throw new AgentContainersError(
      'invalid-request',
      'Attaching to the terminal failed: standard input and standard output are not both a terminal. Show what it writes with --read-only.',
    );
  }
  if (process.tty === null && process.output.start > 0) {
    output.note(`The first ${process.output.start} bytes of its output are no longer kept.`);
  }
  return attachTo(context, { base, name: entry.name, process, flags, isWatching }, world);
}

/** The same, to a process that is known. What it ends with is told, and how to come back when it was left. */
export async function attachTo(
  { client, output }: CommandContext,
  to: {
    readonly base: string;
    readonly name: string;
    readonly process: WireProcess;
    readonly flags: AttachFlags;
    readonly isWatching: boolean;
  },
  world: SessionWorld,
): Promise<number> {
  const { base, name, process, flags } = to;
  const tty = process.tty !== null;
  const end = await runSession(
    {
      client,
      base,
      open: { process: process.id, readOnly: flags.readOnly === true },
      tty: tty && !(to.isWatching && world.stdio.stdout.isTTY !== true),
      input: inputOf(tty, to.isWatching, flags, world),
      note: output.note,
    },
    world,
  );
  if (end.kind === 'exit') return conclude(end.exit, explainTo(output));
  const back = `agentcontainers attach ${plainText(name)} ${plainText(process.id)}`;
  // A reader that has seen enough wants no word about it.
  if (typeof end.by !== 'object') output.note(`${tty ? '\r' : ''}It runs on. Come back to it with: ${back}`);
  return end.by === 'keys' ? EXIT.ok : leftCode(end.by);
}

function inputOf(
  tty: boolean,
  isWatching: boolean,
  flags: AttachFlags,
  { stdio }: SessionWorld,
): SessionRequest['input'] {
  if (isWatching) return tty && isInteractive(stdio) ? 'watch' : 'none';
  if (tty) return 'keys';
  return flags.stdin === true ? 'pass' : 'none';
}
