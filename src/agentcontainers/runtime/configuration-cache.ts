import { CONFIGURATIONS_KEPT } from '../constants.ts';
import type { Entry } from '../model/state.ts';
import type { DevcontainerCli, MergedConfiguration } from '../ports.ts';

/** Merged configurations, read once per (devcontainer, fingerprint, image): reading one is a child process. */
export interface ConfigurationCache {
  read(entry: Entry, imageId: string, containerId: string, signal: AbortSignal): Promise<MergedConfiguration>;
}

export function createConfigurationCache(cli: DevcontainerCli): ConfigurationCache {
  const known = new Map<string, MergedConfiguration>();
  return {
    async read(entry, imageId, containerId, signal) {
      const key = `${entry.id} ${entry.config?.fingerprint ?? ''} ${imageId}`;
      const hit = known.get(key);
      if (hit) return hit;
      const configuration = await cli.readConfiguration({ key: entry.key, containerId, signal });
      known.set(key, configuration);
      for (const oldest of known.keys()) {
        if (known.size <= CONFIGURATIONS_KEPT) break;
        known.delete(oldest);
      }
      return configuration;
    },
  };
}
