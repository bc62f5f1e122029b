import type { WireReceipt } from '../../http/wire-schemas.ts';
import { EXIT } from '../exit-codes.ts';
import { plainText } from '../output/plain-text.ts';
import { concludeOperation } from './conclude-operation.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';
import { followOperation, type Followed } from './follow-operation.ts';
import { sendAbout } from './refused.ts';

export interface WaitFlags extends LocationFlags {
  readonly wait: boolean;
  readonly verbose?: boolean;
}

export async function lifecycle(
  context: CommandContext,
  flags: WaitFlags & { readonly force?: boolean },
  action: 'recreate' | 'start' | 'stop' | 'restart',
  name: string,
): Promise<number> {
  const entry = await findDevcontainer(context.client, name);
  const { body } = await sendAbout(context.client, entry.name, {
    method: 'POST',
    path: devcontainerPath(entry.id, `/${action}`),
    ...(flags.force === true ? { body: { force: true } } : {}),
  });
  return concludeRequest(context, flags, body as WireReceipt, { title: entry.name, agent: action !== 'stop' });
}

interface Shown {
  readonly title: string;
  readonly agent: boolean;
}

/** Follows an accepted request to its end, or says how to when it is not to be waited for. */
export async function concludeRequest(
  context: CommandContext,
  flags: WaitFlags,
  receipt: WireReceipt,
  shown: Shown,
): Promise<number> {
  const followed = await followRequest(context, flags, receipt, shown);
  return typeof followed === 'number' ? followed : concludeOperation(context.output, followed);
}

/** The same, but for the last words: resolves with an exit code when the end was not waited for. */
export async function followRequest(
  { client, output }: CommandContext,
  flags: WaitFlags,
  receipt: WireReceipt,
  shown: Shown,
): Promise<Followed | number> {
  const ways = `Log: agentcontainers logs -f ${plainText(shown.title)}; how it goes: agentcontainers operation ${plainText(receipt.operation_id)}`;
  if (!flags.wait) {
    output.result(receipt);
    output.line(`${plainText(receipt.message)}.`);
    output.note(ways);
    return EXIT.ok;
  }
  const leave = new AbortController();
  const onInterrupt = (): void => leave.abort();
  // Only the first: a second one ends the command as it would any other.
  process.once('SIGINT', onInterrupt);
  try {
    const options = { ...shown, verbose: flags.verbose === true, signal: leave.signal };
    const followed = await followOperation(client, output, receipt, options);
    if (followed !== undefined) return followed;
    output.result(receipt);
    output.note(`It goes on in the daemon. ${ways}`);
    return EXIT.interrupted;
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}
