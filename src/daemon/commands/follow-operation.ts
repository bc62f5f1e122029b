import { setTimeout as delay } from 'node:timers/promises';
import { isAgentContainersError } from '../../errors.ts';
import type { WireDevcontainer, WireOperation } from '../../http/wire-schemas.ts';
import type { DaemonClient } from '../client/client.ts';
import type { Output } from '../output/output.ts';
import { plainLines } from '../output/plain-text.ts';
import { createProgress, type Progress, type ProgressStep } from '../output/progress.ts';
import { devcontainerPath } from './context.ts';
import { followLog, readLogTail } from './logs.ts';

const POLL_MS = 250;
/** How long the sub-agent may take after the container runs before the command returns without it. */
const AGENT_WAIT_MS = 20_000;
/** How long a daemon may be away, for a restart, before the command gives up. */
const AWAY_MS = 15_000;

export interface FollowOptions {
  readonly title: string;
  readonly verbose: boolean;
  /** Also wait until the sub-agent has come up or failed. */
  readonly agent: boolean;
  /** Ends the following, not the operation. */
  readonly signal: AbortSignal;
}

export interface Followed {
  readonly operation: WireOperation;
  /** Absent when it is not there any more: the operation has removed it. */
  readonly devcontainer?: WireDevcontainer | undefined;
  /** The last lines that the operation wrote, when it failed. */
  readonly tail: readonly string[];
}

/**
 * Shows the operation's steps and log until it has ended; it goes on in the daemon in any case, and a daemon that is
 * restarted meanwhile knows how it went. Resolves with `undefined` when `signal` aborted.
 */
export async function followOperation(
  daemon: DaemonClient,
  output: Output,
  receipt: { readonly operation_id: string; readonly devcontainer_id: string },
  options: FollowOptions,
): Promise<Followed | undefined> {
  const { signal, verbose } = options;
  const client = until(daemon, signal);
  const progress = createProgress(output, options.title);
  const reading = new AbortController();
  let log: Promise<number> | undefined;
  try {
    const get = (): Promise<WireOperation> => getOperationPatiently(client, receipt.operation_id, signal, progress);
    let operation = await get();
    const show = verbose
      ? (text: string): void => output.note(text.trimEnd())
      : (text: string): void => progress.text(text);
    if (operation.status === 'running') log = showLog(client, operation, show, reading.signal);
    for (let first = true; operation.status === 'running'; first = false) {
      showSteps(progress, operation, first);
      await delay(POLL_MS, undefined, { signal });
      operation = await get();
    }
    showSteps(progress, operation, false);
    if (verbose) await showRest(client, operation, log, reading, show);
    let devcontainer = await findDevcontainerById(client, receipt.devcontainer_id);
    if (options.agent && devcontainer) devcontainer = await waitForAgent(client, progress, devcontainer, signal);
    const isTold =
      operation.status !== 'failed' || (devcontainer?.degraded ?? []).some((part) => part.output_tail !== '');
    return { operation, devcontainer, tail: isTold ? [] : await readLogTail(client, operation) };
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    reading.abort();
    await log;
    progress.end();
  }
}

/** Every request ends when `signal` aborts, also one that is never answered. */
function until(client: DaemonClient, signal: AbortSignal): DaemonClient {
  const both = (own: AbortSignal | undefined): AbortSignal => (own ? AbortSignal.any([own, signal]) : signal);
  return {
    ...client,
    send: (request) => client.send({ ...request, signal: both(request.signal) }),
    stream: (request) => client.stream({ ...request, signal: both(request.signal) }),
  };
}

function showSteps(progress: Progress, { steps, status, phase }: WireOperation, isFirst: boolean): void {
  progress.steps(steps.map(toProgressStep), status === 'failed');
  // What comes before the first step is over in a moment, mostly.
  if (steps.length === 0 && !isFirst && status === 'running') progress.phase(phase);
}

export function toProgressStep({ name, started_at, ended_at }: WireOperation['steps'][number]): ProgressStep {
  return {
    name,
    startedAt: Date.parse(started_at),
    endedAt: ended_at === undefined ? undefined : Date.parse(ended_at),
  };
}

/** Resolves with the offset up to which the log was shown. It is only shown along the way, so nothing fails here. */
async function showLog(
  client: DaemonClient,
  { devcontainer_id: id, log_offset: begin }: WireOperation,
  show: (text: string) => void,
  signal: AbortSignal,
): Promise<number> {
  let offset = begin;
  while (!signal.aborted) {
    try {
      for await (const chunk of followLog(client, id, { offset, follow: true, signal })) {
        show(plainLines(chunk.text));
        offset = chunk.offset + Buffer.byteLength(chunk.text);
      }
    } catch {
      // The daemon is away, or the log: on from here when they are back.
    }
    await delay(POLL_MS, undefined, { signal }).catch(() => {});
  }
  return offset;
}

/** What was written between the last look and the end. */
async function showRest(
  client: DaemonClient,
  operation: WireOperation,
  log: Promise<number> | undefined,
  reading: AbortController,
  show: (text: string) => void,
): Promise<void> {
  reading.abort();
  const offset = (await log) ?? operation.log_offset;
  try {
    const rest = followLog(client, operation.devcontainer_id, { offset, follow: false });
    for await (const { text } of rest) show(plainLines(text));
  } catch {
    // As above; the log of a devcontainer that was removed is gone.
  }
}

async function waitForAgent(
  client: DaemonClient,
  progress: Progress,
  first: WireDevcontainer,
  signal: AbortSignal,
): Promise<WireDevcontainer> {
  const until = Date.now() + AGENT_WAIT_MS;
  let entry = first;
  const pending = (): boolean =>
    entry.status === 'starting' ||
    (entry.status === 'running' && (entry.agent === undefined || entry.agent.status === 'starting'));
  while (pending() && Date.now() < until) {
    progress.phase('sub-agent');
    await delay(POLL_MS, undefined, { signal });
    entry = await getDevcontainer(client, first.id);
    // An entry that runs without an agent for a while has none to wait for: it is ignored, or only seen.
    if (entry.agent === undefined && Date.now() > until - AGENT_WAIT_MS + 3_000) break;
  }
  return entry;
}

async function getOperationPatiently(
  client: DaemonClient,
  id: string,
  signal: AbortSignal,
  progress: Progress,
): Promise<WireOperation> {
  const until = Date.now() + AWAY_MS;
  for (;;) {
    try {
      return await getOperation(client, id);
    } catch (error) {
      const isAway = isAgentContainersError(error, 'daemon-unreachable', 'api-closed');
      if (!isAway || Date.now() > until) throw error;
      progress.text('the daemon does not answer');
      await delay(POLL_MS, undefined, { signal });
    }
  }
}

export async function getOperation(client: DaemonClient, id: string): Promise<WireOperation> {
  return (await client.send({ method: 'GET', path: `/operations/${encodeURIComponent(id)}` })).body as WireOperation;
}

export async function getDevcontainer(client: DaemonClient, id: string): Promise<WireDevcontainer> {
  return (await client.send({ method: 'GET', path: devcontainerPath(id) })).body as WireDevcontainer;
}

export async function findDevcontainerById(client: DaemonClient, id: string): Promise<WireDevcontainer | undefined> {
  try {
    return await getDevcontainer(client, id);
  } catch (error) {
    if (isAgentContainersError(error, 'devcontainer-not-found')) return undefined;
    throw error;
  }
}
