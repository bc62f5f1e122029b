import { bounded, deadlineScope, raceAbort } from '../../async/abort.ts';
import { errorMessage } from '../../errors.ts';
import { FOLDER_TIMEOUT } from '../constants.ts';
import type { Claim, ConfigReading } from '../model/events.ts';
import type { Entry } from '../model/state.ts';
import type { EntryKey } from '../model/devcontainer.ts';
import type { ContainerClaims } from './container-claims.ts';
import type { ContainerDetailsCache } from './container-details.ts';
import { readConfig } from './read-config.ts';
import type { Runtime } from './runtime.ts';

export interface Observer {
  /** One listing, from call to commit. Never rejects; returns what went wrong. */
  observe(): Promise<unknown>;
}

export function createObserver(rt: Runtime, claims: ContainerClaims, details: ContainerDetailsCache): Observer {
  const { clock, engine, logger, newId } = rt.ports;
  let lastFailure: string | undefined;
  /** Entries whose file did not come in time; the watcher loop goes on asking for it, no pass waits for it again. */
  const late = new Set<string>();

  async function list(startRevision: number, signal: AbortSignal): Promise<void> {
    const listed = await raceAbort(engine.listContainers({ labels: [], signal }), signal);
    const containers = await details.refine(listed, signal);
    const claimed = await claims.resolve(containers);
    const readings = await readUnknown(claimed);
    const at = clock.now();
    rt.store.dispatch({ type: 'observed', startRevision, at, passId: newId(), containers, claims: claimed, readings });
  }

  /** Reads the configuration of entries that will be acted on and whose file was not read yet. */
  async function readUnknown(claimed: readonly Claim[]): Promise<Map<string, ConfigReading>> {
    const { entries, settings } = rt.store.state;
    const wanted = new Map<string, EntryKey>();
    for (const entry of entries.values()) if (needsReading(entry)) wanted.set(entry.id, entry.key);
    for (const claim of claimed) {
      const adopts = settings.adopt === 'all' || (settings.adopt === 'roots' && claim.underRoot);
      const known = entries.get(claim.entryId);
      if (claim.proven && adopts && (!known || known.level === 'seen')) wanted.set(claim.entryId, claim.key);
    }
    for (const id of late) if (!wanted.delete(id)) late.delete(id);
    const readings = new Map<string, ConfigReading>();
    await Promise.all(
      [...wanted].map(async ([id, key]) => {
        try {
          const what = `Reading ${key.configPath}`;
          readings.set(id, await bounded(clock, FOLDER_TIMEOUT, what, rt.closing, () => readConfig(rt, key)));
        } catch (error) {
          rt.closing.throwIfAborted();
          late.add(id);
          logger.warn({ err: error, devcontainer: id }, errorMessage(error));
        }
      }),
    );
    return readings;
  }

  return {
    async observe() {
      // Noted before the engine is asked: whatever changes from here on makes this listing stale for that entry.
      const startRevision = rt.store.state.revision;
      const scope = deadlineScope(clock, rt.limits.listTimeoutMs, 'Listing containers', rt.closing);
      try {
        await list(startRevision, scope.signal);
        if (lastFailure !== undefined) logger.info({}, 'Listing containers works again.');
        lastFailure = undefined;
        return undefined;
      } catch (error) {
        if (rt.closing.aborted) return error;
        const message = errorMessage(error);
        if (message !== lastFailure) logger.error({ err: error }, message);
        lastFailure = message;
        rt.store.dispatch({ type: 'observeFailed', message, at: clock.now() });
        return error;
      } finally {
        scope.release();
      }
    },
  };
}

function needsReading(entry: Entry): boolean {
  return entry.level !== 'seen' && entry.config === undefined;
}
