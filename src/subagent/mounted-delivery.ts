import { raceAbort } from '../async/abort.ts';
import type { ContainerDetails, ReadOnlyMount } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { HOME } from './delivery-steps.ts';
import { asReason, verifyRuns } from './delivery-target.ts';
import type { DeliveryTarget, StepOutcome } from './delivery-target.ts';
import { createSubAgentStore } from './sub-agent-store.ts';
import type { StoreDirectory } from './sub-agent-store.ts';

export interface MountedDeliveryOptions {
  /** Absolute path on this machine. */
  readonly storeDirectory: string;
  /** Where the engine is. `undefined`, also as its answer: not known, so perhaps here. */
  readonly engineAddress?: ((signal: AbortSignal) => Promise<string | undefined>) | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How many proofs are remembered. */
  readonly rememberedProofs: number;
}

/** Delivery without a copy: the executable lies on this machine, in a directory that the container can read. */
export interface MountedDelivery {
  /** What to mount into a container that is made; `undefined` when it is better to copy. */
  mount(signal: AbortSignal): Promise<ReadOnlyMount | undefined>;
  /**
   * `undefined`: this container has no such mount.
   * @param mustProve what lies there was seen not to run: only a run counts as proof
   */
  deliver(target: DeliveryTarget, details: ContainerDetails, mustProve: boolean): Promise<MountedOutcome | undefined>;
}

export type MountedOutcome =
  | (StepOutcome & { readonly ok: true })
  | {
      readonly ok: false;
      readonly reason: string;
      /** A copy works in the same container, so it is the mount that does not. */
      blame(): void;
    };

/**
 * What this has to be careful about: an engine on another machine, or one that may not read the directory, makes the
 * mount all the same, and looking at the path through the engine says what lies at the *source* now, not what the
 * container sees. So the version call must have run from there, once for each image, executable and user, and once in
 * each container that was started before the directory was made.
 */
export function createMountedDelivery(options: MountedDeliveryOptions): MountedDelivery {
  const { clock, logger, engineAddress } = options;
  const store = createSubAgentStore(options.storeDirectory, clock, logger);
  /** Version by image, executable and user. */
  const proofs = new Map<string, string | undefined>();
  let seen: 'unknown' | 'works' | 'fails' = 'unknown';
  let isToldUnusable = false;

  function prove(key: string, version: string | undefined): void {
    proofs.delete(key);
    proofs.set(key, version);
    for (const oldest of proofs.keys()) {
      if (proofs.size <= options.rememberedProofs) break;
      proofs.delete(oldest);
    }
  }

  function tellUnusable(reason: string): void {
    if (isToldUnusable) return;
    isToldUnusable = true;
    logger.info({ storeDirectory: options.storeDirectory }, `Sub-agents are copied into containers: ${reason}.`);
  }

  function works(version: string | undefined): MountedOutcome {
    seen = 'works';
    return { ok: true, version };
  }

  /** @param isFresh the mount is that of the present directory */
  function fails(reason: string, isFresh: boolean): MountedOutcome {
    return {
      ok: false,
      reason,
      blame() {
        // Where it works elsewhere, or did before, it is this container.
        if (seen !== 'unknown' || !isFresh) return;
        seen = 'fails';
        tellUnusable(`a directory of this machine that is mounted into them is of no use there: ${reason}`);
      },
    };
  }

  async function look(
    target: DeliveryTarget,
    details: ContainerDetails,
    directory: StoreDirectory,
    mustProve: boolean,
  ): Promise<MountedOutcome> {
    const { engine, containerId, fileName, binary, content, user, signal } = target;
    const path = `${HOME}/${fileName}`;
    const isFresh = details.startedAt !== undefined && details.startedAt > directory.bornAt;
    const stat = await engine.statPath(containerId, path, signal);
    if (stat?.size !== content.size || stat.isDirectory || (stat.mode & 0o111) === 0) {
      return fails('the engine sees another directory there', isFresh);
    }
    const key = `${details.imageId} ${binary.sha256} ${user ?? ''}`;
    if (isFresh && !mustProve && proofs.has(key)) return works(proofs.get(key));
    const outcome = await verifyRuns(target, path);
    if (!outcome.ok) {
      proofs.delete(key);
      return fails(outcome.reason, isFresh);
    }
    prove(key, outcome.version);
    return works(outcome.version);
  }

  return {
    async mount(signal) {
      if (seen === 'fails') return undefined;
      try {
        const address = await engineAddress?.(signal);
        if (address !== undefined && !isOfThisMachine(address)) {
          tellUnusable(`the engine at ${address} may be on another machine`);
          return undefined;
        }
        const { path } = await raceAbort(store.prepare(), signal);
        return { source: path, target: HOME };
      } catch (error) {
        signal.throwIfAborted();
        tellUnusable(`${options.storeDirectory} cannot be prepared: ${errorMessage(error)}`);
        return undefined;
      }
    },

    async deliver(target, details, mustProve) {
      const { binary, fileName, signal } = target;
      const mount = details.mounts.find(({ destination }) => destination === HOME);
      if (seen === 'fails' || mount?.type !== 'bind' || mount.writable) return undefined;
      const directory = await raceAbort(store.prepare(), signal).catch(() => signal.throwIfAborted());
      if (!directory || hostPath(mount.source) !== directory.path) return undefined;
      const refused = await asReason(target, () => raceAbort(store.stage(binary, fileName), signal));
      if (refused !== undefined) return fails(`it cannot be put into ${directory.path}: ${refused}`, false);
      return look(target, details, directory, mustProve);
    },
  };
}

/** A forwarded port looks like an engine here; where a wrong guess makes containers impossible, copying is the better one. */
function isOfThisMachine(address: string): boolean {
  return /^(unix|npipe):/.test(address);
}

/** Docker Desktop shows host paths below this folder of its virtual machine. */
function hostPath(source: string): string {
  const path = source.replace(/^\/host_mnt(?=\/)/, '');
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}
