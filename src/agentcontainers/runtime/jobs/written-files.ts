import { errorMessage } from '../../../errors.ts';
import { plainLine } from '../../../text/plain-text.ts';
import { UNKNOWN_INPUT } from '../../model/fingerprint.ts';
import { readInTime } from './read-in-time.ts';
import type { Prepared } from './prepare.ts';
import type { UpJob } from './up-job.ts';

/** What is written into the files of a configuration while a container is made from them. */
export interface WrittenFiles {
  /**
   * Looks at once, or has looked: to be called when the container runs, since what is written from then on is not in it.
   * Resolves when it is noted which files were written from when they were read to the look.
   */
  noted(): Promise<void>;
}

/**
 * The CLI reads a Dockerfile, what it copies, compose files and features when it comes to them. What was written since we
 * read them may be in the container or not, also when it was undone later: such an input is not known of that container,
 * which is dirty until another one is made. The devcontainer.json is not among them, as the CLI is given what we have read.
 */
export function watchWritten(job: UpJob, prepared: Prepared): WrittenFiles {
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const { rt, id, jobId, signal } = job;
    const names = await writtenSince(job, prepared);
    const intent = rt.store.state.entries.get(id)?.intent;
    if (names.length === 0 || signal.aborted || intent?.kind !== 'up' || intent.operationId !== jobId) return;
    const unknown = Object.fromEntries(names.map((name) => [name, UNKNOWN_INPUT]));
    rt.store.dispatch({ type: 'upBegan', id, intent: { ...intent, inputs: { ...intent.inputs, ...unknown } } });
    const list = names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '');
    const said = `Changed while the container was made, so that it may have an earlier state: ${list}`;
    rt.ports.logSink.append(id, `${plainLine(said)}\n`);
  }

  return { noted: () => (looking ??= look()) };
}

async function writtenSince({ rt, id, signal }: UpJob, { key, files, reading }: Prepared): Promise<readonly string[]> {
  try {
    const now = await readInTime({ rt, signal }, key);
    if (now.reading.kind !== 'valid') return Object.keys(files);
    // What came to be counts too, unless it is another configuration that names it.
    const isSame = propertiesOf(now.reading) === propertiesOf(reading);
    const names = new Set([...Object.keys(files), ...(isSame ? Object.keys(now.files) : [])]);
    return [...names].filter((name) => files[name] !== now.files[name]).sort();
  } catch (error) {
    if (signal.aborted) return [];
    // Nobody can tell.
    rt.ports.logger.warn({ err: error, devcontainer: id }, errorMessage(error));
    return Object.keys(files);
  }
}

/** Of the devcontainer.json itself. */
function propertiesOf({ config }: Prepared['reading']): string {
  const names = Object.keys(config.inputs).filter((name) => !/^(?:\.?\/|image )/.test(name));
  return JSON.stringify(names.sort().map((name) => [name, config.inputs[name]]));
}
