import type { WireDevcontainer, WireOperation } from '../../http/wire-schemas.ts';
import { formatDuration } from '../duration.ts';
import { EXIT } from '../exit-codes.ts';
import type { Output } from '../output/output.ts';
import { plainText } from '../output/plain-text.ts';
import { renderTable } from '../output/table.ts';
import type { CommandContext } from './context.ts';
import { findDevcontainerById, getOperation, toProgressStep } from './follow-operation.ts';
import { concludeRequest, type WaitFlags } from './lifecycle.ts';
import { readLogTail } from './logs.ts';

/** Shows a piece of long work by the id that its request answered; with `follow` until it has ended. */
export async function operation(
  context: CommandContext,
  flags: Omit<WaitFlags, 'wait'> & { readonly follow?: boolean },
  id: string,
): Promise<number> {
  const { client, output } = context;
  const found = await getOperation(client, id);
  const devcontainer = await findDevcontainerById(client, found.devcontainer_id);
  const title = devcontainer?.name ?? found.devcontainer_id;
  if (flags.follow === true) {
    const receipt = { message: '', operation_id: found.id, devcontainer_id: found.devcontainer_id };
    return concludeRequest(context, { ...flags, wait: true }, receipt, { title, agent: false });
  }
  output.result({ operation: found });
  printOperation(output, found, devcontainer, Date.now());
  if (found.status === 'failed') for (const line of await readLogTail(client, found)) output.line(`  ${line}`);
  return EXIT.ok;
}

export function printOperation(
  output: Output,
  { id, kind, status, started_at: begin, ended_at: end, error, steps }: WireOperation,
  devcontainer: WireDevcontainer | undefined,
  now: number,
): void {
  const { green, red, yellow, dim, bold } = output.colors;
  const name = plainText(devcontainer?.name ?? 'a dev container that was removed');
  const paint = { succeeded: green, failed: red, running: yellow, cancelled: dim, interrupted: red }[status];
  const elapsed = (from: string, to: string | undefined): string =>
    formatDuration(Math.max(0, (to === undefined ? now : Date.parse(to)) - Date.parse(from)));
  output.line(`${kind} of ${name}: ${paint(status)}, ${elapsed(begin, end)}${end === undefined ? ' so far' : ''}`);
  if (steps.length > 0) {
    const rows = steps.map((step) => [
      toProgressStep(step).name,
      elapsed(step.started_at, step.ended_at) + (step.ended_at === undefined ? ' …' : ''),
    ]);
    for (const line of renderTable([{ title: 'STEP' }, { title: 'TIME' }], rows, output.width, bold)) output.line(line);
  }
  if (error !== undefined) output.line(`${red('error:')} ${plainText(error)}`);
  if (status === 'running') output.line(`Follow it with \`agentcontainers operation --follow ${plainText(id)}\`.`);
  else if (devcontainer) output.line(`Log: agentcontainers logs ${name}`);
}
