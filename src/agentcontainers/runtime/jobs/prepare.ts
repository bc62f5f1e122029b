import { bounded } from '../../../async/abort.ts';
import { AgentContainersError, errorMessage } from '../../../errors.ts';
import { CONFIG_TIMEOUT } from '../../constants.ts';
import type { EntryKey } from '../../model/devcontainer.ts';
import type { ConfigReading } from '../../model/events.ts';
import type { UpIntent } from '../../model/intent.ts';
import type { Entry } from '../../model/state.ts';
import { readInTime } from './read-in-time.ts';
import type { Runtime } from '../runtime.ts';
import type { UpJob } from './up-job.ts';

type ValidReading = Extract<ConfigReading, { kind: 'valid' }>;

export interface Prepared {
  readonly key: EntryKey;
  readonly reading: ValidReading;
  /** Of each file, see {@link ReadWithSource}. */
  readonly files: Readonly<Record<string, string>>;
  /** The parsed devcontainer.json. */
  readonly source: Readonly<Record<string, unknown>>;
  readonly intent: UpIntent;
}

/** Reads the configuration as it is now, and notes what the container is going to be made from. */
export async function prepare(job: UpJob, before: Entry): Promise<Prepared> {
  const { rt, id, jobId } = job;
  const { reading, source, files } = await read(job, before);
  rt.store.dispatch({ type: 'configRead', id, reading });
  const { fingerprint, inputs } = reading.config;
  const { claims } = rt.store.state;
  const knownContainers = [...claims].filter(([, entryId]) => entryId === id).map(([containerId]) => containerId);
  const since = rt.ports.clock.now();
  await keepContents(rt, before, fingerprint);
  const intent: UpIntent = { kind: 'up', operationId: jobId, fingerprint, inputs, since, knownContainers };
  return { key: before.key, reading, source, files, intent };
}

async function read({ rt, signal }: UpJob, { key }: Entry): Promise<Omit<Prepared, 'intent'>> {
  const { reading, source, files } = await readInTime({ rt, signal }, key);
  if (reading.kind === 'invalid') {
    const { message, line, column } = reading.error;
    throw new AgentContainersError(
      'config-invalid',
      `Bringing up failed: ${key.configPath}:${line}:${column}: ${message} Mend the file and try again.`,
    );
  }
  if (reading.kind === 'missing') {
    throw new AgentContainersError('config-not-found', `Bringing up failed: there is no file ${key.configPath}.`);
  }
  return { key, reading, source, files };
}

/** What the fingerprint stands for is kept, so that it can be shown later what differs. Not worth failing for. */
async function keepContents(rt: Runtime, { key, id }: Entry, fingerprint: string): Promise<void> {
  const { clock, configFiles, storage, logger } = rt.ports;
  try {
    const what = `Reading the files of ${key.configPath}`;
    const contents = await bounded(clock, CONFIG_TIMEOUT, what, rt.closing, () => configFiles.contents(key));
    const kept = new Set([fingerprint]);
    for (const entry of rt.store.state.entries.values()) {
      for (const made of entry.made) kept.add(made.fingerprint);
      if (entry.intent?.kind === 'up') kept.add(entry.intent.fingerprint);
    }
    await storage.keepContents(kept);
    await storage.saveContents(fingerprint, contents);
  } catch (error) {
    rt.closing.throwIfAborted();
    logger.warn(
      { err: error, devcontainer: id },
      `Keeping the files of ${key.configPath} failed: ${errorMessage(error)}`,
    );
  }
}
