import type { WireReceipt } from '../../http/wire-schemas.ts';
import { type CommandContext, devcontainerPath, findDevcontainer } from './context.ts';
import { concludeRequest, type WaitFlags } from './lifecycle.ts';
import { sendAbout } from './refused.ts';

/** Runs a lifecycle command of the configuration again in the container. */
export async function rerunHook(
  context: CommandContext,
  flags: WaitFlags,
  name: string,
  hook: string,
): Promise<number> {
  const entry = await findDevcontainer(context.client, name);
  const { body } = await sendAbout(context.client, entry.name, {
    method: 'POST',
    path: devcontainerPath(entry.id, `/hooks/${encodeURIComponent(hook)}`),
  });
  return concludeRequest(context, flags, body as WireReceipt, { title: entry.name, agent: false });
}
