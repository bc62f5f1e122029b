import { bounded } from '../../../async/abort.ts';
import { CONFIG_TIMEOUT } from '../../constants.ts';
import type { EntryKey } from '../../model/devcontainer.ts';
import { readWithSource, type ReadWithSource } from '../read-config.ts';
import type { UpJob } from './up-job.ts';

/** What the files say now, for a job that goes by it. Rejects with `timeout`, or with the reason of the job's signal. */
export function readInTime({ rt, signal }: Pick<UpJob, 'rt' | 'signal'>, key: EntryKey): Promise<ReadWithSource> {
  return bounded(rt.ports.clock, CONFIG_TIMEOUT, `Reading ${key.configPath}`, signal, () => readWithSource(rt, key));
}
