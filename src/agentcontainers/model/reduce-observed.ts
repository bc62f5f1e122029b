import type { Container } from './container.ts';
import { isAbandoned, isOurs } from './container-ours.ts';
import type { Level } from './devcontainer.ts';
import type { Effect } from './effects.ts';
import type { Intent } from './intent.ts';
import type { Claim, Event } from './events.ts';
import { decideAgent } from './decide-agent.ts';
import { decideAutoStart } from './decide-auto-start.ts';
import { reuse, reuseEqual } from './equality.ts';
import { withMade } from './made-from.ts';
import { chooseName } from './names.ts';
import { newEntry } from './new-entry.ts';
import { withReading } from './reduce-config.ts';
import { endOperation } from './reduce-operation.ts';
import { recalled, withoutKnown } from './remembered.ts';
import { selectContainer } from './select-container.ts';
import { isTransitioning, withChangedEntry, withEntry, type Entry, type Settings, type State } from './state.ts';
import { takenNames, withFreeName } from './entry-name.ts';

type Observed = Extract<Event, { type: 'observed' }>;

/** Brings all entries in line with one listing. */
export function reduceObserved(state: State, event: Observed): readonly [State, readonly Effect[]] {
  const containers = reuseEqual(state.containers, event.containers, (container) => container.id);
  const byId = new Map(containers.map((container) => [container.id, container]));
  const claimsOf = new Map<string, Claim[]>();
  for (const claim of event.claims) {
    const claims = claimsOf.get(claim.entryId);
    if (claims) claims.push(claim);
    else claimsOf.set(claim.entryId, [claim]);
  }

  const effects: Effect[] = [];
  let next: State = {
    ...state,
    containers,
    claims: new Map(event.claims.map((claim) => [claim.containerId, claim.entryId])),
    observation: { status: 'ok', at: event.at },
    // An observation that began after a removal can no longer bring the entry back by mistake.
    tombstones: new Map([...state.tombstones].filter(([, revision]) => revision > event.startRevision)),
  };

  for (const [id, claims] of claimsOf) {
    if (next.entries.has(id)) continue;
    if ((state.tombstones.get(id) ?? -1) > event.startRevision) continue;
    const [entry, made] = seenEntry(next, id, claims);
    next = withEntry(next, entry);
    effects.push(...made);
  }

  for (const found of next.entries.values()) {
    const entry = recalled(next, withUnlinkable(found, claimsOf.get(found.id) ?? [], byId, event.at));
    // Stale: the listing began before the last lifecycle change of this entry.
    if (entry.revision > event.startRevision) continue;
    // The job that made it transitioning owns it, until that job waits for a pass.
    if (isTransitioning(entry.phase) && !entry.settling) continue;
    const claims = claimsOf.get(entry.id) ?? [];
    const [reconciled, entryEffects] = reconcile(next, entry, claims, byId, event);
    effects.push(...entryEffects);
    if (reconciled) next = withoutKnown(withEntry(next, reconciled), reconciled);
    else next = { ...next, entries: new Map([...next.entries].filter(([id]) => id !== entry.id)) };
    if (entry.settling && reconciled && !reconciled.settling) next = endSettled(next, entry, reconciled, event.at);
  }
  return [next, effects];
}

/**
 * The CLI takes a container for ours by fewer labels than we do. One that does not say that it belongs to this entry is
 * none that was asked for, whatever the CLI says of it.
 */
function withUnlinkable(
  entry: Entry,
  claims: readonly Claim[],
  byId: ReadonlyMap<string, Container>,
  at: number,
): Entry {
  const { settling } = entry;
  if (settling?.kind !== 'succeeded') return entry;
  const { containerId } = settling;
  const container = byId.get(containerId);
  if (!container || claims.some((claim) => claim.containerId === containerId)) return entry;
  const message = `Bringing up failed: the container ${container.name}, which the devcontainer CLI brought up, does not belong to this dev container by its labels. Look at whose it is. If another project has the same name, give this one a name of its own, by \`name:\` in its compose file or by COMPOSE_PROJECT_NAME in .env.`;
  const degraded = { phase: 'up', outputTail: '' };
  return { ...entry, settling: { kind: 'failed', message, degraded, failedAt: at } };
}

function seenEntry(state: State, id: string, claims: readonly Claim[]): readonly [Entry, readonly Effect[]] {
  const key = (claims[0] as Claim).key;
  const level = levelOf('seen', claims, state.settings);
  const name = chooseName(key.workspaceFolder, takenNames(state, id));
  const entry = newEntry({ id, key, origin: 'seen', level, name, nameSource: 'folder' });
  return [entry, level === 'seen' ? [] : [{ type: 'watchConfig', id, key }]];
}

function levelOf(before: Level, claims: readonly Claim[], settings: Settings): Level {
  if (before !== 'seen') return before;
  const adopts = (claim: Claim): boolean =>
    claim.proven && (settings.adopt === 'all' || (settings.adopt === 'roots' && claim.underRoot));
  return claims.some(adopts) ? 'adopted' : 'seen';
}

function reconcile(
  state: State,
  before: Entry,
  claims: readonly Claim[],
  byId: ReadonlyMap<string, Container>,
  event: Observed,
): readonly [Entry | undefined, readonly Effect[]] {
  const effects: Effect[] = [];
  const level = levelOf(before.level, claims, state.settings);
  if (level !== 'seen' && before.level === 'seen')
    effects.push({ type: 'watchConfig', id: before.id, key: before.key });

  // Where the entry is known for its own sake, only a container that really mounts the folder may stand for it.
  const eligible = (level === 'seen' ? claims : claims.filter((claim) => claim.proven || isOurs(before, claim))).filter(
    (claim) => !isAbandoned(before, claim),
  );
  for (const claim of claims) {
    if (isAbandoned(before, claim))
      effects.push({ type: 'removeAbandoned', id: before.id, containerId: claim.containerId });
  }
  const naming = new Set(eligible.filter((claim) => claim.namesConfig).map((claim) => claim.containerId));
  const containers = eligible.flatMap((claim) => byId.get(claim.containerId) ?? []);
  const { chosen, candidates } = selectContainer(containers, ({ id }) => naming.has(id));

  // What is only seen and has no container any more is nothing of ours: it goes.
  if (level === 'seen' && !chosen && before.origin !== 'discovered') return [undefined, effects];

  let entry: Entry = { ...before, level, link: chosen, candidates: reuse(before.candidates, candidates) };
  if (level !== before.level) entry = withFreeName(state, entry);
  const reading = event.readings.get(entry.id);
  if (reading) entry = withReading(state, entry, reading);
  entry = withMade(entry, containers, eligible);
  if (entry.made.some((made) => made.ours && made.containerId === chosen?.id)) entry = { ...entry, level: 'managed' };
  const replaced = before.link && !before.settling && before.link.id !== chosen?.id;
  if (replaced && entry.phase.status !== 'error') entry = { ...entry, lifecycleError: undefined };
  entry = withPhase(entry);
  // What a killed daemon left stays noted until it has been brought to an end.
  if (entry.intent && entry.phase.status !== 'starting' && !isUnfinished(entry.intent))
    entry = { ...entry, intent: undefined };
  if (candidates.length > 0 && entry.candidates !== before.candidates) {
    effects.push({
      type: 'warn',
      message: `Several containers claim ${entry.key.workspaceFolder}; ${chosen?.name} is used.`,
      fields: { devcontainer: entry.id, chosen: chosen?.id, candidates },
    });
  }

  const [withAgent, agentEffects] = decideAgent(state, entry, event.at, `${event.passId}/${entry.id}`);
  const [decided, startEffects] = decideAutoStart(state, withAgent);
  effects.push(...agentEffects, ...startEffects);
  const policyChanged = decided.ignored !== before.ignored || decided.name !== before.name;
  if (decided.made !== before.made || decided.intent !== before.intent || policyChanged)
    effects.push({ type: 'persist' });
  return [reuse(before, decided), effects];
}

/** What is noted of it is needed still, to bring it to an end. */
function isUnfinished(intent: Intent): boolean {
  return intent.isInterrupted === true || (intent.kind === 'up' && intent.swap !== undefined);
}

/** Status after an observation; see docs/design/transitions.md. */
function withPhase(entry: Entry): Entry {
  const { phase, settling, link } = entry;
  const running = link?.state === 'running';
  if (settling && (phase.status === 'starting' || phase.status === 'error')) {
    switch (settling.kind) {
      case 'ready':
        // The container may not be in this listing yet; the end of `up` will ask again.
        return running ? { ...entry, phase: { status: 'running' }, settling: undefined } : entry;
      case 'succeeded':
        return { ...entry, phase: { status: running ? 'running' : 'stopped' }, settling: undefined };
      case 'failed':
        return {
          ...entry,
          phase: running ? { status: 'running' } : { status: 'error', failedAt: settling.failedAt },
          lifecycleError: { message: settling.message, degraded: running ? [settling.degraded] : [] },
          // Held for a moment, e.g. while it is copied: it is settled when it runs on.
          settling: link?.state === 'paused' ? settling : undefined,
        };
    }
  }
  if (phase.status === 'error') {
    const since = Math.max(link?.createdAt ?? 0, link?.startedAt ?? 0);
    if (!link || since <= phase.failedAt) return entry;
    return { ...entry, phase: { status: running ? 'running' : 'stopped' }, lifecycleError: undefined };
  }
  const status = running ? 'running' : 'stopped';
  return phase.status === status ? entry : { ...entry, phase: { status } };
}

function endSettled(state: State, before: Entry, entry: Entry, at: number): State {
  if (before.phase.status !== 'starting') return state;
  const failed = before.settling?.kind === 'failed' ? before.settling.message : undefined;
  return endOperation(
    state,
    before.phase.jobId,
    failed === undefined ? 'succeeded' : 'failed',
    at,
    failed,
    entry.phase.status,
  );
}

/**
 * A listing that failed leaves the data of the last good one. An `up` that has failed does not wait for the engine to
 * come back: as far as can be told, it has no container. The next good listing settles it.
 */
export function reduceObserveFailed(
  state: State,
  event: Extract<Event, { type: 'observeFailed' }>,
): readonly [State, readonly Effect[]] {
  const { message, at } = event;
  let next: State = { ...state, observation: { status: 'failed', message, at } };
  for (const before of state.entries.values()) {
    const { settling } = before;
    if (before.phase.status !== 'starting' || settling?.kind !== 'failed') continue;
    const entry = { ...withPhase({ ...before, link: undefined }), settling };
    next = endSettled(withChangedEntry(next, entry), before, entry, at);
  }
  return [next, []];
}
