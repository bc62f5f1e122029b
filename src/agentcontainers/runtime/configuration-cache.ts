import { CONFIGURATIONS_KEPT } from '../constants.ts';
import type { EntryKey } from '../model/devcontainer.ts';
import type { Entry } from '../model/state.ts';
import type { DevcontainerCli, MergedConfiguration } from '../ports.ts';
import type { ReadWithSource } from './read-config.ts';

/** Merged configurations, read once per (devcontainer, fingerprint, image): reading one is a child process. */
export interface ConfigurationCache {
  read(entry: Entry, imageId: string, containerId: string, signal: AbortSignal): Promise<MergedConfiguration>;
}

/**
 * INVARIANTS
 * - What is kept for a fingerprint was computed from the devcontainer.json that has it, whatever was in the file before or
 *   after: the CLI does not read it by itself, but is given what was read.
 *
 * @param readNow the configuration as it is on disk, within a bounded time
 */
export function createConfigurationCache(
  cli: Pick<DevcontainerCli, 'readConfiguration'>,
  readNow: (key: EntryKey, signal: AbortSignal) => Promise<Pick<ReadWithSource, 'reading' | 'source'>>,
): ConfigurationCache {
  const known = new Map<string, MergedConfiguration>();
  const nameOf = (entry: Entry, fingerprint: string, imageId: string): string =>
    `${entry.id} ${fingerprint} ${imageId}`;

  return {
    async read(entry, imageId, containerId, signal) {
      const hit = entry.config && known.get(nameOf(entry, entry.config.fingerprint, imageId));
      if (hit) return hit;
      const { key } = entry;
      const { reading, source } = await readNow(key, signal);
      // The CLI's adapter says what is wrong with one that cannot be used.
      if (reading.kind !== 'valid') return cli.readConfiguration({ key, containerId, signal });
      const configuration = await cli.readConfiguration({ key, config: source, containerId, signal });
      known.set(nameOf(entry, reading.config.fingerprint, imageId), configuration);
      for (const oldest of known.keys()) {
        if (known.size <= CONFIGURATIONS_KEPT) break;
        known.delete(oldest);
      }
      return configuration;
    },
  };
}
