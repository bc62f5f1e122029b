import { bounded } from '../../async/abort.ts';
import { AgentContainersError, errorMessage } from '../../errors.ts';
import { FOLDER_TIMEOUT } from '../constants.ts';
import type { MadeFrom } from '../model/state.ts';
import type { ManifestDevcontainer } from '../options.ts';
import type { PersistedState } from '../ports.ts';
import { devcontainerId } from './observe.ts';
import { restoreOperation } from './persistence.ts';
import type { Runtime } from './runtime.ts';

/** Registers what is known before any container was seen: the state of the last run, then the embedder's manifest. */
export async function registerKnown(rt: Runtime): Promise<void> {
  const { logger, storage, clock } = rt.ports;
  try {
    const state = await storage.load();
    if (state) restore(rt, state, clock.now());
    rt.persistence.begin();
  } catch (error) {
    logger.error(
      { err: error },
      `Reading the state of the last run failed: ${errorMessage(error)} It is left as it is, and nothing is written until a restart.`,
    );
  }
  for (const devcontainer of rt.options.manifest ?? []) await registerManifest(rt, devcontainer);
}

function restore(rt: Runtime, state: PersistedState, at: number): void {
  for (const { workspaceFolder, configPath, name, adopted, made, ignored, intent } of state.entries) {
    const key = { workspaceFolder, configPath };
    // What was adopted by policy is adopted again by policy, once its container is seen.
    const ours = adopted || made.some((one: MadeFrom) => one.ours) || intent !== undefined;
    rt.store.dispatch({
      type: 'registered',
      id: devcontainerId(key),
      key,
      origin: adopted ? 'created' : 'seen',
      adopted: ours,
      name,
      made,
      ignored,
      intent,
    });
  }
  for (const operation of state.operations) {
    rt.store.dispatch({ type: 'operationRestored', operation: restoreOperation(operation, at) });
  }
}

async function registerManifest(rt: Runtime, devcontainer: ManifestDevcontainer): Promise<void> {
  const { workspaceFolder, configPath, name, subAgentId } = devcontainer;
  const { clock, configFiles, logger } = rt.ports;
  const what = `Looking at ${workspaceFolder}`;
  const found = await bounded(clock, FOLDER_TIMEOUT, what, rt.closing, () =>
    configFiles.canonicalKey(workspaceFolder, configPath),
  ).catch((error: unknown) => logger.error({ err: error }, `Reading the manifest: ${errorMessage(error)}`));
  if (!found) return;
  if (!('workspaceFolder' in found)) {
    const error = new AgentContainersError(
      'config-not-found',
      `Reading the manifest failed: ${workspaceFolder} has ${found.configPaths.length} configurations. Name one by configPath.`,
    );
    logger.error({ err: error }, error.message);
    return;
  }
  rt.store.dispatch({
    type: 'registered',
    id: devcontainerId(found),
    key: found,
    origin: 'manifest',
    adopted: true,
    name,
    preassignedRecordId: subAgentId,
    made: [],
  });
}
