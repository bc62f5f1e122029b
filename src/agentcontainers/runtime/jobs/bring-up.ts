import { AgentContainersError, errorMessage, isAgentContainersError, isCancelled } from '../../../errors.ts';
import { bounded } from '../../../async/abort.ts';
import { ENGINE_TIMEOUT } from '../../constants.ts';
import { LABEL, type Container } from '../../model/container.ts';
import type { UpIntent } from '../../model/intent.ts';
import type { Entry } from '../../model/state.ts';
import type { UpOutcome, UpRequest } from '../../ports.ts';
import { build } from './build.ts';
import { containerRuns } from './container-runs.ts';
import { projectOfJob, requireProject } from './compose-project.ts';
import { converge } from './converge.ts';
import { allowance, leavesOutInitializeCommand, type Judgement } from './judgement.ts';
import { prepare, type Prepared } from './prepare.ts';
import { beginSwap, finishSwap, undoSwap } from './swap.ts';
import { untilReachable } from './until-reachable.ts';
import { busy, cliContext, reportFailure, step, type UpJob } from './up-job.ts';
import { watchWritten } from './written-files.ts';

/**
 * Starts the container that is there, or makes one; for a recreate it makes one in place of the one that is there:
 * everything that can fail without touching the old one is done first.
 */
export async function bringUp(begun: UpJob): Promise<void> {
  const { rt, id } = begun;
  const before = rt.store.state.entries.get(id);
  if (!before) return;
  if (before.intent?.isInterrupted) await convergeFirst(begun);
  step(begun, 'prepare');
  const prepared = await prepare(begun, before);
  const { reading, intent, source } = prepared;
  // Written before the first side effect, so that a daemon killed at any step knows what it had begun.
  rt.store.dispatch({ type: 'upBegan', id, intent });
  await rt.persistence.flush();
  const entry = rt.store.state.entries.get(id);
  if (!entry) return;

  const startsWhatIsThere = entry.link !== undefined && begun.cause !== 'recreate';
  // A compose project is brought up whole, with whatever its files say now.
  const isStart = startsWhatIsThere && !reading.config.isCompose;
  leavesOutInitializeCommand(begun, { verdict: reading.verdict, isStart });
  const job = { ...begun, project: await projectOfJob(begun, entry, reading.config.compose, startsWhatIsThere) };
  if (startsWhatIsThere && entry.link) {
    const generation = entry.link.labels[LABEL.generation];
    const labels = generation === undefined ? {} : { [LABEL.generation]: generation };
    const judgement = { verdict: reading.verdict, isStart };
    await startExisting(job, entry, entry.link, judgement, { mode: 'find', config: source, labels });
    return;
  }
  const built = await build(job, entry, prepared);
  if (built.outcome === 'error') {
    reportFailure(job, built, entry.link ? 'The earlier container was left as it is.' : '');
    return;
  }
  await make(job, entry, prepared, { verdict: built.verdict, isStart: false });
}

/** Which containers there are may be different now: the next pass sees them, and the person tries again. */
async function convergeFirst(job: UpJob): Promise<void> {
  const said = await converge(job);
  if (said === '') return;
  throw new AgentContainersError('up-failed', `Bringing up failed: an earlier job was interrupted. ${said} Try again.`);
}

type UpOptions = Pick<UpRequest, 'mode' | 'config' | 'labels' | 'readOnlyMounts' | 'onContainerRuns'>;

/** Runs `up`; `onReady` has ended before the job counts as ready. */
async function run(
  job: UpJob,
  entry: Entry,
  judgement: Judgement,
  options: UpOptions,
  onReady: () => Promise<void>,
): Promise<{ outcome: UpOutcome; wasReady: boolean }> {
  const { rt, id, jobId } = job;
  const allowed = allowance(job, entry, judgement);
  const beforeSpawn = async (): Promise<void> => {
    await allowed.beforeSpawn?.();
    await requireProject(job, entry, job.project);
  };
  const process = rt.ports.cli.up({ ...cliContext(job, entry), ...options, ...allowed, beforeSpawn });
  const readiness = process.ready.then(async (isReady) => {
    if (!isReady) return false;
    await onReady();
    rt.store.dispatch({ type: 'upReady', id, jobId });
    job.ready();
    return true;
  });
  try {
    const outcome = await process.done;
    return { outcome, wasReady: await readiness };
  } catch (error) {
    await readiness.catch(() => {});
    throw error;
  }
}

async function startExisting(
  job: UpJob,
  entry: Entry,
  link: Container,
  judgement: Judgement,
  options: UpOptions,
): Promise<void> {
  const [impostor] = await impostors(job, entry, link, options);
  if (impostor) {
    const message = `Bringing up the dev container failed: another container carries its labels. Remove the container ${impostor.name}, and try again.`;
    reportFailure(job, { outcome: 'error', message, phase: 'create', outputTail: '' });
    return;
  }
  const { outcome, wasReady } = await run(job, entry, judgement, options, async () => {});
  // Whatever it was at, of an engine that went away the CLI knows nothing.
  if (outcome.outcome === 'error' && !wasReady) await containerRuns(job, outcome.containerId);
  report(job, outcome);
}

/**
 * Containers that the CLI, which goes by labels alone, could take for this one: an image can carry any label, and the CLI
 * would start it and run the hooks in it. Those that mount the folder are candidates, and no impostors. Of a compose
 * project it is known by now that there are none.
 */
async function impostors(
  { rt, signal, project }: UpJob,
  entry: Entry,
  link: Container,
  options: UpOptions,
): Promise<Container[]> {
  if (project) return [];
  const names = [LABEL.localFolder, LABEL.configFile, ...Object.keys(options.labels ?? {})];
  const labels = names.flatMap((name) => (link.labels[name] === undefined ? [] : [`${name}=${link.labels[name]}`]));
  const { clock, engine } = rt.ports;
  const found = await bounded(clock, ENGINE_TIMEOUT, 'Listing containers', signal, (limit) =>
    engine.listContainers({ labels, signal: limit }),
  );
  const known = new Set([link.id, ...entry.candidates.map(({ containerId }) => containerId)]);
  return found.filter(({ id }) => !known.has(id));
}

async function make(job: UpJob, entry: Entry, prepared: Prepared, judgement: Judgement): Promise<void> {
  const { intent, source } = prepared;
  const { rt, id, jobId, signal } = job;
  const old = job.cause === 'recreate' ? entry.link : undefined;
  const injects = rt.store.state.settings.injectSubAgents && !entry.ignored;
  const readOnlyMounts = injects ? await rt.subAgentMount.wanted(signal) : [];
  const options: UpOptions = {
    mode: 'make',
    config: source,
    labels: rt.labels.labelsFor(entry.key, jobId, intent.fingerprint),
  };
  let finishing: Promise<void> | undefined;
  const finish = (): Promise<void> => {
    const swap = swapOf(job);
    return (finishing ??= swap ? finishSwap(job, swap) : Promise.resolve());
  };
  const undo = async (): Promise<string> => {
    const swap = swapOf(job);
    if (!swap || finishing) return '';
    const made = entry.made.find(({ containerId }) => containerId === swap.oldContainerId);
    // Without its engine nothing can be put back: that waits, so that nobody has to see to it.
    return untilReachable({ rt, id, signal: rt.closing }, () => undoSwap(job, swap, jobId, made));
  };

  const attempt = async (mounts: typeof readOnlyMounts): ReturnType<typeof run> => {
    const written = watchWritten(job, prepared);
    const all = { ...options, readOnlyMounts: mounts, onContainerRuns: () => void written.noted() };
    const ended = await run(job, entry, judgement, all, () => written.noted().then(finish));
    if (ended.outcome.outcome === 'success' || ended.outcome.containerId !== undefined) await written.noted();
    return ended;
  };

  let result: { outcome: UpOutcome; wasReady: boolean };
  let isUp: boolean;
  try {
    // Who came while it was built is cut off as little as who was there before.
    const now = rt.store.state.entries.get(id);
    if (old && now && now.holders.length > 0 && !job.force) throw busy(now);
    await requireProject(job, entry, job.project);
    if (old) await beginSwap(job, old, entry.config?.isCompose === true, signal);
    signal.throwIfAborted();
    result = await attempt(readOnlyMounts);
    if (result.outcome.outcome === 'error' && rt.subAgentMount.isReason(result.outcome, readOnlyMounts)) {
      result = await attempt([]);
    }
    const { outcome, wasReady } = result;
    // A hook that failed is no reason to give up a container that runs.
    isUp = wasReady || outcome.outcome === 'success' || (await containerRuns(job, outcome.containerId));
  } catch (error) {
    throw withAddition(error, await undoOrSay(job, undo));
  }
  const { outcome } = result;
  if (isUp) {
    await finish();
    report(job, outcome);
  } else if (outcome.outcome === 'error') {
    const said = await undoOrSay(job, undo);
    reportFailure(job, swapOf(job) || old ? { ...outcome, containerId: undefined } : outcome, said);
  }
}

function swapOf({ rt, id }: UpJob): NonNullable<UpIntent['swap']> | undefined {
  const intent = rt.store.state.entries.get(id)?.intent;
  return intent?.kind === 'up' ? intent.swap : undefined;
}

async function undoOrSay({ rt, id }: UpJob, undo: () => Promise<string>): Promise<string> {
  try {
    return await undo();
  } catch (error) {
    const message = errorMessage(error);
    rt.ports.logger.error({ err: error, devcontainer: id }, message);
    rt.ports.logSink.append(id, `${message}\n`);
    return message;
  }
}

/** The same error, with a further sentence for people. */
function withAddition(error: unknown, said: string): unknown {
  if (said === '' || isCancelled(error)) return error;
  const { code, details } = isAgentContainersError(error) ? error : { code: 'up-failed' as const, details: {} };
  return new AgentContainersError(code, `${errorMessage(error)} ${said}`, { cause: error, details });
}

function report(job: UpJob, outcome: UpOutcome): void {
  if (outcome.outcome === 'error') {
    reportFailure(job, outcome);
    return;
  }
  const { rt, id, jobId } = job;
  const { containerId } = outcome;
  const name = rt.store.state.entries.get(id)?.name ?? id;
  rt.ports.logger.info({ devcontainer: id, operation: jobId, container: containerId }, `Brought up ${name}.`);
  rt.store.dispatch({ type: 'upSucceeded', id, jobId, containerId, at: rt.ports.clock.now() });
}
