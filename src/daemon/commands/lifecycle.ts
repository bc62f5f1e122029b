import type { WireReceipt } from '../../http/wire-schemas.ts';
import { plainText } from '../output/plain-text.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';
import { concludeOperation, followOperation } from './follow-operation.ts';

export interface WaitFlags extends LocationFlags {
  readonly wait: boolean;
  readonly verbose?: boolean;
}

export async function lifecycle(
  context: CommandContext,
  flags: WaitFlags,
  action: 'recreate' | 'start' | 'stop' | 'restart',
  name: string,
): Promise<number> {
  const entry = await findDevcontainer(context.client, name);
  const { body } = await context.client.send({ method: 'POST', path: devcontainerPath(entry.id, `/${action}`) });
  return concludeRequest(context, flags, body as WireReceipt, { title: entry.name, agent: action !== 'stop' });
}

/** Follows an accepted request to its end, or says how to when it is not to be waited for. */
export async function concludeRequest(
  { client, output }: CommandContext,
  flags: WaitFlags,
  receipt: WireReceipt,
  shown: { readonly title: string; readonly agent: boolean },
): Promise<number> {
  if (!flags.wait) {
    output.result(receipt);
    output.line(`${plainText(receipt.message)}. Follow it with \`agentcontainers logs -f ${plainText(shown.title)}\`.`);
    return 0;
  }
  const followed = await followOperation(client, output, receipt, { ...shown, verbose: flags.verbose === true });
  return concludeOperation(output, followed);
}
