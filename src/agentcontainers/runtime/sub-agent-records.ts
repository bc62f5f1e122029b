import { bounded, deadlineScope, raceAbort } from '../../async/abort.ts';
import { settleAll } from '../../async/settle-all.ts';
import { AgentContainersError, errorMessage, isAgentContainersError } from '../../errors.ts';
import { CLEANUP_TIMEOUT } from '../constants.ts';
import { folderNames } from '../model/names.ts';
import type { Entry } from '../model/state.ts';
import { takenNames } from '../model/entry-name.ts';
import type { SubAgentRecord, SubAgentSpec } from '../ports.ts';
import type { Runtime } from './runtime.ts';

export interface Registration {
  readonly record: SubAgentRecord;
  readonly token: string;
}

/** The record for this configuration: the one there is, if it is equal; else a new one in its place. */
export async function register(
  rt: Runtime,
  id: string,
  spec: Omit<SubAgentSpec, 'name'>,
  signal: AbortSignal,
): Promise<Registration> {
  const entry = rt.store.state.entries.get(id);
  if (!entry) throw new AgentContainersError('devcontainer-not-found', 'Devcontainer not found.');
  const known = rt.tokens;
  const { record } = entry;
  const kept = record && known.get(record.id);
  if (record && kept?.spec === specKey(entry.name, spec)) {
    return { record: { ...spec, ...record }, token: kept.token };
  }
  if (record && record.id !== entry.preassignedRecordId) {
    // The name must be free again before the new record can have it.
    await raceAbort(rt.ports.subAgentClient.delete(record.id, signal), signal);
    known.delete(record.id);
    rt.store.dispatch({ type: 'subAgentDeleted', id, recordId: record.id });
  }
  return createRecord(rt, entry, spec, signal);
}

async function createRecord(
  rt: Runtime,
  entry: Entry,
  spec: Omit<SubAgentSpec, 'name'>,
  signal: AbortSignal,
): Promise<Registration> {
  const others = takenNames(rt.store.state, entry.id);
  if (entry.nameSource === 'chosen' && others.has(entry.name)) throw nameTaken(entry.name);
  const wider =
    entry.nameSource === 'chosen' ? [] : folderNames(entry.key.workspaceFolder).filter((name) => !others.has(name));
  const names = [entry.name, ...wider.filter((name) => name !== entry.name)];
  for (const name of names) {
    try {
      return await createNamed(rt, entry, { ...spec, name }, signal);
    } catch (error) {
      if (!isAgentContainersError(error, 'sub-agent-name-taken') || name === names.at(-1)) throw error;
    }
  }
  throw nameTaken(entry.name);
}

async function createNamed(rt: Runtime, entry: Entry, spec: SubAgentSpec, signal: AbortSignal): Promise<Registration> {
  const wish = { ...spec, id: entry.preassignedRecordId };
  const created = await createToItsEnd(rt, wish).catch(async (error: unknown) => {
    // Its holder may be a record of ours whose registration was never answered.
    const ours = isAgentContainersError(error, 'sub-agent-name-taken') && (await deleteOrphan(rt, spec.name, signal));
    if (!ours) throw error;
    return createToItsEnd(rt, wish);
  });
  const { id, directory } = created.record;
  rt.store.dispatch({ type: 'subAgentCreated', id: entry.id, record: { id, name: spec.name, directory } });
  signal.throwIfAborted();
  return created;
}

async function deleteOrphan(rt: Runtime, name: string, signal: AbortSignal): Promise<boolean> {
  const records = await raceAbort(rt.ports.subAgentClient.list(signal), signal);
  const orphan = records.find((record) => record.name === name && !isHeld(rt, record.id));
  if (!orphan) return false;
  await raceAbort(rt.ports.subAgentClient.delete(orphan.id, signal), signal);
  return true;
}

function isHeld(rt: Runtime, id: string): boolean {
  if (rt.tokens.has(id)) return true;
  return [...rt.store.state.entries.values()].some(
    ({ record, preassignedRecordId }) => record?.id === id || preassignedRecordId === id,
  );
}

/**
 * Not bound to the injection's signal: a call that is given up half way may have made a record that nobody knows of,
 * and whose name is taken when the next injection asks for it.
 */
async function createToItsEnd(
  rt: Runtime,
  spec: SubAgentSpec & { readonly id?: string | undefined },
): Promise<Registration> {
  const scope = deadlineScope(rt.ports.clock, CLEANUP_TIMEOUT, 'Registering the sub-agent');
  const registration = rt.ports.subAgentClient.create(spec, scope.signal).then((created) => {
    // Ours from the moment of the answer on: who waits for registrations looks right after it.
    rt.tokens.set(created.record.id, { token: created.token, spec: specKey(spec.name, spec) });
    return created;
  });
  rt.registrations.add(registration);
  try {
    return await registration;
  } finally {
    rt.registrations.delete(registration);
    scope.release();
  }
}

function nameTaken(name: string): AgentContainersError {
  return new AgentContainersError(
    'sub-agent-name-taken',
    `Registering the sub-agent failed: the name ${name} is taken. Choose another in customizations.agentcontainers.name.`,
  );
}

function specKey(name: string, spec: Omit<SubAgentSpec, 'name'>): string {
  const { directory, operatingSystem, architecture, displayApps, apps } = spec;
  return JSON.stringify([name, directory, operatingSystem, architecture, displayApps, apps]);
}

/** At start: records that this process does not know are left from one that died. Failure is logged only. */
export async function deleteUnknownRecords(rt: Runtime): Promise<void> {
  const { clock, logger, subAgentClient } = rt.ports;
  const what = 'Cleaning up sub-agent records';
  try {
    const records = await bounded(clock, CLEANUP_TIMEOUT, what, rt.closing, (signal) => subAgentClient.list(signal));
    // A record that is being made may be in the list before we know that it is ours. The wait for it has a deadline of
    // its own, so that one registration without an answer does not use up the time for all others.
    await Promise.allSettled(rt.registrations);
    for (const { id, name } of records) {
      if (isHeld(rt, id)) continue;
      await bounded(clock, CLEANUP_TIMEOUT, what, rt.closing, (signal) => subAgentClient.delete(id, signal));
      logger.info({ recordId: id, name }, 'Deleted the record of a sub-agent that this process does not know.');
    }
  } catch (error) {
    if (!rt.closing.aborted) logger.warn({ err: error }, `${what} failed: ${errorMessage(error)}`);
  }
}

/** At close: all records but those that the embedder made. */
export async function deleteOwnRecords(rt: Runtime): Promise<void> {
  const { clock, logger, subAgentClient } = rt.ports;
  const scope = deadlineScope(clock, CLEANUP_TIMEOUT, 'Deleting sub-agent records');
  const records = [...rt.store.state.entries.values()].flatMap(({ record, preassignedRecordId }) =>
    record && record.id !== preassignedRecordId ? [record.id] : [],
  );
  try {
    await settleAll(records.map((id) => raceAbort(subAgentClient.delete(id, scope.signal), scope.signal)));
  } catch (error) {
    logger.warn({ err: error }, `Deleting sub-agent records at close failed: ${errorMessage(error)}`);
  } finally {
    scope.release();
  }
}
