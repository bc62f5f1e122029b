import { bounded } from '../../async/abort.ts';
import { AgentContainersError, errorMessage } from '../../errors.ts';
import { FOLDER_TIMEOUT } from '../constants.ts';
import type { EntryKey } from '../model/devcontainer.ts';
import type { MadeFrom } from '../model/state.ts';
import type { ManifestDevcontainer } from '../options.ts';
import type { PersistedState } from '../ports.ts';
import { devcontainerId } from './devcontainer-id.ts';
import { restoreOperation } from './persistence.ts';
import type { Runtime } from './runtime.ts';

/** Registers what is known before any container was seen: the state of the last run, then the embedder's manifest. */
export async function registerKnown(rt: Runtime): Promise<{ readonly isStateKnown: boolean }> {
  const { logger, storage, clock } = rt.ports;
  let isStateKnown = false;
  try {
    const state = await storage.load();
    isStateKnown = state !== undefined;
    if (state) await restore(rt, state, clock.now());
    rt.persistence.begin();
  } catch (error) {
    logger.error(
      { err: error },
      `Reading the state of the last run failed: ${errorMessage(error)} It is left as it is, and nothing is written until a restart.`,
    );
  }
  // Looked at together, so that a dead mount with several of them is waited for once; registered in the given order.
  const manifest = rt.options.manifest ?? [];
  const found = await Promise.all(manifest.map((devcontainer) => lookAt(rt, devcontainer)));
  for (const [index, devcontainer] of manifest.entries()) {
    const key = found[index];
    if (key) registerManifest(rt, devcontainer, key);
  }
  return { isStateKnown };
}

async function restore(rt: Runtime, state: PersistedState, at: number): Promise<void> {
  for (const entry of state.entries) {
    const { workspaceFolder, configPath, name, adopted, made, ignored, intent, trust, imageFindings } = entry;
    const key = { workspaceFolder, configPath };
    // What was adopted by policy is adopted again by policy, once its container is seen.
    const ours = adopted || made.some((one: MadeFrom) => one.ours) || intent !== undefined || trust !== undefined;
    rt.store.dispatch({
      type: 'registered',
      id: devcontainerId(key),
      key,
      origin: adopted ? 'created' : entry.discovered && isSearched(rt, workspaceFolder) ? 'discovered' : 'seen',
      adopted: ours,
      name,
      made,
      ignored,
      intent,
      trust,
      imageFindings,
      stoppedByPerson: entry.stopped,
      abandoned: entry.abandoned,
      forwards: entry.forwards,
    });
  }
  for (const { id, name } of state.projects ?? []) rt.store.dispatch({ type: 'projectChosen', id, project: name });
  const remembered = (state.remembered ?? []).map(({ id, stopped = false, trust, imageFindings = [] }) => ({
    id,
    stoppedByPerson: stopped,
    autoStarted: false,
    trust,
    imageFindings,
  }));
  rt.store.dispatch({ type: 'remembered', entries: remembered });
  for (const operation of state.operations) {
    rt.store.dispatch({ type: 'operationRestored', operation: restoreOperation(operation, at) });
  }
  // Before anything else is seen or done: until then nobody knows which of its containers is the right one.
  for (const { workspaceFolder, configPath, intent } of state.entries) {
    if (intent?.kind !== 'up') continue;
    const id = devcontainerId({ workspaceFolder, configPath });
    const logOffset = await rt.ports.logSink.size(id).catch(() => 0);
    rt.store.dispatch({ type: 'upRequested', id, jobId: rt.ports.newId(), cause: 'recover', at, logOffset });
  }
}

async function lookAt(
  rt: Runtime,
  { workspaceFolder, configPath }: ManifestDevcontainer,
): Promise<EntryKey | undefined> {
  const { clock, configFiles, logger } = rt.ports;
  const what = `Looking at ${workspaceFolder}`;
  const found = await bounded(clock, FOLDER_TIMEOUT, what, rt.closing, () =>
    configFiles.canonicalKey(workspaceFolder, configPath),
  ).catch((error: unknown) => logger.error({ err: error }, `Reading the manifest: ${errorMessage(error)}`));
  if (!found || 'workspaceFolder' in found) return found || undefined;
  const error = new AgentContainersError(
    'config-not-found',
    `Reading the manifest failed: ${workspaceFolder} has ${found.configPaths.length} configurations. Name one by configPath.`,
  );
  logger.error({ err: error }, error.message);
  return undefined;
}

function registerManifest(rt: Runtime, { name, subAgentId }: ManifestDevcontainer, key: EntryKey): void {
  rt.store.dispatch({
    type: 'registered',
    id: devcontainerId(key),
    key,
    origin: 'manifest',
    adopted: true,
    name,
    preassignedRecordId: subAgentId,
    made: [],
  });
}

/** Whether a search will tell if it is still there. */
function isSearched({ options }: Runtime, folder: string): boolean {
  const isBelow = (root: string): boolean =>
    folder === root || folder.startsWith(root.endsWith('/') ? root : `${root}/`);
  return options.discovery === true && (options.roots ?? []).some(isBelow);
}
