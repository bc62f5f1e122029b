import { basename, resolve } from 'node:path';
import { AgentContainersError } from '../../errors.ts';
import type { WireReceipt } from '../../http/wire-schemas.ts';
import { candidates, looksLikePath, resolveName } from '../client/resolve-name.ts';
import { startDaemon } from '../client/start-daemon.ts';
import { type CommandContext, listDevcontainers, realFolder } from './context.ts';
import { concludeRequest, type WaitFlags } from './lifecycle.ts';

export async function up(
  context: CommandContext,
  flags: WaitFlags & { readonly config?: string },
  name: string,
): Promise<number> {
  const folder = await realFolder(name);
  if (folder === undefined && looksLikePath(name)) {
    throw new AgentContainersError(
      'folder-not-found',
      `Bringing up "${name}" failed: there is no folder ${resolve(name)}.`,
    );
  }
  // A name cannot tell a new daemon what to look after, a folder can.
  if (folder !== undefined && !(await context.client.answers())) await startDaemon(context, folder);

  const target = await findTarget(context, flags, name, folder);
  const { body } = await context.client.send({ method: 'POST', path: '/devcontainers', body: target });
  return concludeRequest(context, flags, body as WireReceipt, {
    title: basename(target.workspace_folder),
    agent: true,
  });
}

interface Target {
  readonly workspace_folder: string;
  readonly config_path?: string;
}

/** A known entry by any name, else the folder, whose configuration the daemon finds. */
async function findTarget(
  { client }: CommandContext,
  { config }: { readonly config?: string },
  text: string,
  folder: string | undefined,
): Promise<Target> {
  const entries = await listDevcontainers(client);
  const query = { text, folder };
  if (config !== undefined) {
    const workspaceFolder = folder ?? resolveName(query, entries).workspace_folder;
    return { workspace_folder: workspaceFolder, config_path: resolve(workspaceFolder, config) };
  }
  if (folder !== undefined && candidates(query, entries).length === 0) return { workspace_folder: folder };
  const entry = resolveName(query, entries);
  return {
    workspace_folder: entry.workspace_folder,
    ...(entry.config_path === undefined ? {} : { config_path: entry.config_path }),
  };
}
