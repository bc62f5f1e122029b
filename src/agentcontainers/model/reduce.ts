import type { Effect } from './effects.ts';
import type { Event } from './events.ts';
import { chooseName } from './names.ts';
import {
  reduceInjected,
  reduceInjectDropped,
  reduceInjectFailed,
  reduceInjectUnsupported,
  reduceSubAgentCreated,
  reduceSubAgentDeleted,
  reduceSubAgentExited,
} from './reduce-agent.ts';
import { reduceConfigRead } from './reduce-config.ts';
import { reduceDiscovered } from './reduce-discovered.ts';
import {
  reduceContainerMade,
  reduceIntentNoted,
  reduceSwapBegan,
  reduceSwapEnded,
  reduceSwapReady,
} from './reduce-intent.ts';
import {
  reduceDeleteEnded,
  reduceDeleteRequested,
  reduceDeleteStopped,
  reduceRestartRequested,
  reduceRestartStopped,
  reduceStopEnded,
  reduceStopRequested,
  reduceUpCancelled,
  reduceUpFailed,
  reduceUpReady,
  reduceUpRequested,
  reduceUpSucceeded,
} from './reduce-lifecycle.ts';
import { reduceObserved, reduceObserveFailed } from './reduce-observed.ts';
import { restoredForwards } from './forward.ts';
import { reduceForwardAdded, reduceForwardChanged, reduceForwardEnded } from './reduce-forward.ts';
import { newEntry } from './new-entry.ts';
import { progressOperation, withOperation } from './reduce-operation.ts';
import { reduceProjectChosen } from './reduce-project.ts';
import { reduceImageJudged, reduceTrusted, reduceTrustRevoked } from './reduce-trust.ts';
import { reduceRemembered, withRecalled } from './remembered.ts';
import { reduceHolderCame, reduceHolderLeft, reduceHookEnded, reduceHookRequested } from './reduce-use.ts';
import type { Entry, State } from './state.ts';
import { takenNames, withFreeName } from './entry-name.ts';

/**
 * The whole of what can happen to the state. Pure: the same state and event give the same result; nothing is asked,
 * awaited or started here.
 */
export function reduce(state: State, event: Event): readonly [State, readonly Effect[]] {
  if (state.lifecycle === 'closed' && event.type !== 'subAgentCreated') return [state, []];
  switch (event.type) {
    case 'registered':
      return reduceRegistered(state, event);
    case 'remembered':
      return reduceRemembered(state, event);
    case 'operationRestored':
      return [withOperation(state, event.operation), []];
    case 'observed':
      return reduceObserved(state, event);
    case 'observeFailed':
      return reduceObserveFailed(state, event);
    case 'configRead':
      return reduceConfigRead(state, event);
    case 'upRequested':
      return reduceUpRequested(state, event);
    case 'upBegan':
    case 'deleteBegan':
      return reduceIntentNoted(state, event);
    case 'swapBegan':
      return reduceSwapBegan(state, event);
    case 'swapReady':
      return reduceSwapReady(state, event);
    case 'swapEnded':
      return reduceSwapEnded(state, event);
    case 'containerMade':
      return reduceContainerMade(state, event);
    case 'projectChosen':
      return reduceProjectChosen(state, event);
    case 'trusted':
      return reduceTrusted(state, event);
    case 'trustRevoked':
      return reduceTrustRevoked(state, event);
    case 'imageJudged':
      return reduceImageJudged(state, event);
    case 'discovered':
      return reduceDiscovered(state, event);
    case 'holderCame':
      return reduceHolderCame(state, event);
    case 'holderLeft':
      return reduceHolderLeft(state, event);
    case 'forwardAdded':
      return reduceForwardAdded(state, event);
    case 'forwardChanged':
      return reduceForwardChanged(state, event);
    case 'forwardEnded':
      return reduceForwardEnded(state, event);
    case 'hookRequested':
      return reduceHookRequested(state, event);
    case 'hookEnded':
      return reduceHookEnded(state, event);
    case 'upReady':
      return reduceUpReady(state, event);
    case 'upSucceeded':
      return reduceUpSucceeded(state, event);
    case 'upFailed':
      return reduceUpFailed(state, event);
    case 'upCancelled':
      return reduceUpCancelled(state, event);
    case 'stopRequested':
      return reduceStopRequested(state, event);
    case 'stopEnded':
      return reduceStopEnded(state, event);
    case 'restartRequested':
      return reduceRestartRequested(state, event);
    case 'restartStopped':
      return reduceRestartStopped(state, event);
    case 'deleteRequested':
      return reduceDeleteRequested(state, event);
    case 'deleteStopped':
      return reduceDeleteStopped(state, event);
    case 'deleteEnded':
      return reduceDeleteEnded(state, event);
    case 'operationProgressed':
      return [progressOperation(state, event.jobId, event.phase, event.at), []];
    case 'subAgentCreated':
      return reduceSubAgentCreated(state, event);
    case 'subAgentDeleted':
      return reduceSubAgentDeleted(state, event);
    case 'injected':
      return reduceInjected(state, event);
    case 'injectFailed':
      return reduceInjectFailed(state, event);
    case 'injectUnsupported':
      return reduceInjectUnsupported(state, event);
    case 'injectDropped':
      return reduceInjectDropped(state, event);
    case 'subAgentExited':
      return reduceSubAgentExited(state, event);
    case 'closing':
      return [{ ...state, lifecycle: 'closing' }, []];
    case 'closed':
      return [{ ...state, lifecycle: 'closed' }, []];
  }
}

/** What the embedder gave stays, whoever asks for it too; so does what was found on disk, unless the embedder gives it. */
function keepsOrigin(before: Entry, origin: Entry['origin']): boolean {
  return origin === 'seen' || before.origin === 'manifest' || (before.origin === 'discovered' && origin === 'created');
}

/** An entry that is known before any container of it was seen. A later registration only adds to an earlier one. */
function reduceRegistered(
  state: State,
  event: Extract<Event, { type: 'registered' }>,
): readonly [State, readonly Effect[]] {
  const { id, key, preassignedRecordId } = event;
  const manifestName = event.origin === 'manifest' ? event.name : undefined;
  const before = state.entries.get(id);
  if (before) {
    const adopted = event.adopted && before.level === 'seen';
    const entry: Entry = {
      ...before,
      level: adopted ? 'adopted' : before.level,
      // A container of what was only seen has proven nothing: the pass that follows tells which one stands for it.
      ...(adopted ? { link: undefined, candidates: [], phase: { status: 'stopped' } as const } : {}),
      origin: keepsOrigin(before, event.origin) ? before.origin : event.origin,
      ...(manifestName === undefined ? {} : { manifestName, name: manifestName, nameSource: 'chosen' }),
      preassignedRecordId: preassignedRecordId ?? before.preassignedRecordId,
    };
    return [
      withRecalled(state, adopted ? withFreeName(state, entry) : entry),
      adopted ? [{ type: 'watchConfig', id, key }, { type: 'persist' }, { type: 'refresh', reason: 'adopted' }] : [],
    ];
  }
  const entry = newEntry({
    id,
    key,
    origin: event.origin,
    level: event.adopted ? 'adopted' : 'seen',
    name: event.name ?? chooseName(key.workspaceFolder, takenNames(state, id)),
    nameSource: manifestName === undefined ? 'folder' : 'chosen',
    manifestName,
    // The entry may have been removed a moment ago: a listing that began before that is stale for the new one too.
    revision: state.tombstones.get(id) ?? 0,
    preassignedRecordId,
    ignored: event.ignored ?? false,
    made: event.made,
    intent: event.intent && { ...event.intent, isInterrupted: true },
    trust: event.trust,
    imageFindings: event.imageFindings ?? [],
    stoppedByPerson: event.stoppedByPerson ?? false,
    abandoned: event.abandoned ?? [],
    forwards: restoredForwards(event.forwards ?? []),
  });
  return [withRecalled(state, entry), event.adopted ? [{ type: 'watchConfig', id, key }] : []];
}
