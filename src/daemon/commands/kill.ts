import { AgentContainersError } from '../../errors.ts';
import type { WireProcess } from '../../http/runtime-wire-schemas.ts';
import { parseDurationFlag } from '../duration.ts';
import { EXIT } from '../exit-codes.ts';
import { explainTo } from '../output/explain.ts';
import { plainText } from '../output/plain-text.ts';
import { killPath, signalPath } from '../session/process-paths.ts';
import { survivorsText } from './conclude-exit.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';
import { sendAboutProcess } from './process-list.ts';
import { stateOf } from './ps.ts';

const LONGEST_GRACE_MS = 60_000;

export interface KillFlags extends LocationFlags {
  /** One signal to the command, instead of an end of the whole tree. */
  readonly signal?: string;
  /** Between TERM and KILL. */
  readonly grace?: string;
}

/** Ends a command with all that it has started. Exit code 1 when some of it could not be ended. */
export async function kill(
  { client, output }: CommandContext,
  flags: KillFlags,
  name: string,
  processId: string,
): Promise<number> {
  if (flags.signal !== undefined && flags.grace !== undefined) {
    throw new AgentContainersError(
      'invalid-request',
      'Ending the process failed: --grace is for an end of the whole tree, and --signal sends one signal instead. Give one of them.',
    );
  }
  const grace =
    flags.grace === undefined
      ? {}
      : { grace_ms: parseDurationFlag('--grace', flags.grace, { min: 0, max: LONGEST_GRACE_MS }) };
  const entry = await findDevcontainer(client, name);
  const base = devcontainerPath(entry.id);
  if (flags.signal !== undefined) {
    const signal = flags.signal.toUpperCase().replace(/^SIG/, '');
    const request = { method: 'POST', path: signalPath(base, processId), body: { signal } } as const;
    await sendAboutProcess(client, request, processId, entry.name);
    output.result({ id: processId, signal });
    output.line(`${plainText(processId)} was sent ${plainText(signal)}.`);
    return EXIT.ok;
  }

  const request = { method: 'POST', path: killPath(base, processId), body: grace } as const;
  const { body } = await sendAboutProcess(client, request, processId, entry.name);
  const process = body as WireProcess;
  output.result(process);
  const survivors = survivorsOf(process);
  if (survivors.length > 0) {
    explainTo(output).error(survivorsText(survivors));
    return EXIT.failed;
  }
  output.line(`${plainText(process.id)} has ended with all that it had started: ${plainText(stateOf(process))}.`);
  return EXIT.ok;
}

function survivorsOf({ running, exit, pid }: WireProcess): readonly (number | string)[] {
  if (exit !== undefined) return exit.survivors;
  return running ? [pid ?? 'its main process'] : [];
}
