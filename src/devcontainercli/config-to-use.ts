import type { EntryKey } from '../agentcontainers/model/devcontainer.ts';
import { orCancelled } from './cli-errors.ts';
import { readDevcontainerJson, type DevcontainerJson } from './devcontainer-json.ts';

type Valid = Extract<DevcontainerJson, { kind: 'valid' }>;

/** The devcontainer.json that was judged; without one it is read now, strictly and once. Rejects with `cancelled`. */
export async function configToUse({
  key,
  config,
  signal,
}: {
  readonly key: EntryKey;
  readonly config?: Valid['config'] | undefined;
  readonly signal: AbortSignal;
}): Promise<Pick<Valid, 'kind' | 'config'> | Exclude<DevcontainerJson, Valid>> {
  return config ? { kind: 'valid', config } : orCancelled(readDevcontainerJson(key.configPath), signal);
}
