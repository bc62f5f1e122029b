import type { VolumesOption } from '../../agentcontainers/api.ts';
import type { WireDevcontainer, WireRemovalPlan } from '../../http/wire-schemas.ts';
import { EXIT } from '../exit-codes.ts';
import type { Output } from '../output/output.ts';
import { plainText } from '../output/plain-text.ts';
import { createProgress } from '../output/progress.ts';
import { renderTable } from '../output/table.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';

export interface RemoveFlags extends LocationFlags {
  /** `true`: given without a value, which means `anonymous`. */
  readonly volumes?: VolumesOption | true;
  readonly dryRun?: boolean;
}

export async function remove({ client, output }: CommandContext, flags: RemoveFlags, name: string): Promise<number> {
  const entry = await findDevcontainer(client, name);
  const query = new URLSearchParams();
  if (flags.volumes !== undefined) query.set('volumes', flags.volumes === true ? 'anonymous' : flags.volumes);
  if (flags.dryRun === true) query.set('dry_run', 'true');
  const path = devcontainerPath(entry.id, query.size === 0 ? '' : `?${query.toString()}`);
  if (flags.dryRun === true) {
    const { body } = await client.send({ method: 'DELETE', path });
    output.result({ devcontainer: entry, plan: body });
    printPlan(output, entry, body as WireRemovalPlan);
    return EXIT.ok;
  }
  const progress = createProgress(output, entry.name);
  progress.phase('remove');
  try {
    await client.send({ method: 'DELETE', path });
  } finally {
    progress.end();
  }
  output.result({ removed: entry });
  output.line(`Removed ${plainText(entry.name)}. The folder ${plainText(entry.workspace_folder)} is untouched.`);
  return EXIT.ok;
}

function printPlan(output: Output, entry: WireDevcontainer, plan: WireRemovalPlan): void {
  const rows = [
    ...plan.containers.map((name) => ['container', name]),
    ...plan.volumes.map((name) => ['volume', name]),
    ...plan.networks.map((name) => ['network', name]),
  ];
  const name = plainText(entry.name);
  if (rows.length === 0) output.line(`Of ${name} nothing is there to be removed.`);
  else {
    const columns = [{ title: 'WOULD GO' }, { title: 'NAME', shrink: 1 }];
    for (const line of renderTable(columns, rows, output.width, output.colors.bold)) output.line(line);
  }
  output.line(
    plan.entry_goes
      ? `${name} would not be listed any more. Nothing was changed.`
      : `${name} would stay listed as stopped. Nothing was changed.`,
  );
}
