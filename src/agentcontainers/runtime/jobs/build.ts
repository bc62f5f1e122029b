import { UNKNOWN_INPUT } from '../../model/fingerprint.ts';
import type { Entry } from '../../model/state.ts';
import type { Finding, Verdict } from '../../model/verdict.ts';
import type { CliFailure } from '../../ports.ts';
import { deadlineScope } from '../../../async/abort.ts';
import { ENGINE_TIMEOUT } from '../../constants.ts';
import { allowance, judgeAgain, leavesOutInitializeCommand, withImage } from './judgement.ts';
import type { Prepared } from './prepare.ts';
import { readInTime } from './read-in-time.ts';
import { cliContext, step, type UpJob } from './up-job.ts';

/**
 * Makes sure that the image is there, and judges what it asks for: nothing that exists is touched by that. Throws
 * `devcontainer-not-trusted` when the image asks for more than was accepted.
 */
export async function build(
  job: UpJob,
  entry: Entry,
  { reading, source }: Prepared,
): Promise<CliFailure | { readonly outcome: 'built'; readonly verdict: Verdict }> {
  const { plainImage } = reading.config;
  let images = plainImage === undefined ? [] : [plainImage];
  if (plainImage === undefined || !(await inspect(job, plainImage))) {
    step(job, 'build');
    const judgement = { verdict: reading.verdict, isStart: false };
    const { beforeSpawn } = allowance(job, entry, judgement);
    const outcome = await job.rt.ports.cli.build({ ...cliContext(job, entry), config: source, beforeSpawn });
    if (outcome.outcome === 'error') return outcome;
    // Compose files and the like are read by the tools themselves: of others than those that were judged nothing is used.
    await judgeAgain(job, entry, judgement);
    images = [...outcome.images];
  }
  const verdict = await judge(job, reading, images);
  await noteImages(job, entry);
  return { outcome: 'built', verdict };
}

async function inspect({ rt, signal }: UpJob, image: string): ReturnType<typeof rt.ports.engine.inspectImage> {
  const scope = deadlineScope(rt.ports.clock, ENGINE_TIMEOUT, `Inspecting the image ${image}`, signal);
  try {
    return await rt.ports.engine.inspectImage(image, scope.signal);
  } finally {
    scope.release();
  }
}

/** An image carries metadata that `up` merges into the configuration: mounts, privileges. */
async function judge(
  job: UpJob,
  { verdict, config }: Prepared['reading'],
  images: readonly string[],
): Promise<Verdict> {
  const { rt, id } = job;
  const { isCompose } = config;
  const imageFindings: Finding[] = [];
  for (const image of images) {
    const details = await inspect(job, image);
    if (details) imageFindings.push(...rt.ports.configFiles.imageFindings(image, details.labels, { isCompose }));
  }
  const entry = rt.store.state.entries.get(id);
  if (!entry?.verdict) return verdict;
  const judged = withImage(verdict, entry.imageFindings, imageFindings);
  // The state keeps what is now in the files, with this image; this job goes by what it has read.
  const shown = withImage(entry.verdict, entry.imageFindings, imageFindings);
  if (shown.hash !== entry.verdict.hash) rt.store.dispatch({ type: 'imageJudged', id, imageFindings, verdict: shown });
  leavesOutInitializeCommand(job, { verdict: judged, isStart: false });
  return judged;
}

/** A base image may have been fetched only now: what it is belongs to what the container is made from. */
async function noteImages({ rt, id, signal }: UpJob, { key }: Entry): Promise<void> {
  rt.images.forget();
  const { reading } = await readInTime({ rt, signal }, key);
  const intent = rt.store.state.entries.get(id)?.intent;
  if (reading.kind !== 'valid' || intent?.kind !== 'up') return;
  const images = Object.entries(reading.config.inputs).filter(([name]) => name.startsWith('image '));
  const inputs = { ...intent.inputs };
  for (const [name, value] of images) {
    // One that was there and is another now: the build may have had either.
    inputs[name] = Object.hasOwn(inputs, name) && inputs[name] !== value ? UNKNOWN_INPUT : value;
  }
  rt.store.dispatch({ type: 'upBegan', id, intent: { ...intent, inputs } });
}
