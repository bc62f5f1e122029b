import type { Container } from './container.ts';
import type { Level } from './devcontainer.ts';
import type { Effect } from './effects.ts';
import type { Claim, Event } from './events.ts';
import { decideAgent } from './decide-agent.ts';
import { reuse, reuseEqual } from './equality.ts';
import { chooseName } from './names.ts';
import { withReading } from './reduce-config.ts';
import { endOperation } from './reduce-operation.ts';
import { selectContainer } from './select-container.ts';
import {
  isTransitioning,
  withChangedEntry,
  withEntry,
  type Entry,
  type MadeFrom,
  type Settings,
  type State,
} from './state.ts';
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
    const [entry, made] = newEntry(next, id, claims);
    next = withEntry(next, entry);
    effects.push(...made);
  }

  for (const entry of next.entries.values()) {
    // Stale: the listing began before the last lifecycle change of this entry.
    if (entry.revision > event.startRevision) continue;
    // The job that made it transitioning owns it, until that job waits for a pass.
    if (isTransitioning(entry.phase) && !entry.settling) continue;
    const claims = claimsOf.get(entry.id) ?? [];
    const [reconciled, entryEffects] = reconcile(next, entry, claims, byId, event);
    effects.push(...entryEffects);
    if (reconciled) next = withEntry(next, reconciled);
    else next = { ...next, entries: new Map([...next.entries].filter(([id]) => id !== entry.id)) };
    if (entry.settling && reconciled && !reconciled.settling) next = endSettled(next, entry, reconciled, event.at);
  }
  return [next, effects];
}

function newEntry(state: State, id: string, claims: readonly Claim[]): readonly [Entry, readonly Effect[]] {
  const key = (claims[0] as Claim).key;
  const level = levelOf('seen', claims, state.settings);
  const entry: Entry = {
    id,
    key,
    origin: 'seen',
    level,
    name: chooseName(key.workspaceFolder, takenNames(state, id)),
    nameSource: 'folder',
    revision: 0,
    phase: { status: 'stopped' },
    candidates: [],
    agent: { kind: 'none' },
    ignored: false,
    made: [],
  };
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
  const eligible =
    level === 'seen' ? claims : claims.filter((claim) => claim.proven || isOurs(before, claim.containerId));
  const naming = new Set(eligible.filter((claim) => claim.namesConfig).map((claim) => claim.containerId));
  const containers = eligible.flatMap((claim) => byId.get(claim.containerId) ?? []);
  const { chosen, candidates } = selectContainer(containers, (container) => naming.has(container.id));

  // What is only seen and has no container any more is nothing of ours: it goes.
  if (level === 'seen' && !chosen) return [undefined, effects];

  let entry: Entry = { ...before, level, link: chosen, candidates: reuse(before.candidates, candidates) };
  if (level !== before.level) entry = withFreeName(state, entry);
  const reading = event.readings.get(entry.id);
  if (reading) entry = withReading(state, entry, reading);
  entry = withMade(entry, containers);
  if (entry.made.some((made) => made.ours && made.containerId === chosen?.id)) entry = { ...entry, level: 'managed' };
  const replaced = before.link && !before.settling && before.link.id !== chosen?.id;
  if (replaced && entry.phase.status !== 'error') entry = { ...entry, lifecycleError: undefined };
  entry = withPhase(entry);
  if (entry.intent && entry.phase.status !== 'starting') entry = { ...entry, intent: undefined };
  if (candidates.length > 0 && entry.candidates !== before.candidates) {
    effects.push({
      type: 'warn',
      message: `Several containers claim ${entry.key.workspaceFolder}; ${chosen?.name} is used.`,
      fields: { devcontainer: entry.id, chosen: chosen?.id, candidates },
    });
  }

  const [decided, agentEffects] = decideAgent(state, entry, event.at, `${event.passId}/${entry.id}`);
  effects.push(...agentEffects);
  const policyChanged = decided.ignored !== before.ignored || decided.name !== before.name;
  if (decided.made !== before.made || decided.intent !== before.intent || policyChanged)
    effects.push({ type: 'persist' });
  return [reuse(before, decided), effects];
}

/** Made by us, so that it needs no mount as proof: a compose service may keep its workspace elsewhere. */
function isOurs(entry: Entry, containerId: string): boolean {
  const { settling } = entry;
  if (settling && settling.kind !== 'ready' && settling.containerId === containerId) return true;
  return entry.made.some((made) => made.ours && made.containerId === containerId);
}

/** Status after an observation; see docs/design/transitions.md. */
function withPhase(entry: Entry): Entry {
  const { phase, settling, link } = entry;
  const running = link?.state === 'running';
  if (phase.status === 'starting' && settling) {
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
          settling: undefined,
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

/** Notes what fingerprint the linked container was made from, as far as it can be known; forgets what is gone. */
function withMade(entry: Entry, containers: readonly Container[]): Entry {
  const { link, intent, config } = entry;
  const present = new Set(containers.map((container) => container.id));
  let made: readonly MadeFrom[] = entry.made.every((one) => present.has(one.containerId))
    ? entry.made
    : entry.made.filter((one) => present.has(one.containerId));
  if (link && !made.some((one) => one.containerId === link.id)) {
    if (intent && !intent.knownContainers.includes(link.id)) {
      const { fingerprint, properties } = intent;
      made = [...made, { containerId: link.id, fingerprint, properties, ours: true }];
    } else if (config && config.modifiedAt <= link.createdAt) {
      // Not changed since the container was made, so this is what it was made from.
      const { fingerprint, properties } = config;
      made = [...made, { containerId: link.id, fingerprint, properties, ours: false }];
    }
  }
  return made === entry.made ? entry : { ...entry, made };
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
 * come back: as far as can be told, it has no container.
 */
export function reduceObserveFailed(
  state: State,
  event: Extract<Event, { type: 'observeFailed' }>,
): readonly [State, readonly Effect[]] {
  const { message, at } = event;
  let next: State = { ...state, observation: { status: 'failed', message, at } };
  for (const before of state.entries.values()) {
    if (before.phase.status !== 'starting' || before.settling?.kind !== 'failed') continue;
    const entry = withPhase({ ...before, link: undefined });
    next = endSettled(withChangedEntry(next, entry), before, entry, at);
  }
  return [next, []];
}
