import { plainText } from '../output/plain-text.ts';
import { createProgress } from '../output/progress.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';

export async function remove(
  { client, output }: CommandContext,
  flags: LocationFlags & { readonly volumes?: boolean },
  name: string,
): Promise<number> {
  const entry = await findDevcontainer(client, name);
  const progress = createProgress(output, entry.name);
  progress.phase('remove');
  try {
    await client.send({
      method: 'DELETE',
      path: devcontainerPath(entry.id, flags.volumes === true ? '?volumes=true' : ''),
    });
  } finally {
    progress.end();
  }
  output.result({ removed: entry });
  output.line(`Removed ${plainText(entry.name)}. The folder ${plainText(entry.workspace_folder)} is untouched.`);
  return 0;
}
