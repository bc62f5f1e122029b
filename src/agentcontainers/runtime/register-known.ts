import { AgentContainersError, errorMessage } from '../../errors.ts';
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
  } catch (error) {
    logger.error({ err: error }, `Reading the state of the last run failed: ${errorMessage(error)}`);
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
  const found = await rt.ports.configFiles.canonicalKey(workspaceFolder, configPath);
  if (!('workspaceFolder' in found)) {
    const error = new AgentContainersError(
      'config-not-found',
      `Reading the manifest failed: ${workspaceFolder} has ${found.configPaths.length} configurations. Name one by configPath.`,
    );
    rt.ports.logger.error({ err: error }, error.message);
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
