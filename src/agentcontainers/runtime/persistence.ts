import { createCoalescer } from '../../async/coalescer.ts';
import { AgentContainersError, errorMessage } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { KnownForward, PortForward } from '../model/forward.ts';
import type { Operation } from '../model/operation.ts';
import type { Entry, State } from '../model/state.ts';
import type { RememberedEntry } from '../model/remembered.ts';
import type { PersistedEntry, PersistedMemory, PersistedState, StateStorage } from '../ports.ts';

/** Writes what must survive a restart. */
export interface Persistence {
  /** What was written before is known now. Nothing is written before this, so that nothing unread is overwritten. */
  begin(): void;
  /** Resolves when the state of this moment, or a later one, is written. A failure is logged, never thrown. */
  flush(): Promise<void>;
  /** The same, and throws `state-unreadable` when it is not written: for what could not be undone without it. */
  require(): Promise<void>;
}

export function createPersistence(storage: StateStorage, state: () => State, logger: Logger): Persistence {
  let failed = false;
  let begun = false;
  const saving = createCoalescer(async () => {
    try {
      await storage.save(snapshot(state()));
      if (failed) logger.info({}, 'Writing the state works again.');
      failed = false;
    } catch (error) {
      if (!failed)
        logger.error(
          { err: error },
          `Writing the state failed: ${errorMessage(error)}. A restart would not know of recent changes.`,
        );
      failed = true;
    }
  });
  return {
    begin() {
      begun = true;
    },
    flush: () => (begun ? saving.request() : Promise.resolve()),
    async require() {
      if (begun) await saving.request();
      if (begun && !failed) return;
      throw new AgentContainersError(
        'state-unreadable',
        'Recreating failed: what is set out to do cannot be written down, and without that a container could be lost. Make room for the state, or correct its rights.',
      );
    },
  };
}

function snapshot(state: State): PersistedState {
  return {
    version: 1,
    entries: [...state.entries.values()].filter(isKept).map(persistEntry),
    operations: [...state.operations.values()],
    ...(state.remembered.size > 0 ? { remembered: [...state.remembered.values()].flatMap(persistMemory) } : {}),
    ...(state.projects.size > 0 ? { projects: [...state.projects].map(([id, name]) => ({ id, name })) } : {}),
  };
}

/** That it was started by itself counts for the life of this library. */
function persistMemory({ id, stoppedByPerson, trust, imageFindings }: RememberedEntry): PersistedMemory[] {
  if (!stoppedByPerson && !trust) return [];
  return [
    {
      id,
      ...(stoppedByPerson ? { stopped: true } : {}),
      ...(trust ? { trust } : {}),
      ...(imageFindings.length > 0 ? { imageFindings } : {}),
    },
  ];
}

/** What is only seen is nothing of ours; what was known before and was not seen yet is not forgotten for that. */
function isKept(entry: Entry): boolean {
  return entry.level !== 'seen' || entry.link === undefined;
}

function persistEntry(entry: Entry): PersistedEntry {
  return {
    id: entry.id,
    workspaceFolder: entry.key.workspaceFolder,
    configPath: entry.key.configPath,
    // A name that was chosen is in the configuration.
    ...(entry.nameSource === 'folder' ? { name: entry.name } : {}),
    adopted: entry.origin === 'created',
    ...(entry.origin === 'discovered' ? { discovered: true } : {}),
    made: entry.made,
    ...(entry.ignored ? { ignored: true } : {}),
    ...(entry.intent ? { intent: entry.intent } : {}),
    ...(entry.trust ? { trust: entry.trust } : {}),
    ...(entry.imageFindings.length > 0 ? { imageFindings: entry.imageFindings } : {}),
    ...(entry.abandoned.length > 0 ? { abandoned: entry.abandoned } : {}),
    ...(entry.stoppedByPerson ? { stopped: true } : {}),
    ...(entry.forwards.length > 0 ? { forwards: entry.forwards.map(persistForward) } : {}),
  };
}

/** Whether it listens is found out anew. */
function persistForward({ id, host, port, hostPort }: PortForward): KnownForward {
  return { id, host, port, hostPort };
}

/** An operation that ran when its daemon ended can never end by itself: it was interrupted. */
export function restoreOperation(operation: PersistedState['operations'][number], at: number): Operation {
  const restored = { ...operation, steps: operation.steps ?? [] } as Operation;
  if (restored.status !== 'running') return restored;
  return { ...restored, status: 'interrupted', endedAt: at, error: 'The daemon ended while this was under way.' };
}
