import { AgentContainersError } from '../../errors.ts';
import { LOGIN_SHELL } from '../../http/login-shell.ts';
import type { StartBody, WireProcess } from '../../http/runtime-wire-schemas.ts';
import { EXIT } from '../exit-codes.ts';
import { plainText } from '../output/plain-text.ts';
import type { SessionWorld } from '../session/run-session.ts';
import { processWorld } from '../session/session-world.ts';
import { isInteractive, terminalSize } from '../terminal/local-terminal.ts';
import { attachTo } from './attach.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';
import { startFields, type StartFlags } from './start-fields.ts';
import { concludeRefusal, isTerminalRefused, withoutTerminal } from './terminal-refusals.ts';

export type ShellFlags = LocationFlags & StartFlags;

/** Opens a shell that goes on when it is left. With --json it is only started, and described. */
export async function shell(
  context: CommandContext,
  flags: ShellFlags,
  name: string,
  world: SessionWorld = processWorld(),
): Promise<number> {
  const { client, output } = context;
  if (!output.json && !isInteractive(world.stdio)) {
    throw new AgentContainersError(
      'invalid-request',
      `Opening a shell failed: standard input and standard output are not both a terminal. Run a command instead: agentcontainers exec ${plainText(name)} -- <command>`,
    );
  }
  const entry = await findDevcontainer(client, name);
  const base = devcontainerPath(entry.id);
  const start: StartBody = {
    argv: [...LOGIN_SHELL],
    tty: terminalSize(world.stdio),
    ...startFields(flags),
  };
  let process: WireProcess;
  try {
    process = (await client.send({ method: 'POST', path: `${base}/processes`, body: start })).body as WireProcess;
  } catch (error) {
    if (isTerminalRefused(error)) throw withoutTerminal(error, entry.name);
    return concludeRefusal(output, error, entry.name);
  }
  if (output.json) {
    output.result(process);
    return EXIT.ok;
  }
  return attachTo(context, { base, name: entry.name, process, flags: {}, isWatching: false }, world);
}
