import { v5 as nameBasedUuid } from 'uuid';
import type { EntryKey } from '../model/devcontainer.ts';

const DEVCONTAINER_NAMESPACE = 'a2cf28a4-6c4f-5f0e-9d7e-6a1f5d0c3b11';

/** Stable over restarts: the same folder and config always give the same id. */
export function devcontainerId(key: EntryKey): string {
  return nameBasedUuid(`${key.workspaceFolder}\n${key.configPath}`, DEVCONTAINER_NAMESPACE);
}
