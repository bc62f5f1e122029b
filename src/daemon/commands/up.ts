import { basename, resolve } from 'node:path';
import { AgentContainersError, isAgentContainersError } from '../../errors.ts';
import type { WireDevcontainer, WireReceipt } from '../../http/wire-schemas.ts';
import { candidates, looksLikePath, resolveName } from '../client/resolve-name.ts';
import { startDaemon } from '../client/start-daemon.ts';
import { plainText } from '../output/plain-text.ts';
import { concludeOperation, isUntrusted } from './conclude-operation.ts';
import { type CommandContext, listDevcontainers, realFolder } from './context.ts';
import { getDevcontainer } from './follow-operation.ts';
import { followRequest, type WaitFlags } from './lifecycle.ts';
import { withNextStep } from './refused.ts';
import { accept, showVerdict, verdictOf } from './trust.ts';

export interface UpFlags extends WaitFlags {
  readonly config?: string;
  /** Accept what the configuration can do to this machine, once it was shown. */
  readonly trust?: boolean;
}

export async function up(context: CommandContext, flags: UpFlags, name: string): Promise<number> {
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
  if (flags.trust === true) await acceptShown(context, await entryOf(context, target));
  const receipt = await request(context, flags, target);
  const shown = { title: basename(target.workspace_folder), agent: true };
  let followed = await followRequest(context, flags, receipt, shown);
  // What an image asks for is known only once it is there.
  if (flags.trust === true && typeof followed !== 'number' && isUntrusted(followed.devcontainer)) {
    const entry = followed.devcontainer;
    await acceptShown(context, entry);
    if (followed.operation.status === 'failed') {
      followed = await followRequest(context, flags, await post(context, target), shown);
    } else {
      followed = { ...followed, devcontainer: entry && (await getDevcontainer(context.client, entry.id)) };
      const next = `agentcontainers recreate ${plainText(entry?.name ?? '')}`;
      context.output.note(`It was accepted only now, so its initializeCommand was left out. To run it: ${next}`);
    }
  }
  return typeof followed === 'number' ? followed : concludeOperation(context.output, followed);
}

/** Asks for it; with `--trust` again, when what was refused has been shown and accepted. */
async function request(context: CommandContext, flags: UpFlags, target: Target): Promise<WireReceipt> {
  try {
    return await post(context, target);
  } catch (error) {
    if (!isAgentContainersError(error, 'devcontainer-not-trusted', 'verdict-changed')) throw error;
    // Known from now on, since it was asked for.
    const entry = await entryOf(context, target);
    if (flags.trust !== true || entry === undefined) throw withNextStep(error, entry?.name ?? target.workspace_folder);
    await acceptShown(context, entry);
    return post(context, target);
  }
}

async function post({ client }: CommandContext, target: Target): Promise<WireReceipt> {
  return (await client.send({ method: 'POST', path: '/devcontainers', body: target })).body as WireReceipt;
}

/** Gives trust in what it shows, if that is not trusted yet. */
async function acceptShown(context: CommandContext, entry: WireDevcontainer | undefined): Promise<void> {
  if (!entry || !isUntrusted(entry)) return;
  const whole = await getDevcontainer(context.client, entry.id);
  const verdict = verdictOf(whole);
  showVerdict(context.output, whole, verdict);
  await accept(context, whole, verdict.hash);
  context.output.line('Accepted, as --trust says.');
}

async function entryOf({ client }: CommandContext, target: Target): Promise<WireDevcontainer | undefined> {
  const entries = await listDevcontainers(client);
  const ofFolder = entries.filter(({ workspace_folder: folder }) => folder === target.workspace_folder);
  const exact = ofFolder.filter(({ config_path: path }) => path === target.config_path);
  // Of several configurations one was named, or the request was refused.
  return target.config_path === undefined ? (ofFolder.length === 1 ? ofFolder[0] : undefined) : exact[0];
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
