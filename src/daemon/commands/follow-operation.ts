import { setTimeout as delay } from 'node:timers/promises';
import type { WireDevcontainer, WireOperation, WireReceipt } from '../../http/wire-schemas.ts';
import type { DaemonClient } from '../client/client.ts';
import type { Output } from '../output/output.ts';
import { plainLines, plainText } from '../output/plain-text.ts';
import { createProgress, type Progress } from '../output/progress.ts';
import { devcontainerPath } from './context.ts';
import { followLog } from './logs.ts';

const POLL_MS = 250;
/** How long the sub-agent may take after the container runs before the command returns without it. */
const AGENT_WAIT_MS = 20_000;

export interface FollowOptions {
  readonly title: string;
  readonly verbose: boolean;
  /** Also wait until the sub-agent has come up or failed. */
  readonly agent: boolean;
}

export interface Followed {
  readonly operation: WireOperation;
  readonly devcontainer: WireDevcontainer;
}

/** Shows the operation's steps and log until it has ended. It goes on in the daemon when this is interrupted. */
export async function followOperation(
  client: DaemonClient,
  output: Output,
  receipt: WireReceipt,
  options: FollowOptions,
): Promise<Followed> {
  const progress = createProgress(output, options.title);
  const reading = new AbortController();
  let log = Promise.resolve();
  try {
    let operation = await getOperation(client, receipt.operation_id);
    if (operation.status === 'running' || options.verbose) {
      log = showLog(client, output, progress, operation, options.verbose, reading.signal);
    }
    while (operation.status === 'running') {
      progress.phase(operation.phase);
      await delay(POLL_MS);
      operation = await getOperation(client, receipt.operation_id);
    }
    let devcontainer = await getDevcontainer(client, receipt.devcontainer_id);
    if (options.agent) devcontainer = await waitForAgent(client, progress, devcontainer);
    return { operation, devcontainer };
  } finally {
    reading.abort();
    await log;
    progress.end();
  }
}

async function showLog(
  client: DaemonClient,
  output: Output,
  progress: Progress,
  operation: WireOperation,
  verbose: boolean,
  signal: AbortSignal,
): Promise<void> {
  try {
    const chunks = followLog(client, operation.devcontainer_id, { offset: operation.log_offset, follow: true, signal });
    for await (const { text } of chunks) {
      if (verbose) output.note(plainLines(text).trimEnd());
      else progress.text(text);
    }
  } catch {
    // The log is only shown along the way: the operation itself says how it went.
  }
}

async function waitForAgent(
  client: DaemonClient,
  progress: Progress,
  first: WireDevcontainer,
): Promise<WireDevcontainer> {
  const until = Date.now() + AGENT_WAIT_MS;
  let entry = first;
  const pending = (): boolean =>
    entry.status === 'starting' ||
    (entry.status === 'running' && (entry.agent === undefined || entry.agent.status === 'starting'));
  while (pending() && Date.now() < until) {
    progress.phase('sub-agent');
    await delay(POLL_MS);
    entry = await getDevcontainer(client, first.id);
    // An entry that runs without an agent for a while has none to wait for: it is ignored, or only seen.
    if (entry.agent === undefined && Date.now() > until - AGENT_WAIT_MS + 3_000) break;
  }
  return entry;
}

async function getOperation(client: DaemonClient, id: string): Promise<WireOperation> {
  return (await client.send({ method: 'GET', path: `/operations/${encodeURIComponent(id)}` })).body as WireOperation;
}

export async function getDevcontainer(client: DaemonClient, id: string): Promise<WireDevcontainer> {
  return (await client.send({ method: 'GET', path: devcontainerPath(id) })).body as WireDevcontainer;
}

/**
 * The last words on an operation: how it went and what to do next. Returns the exit code: 1 also when the operation
 * succeeded but the entry shows an error, such as a hook that failed after the container was up.
 */
export function concludeOperation(output: Output, { operation, devcontainer }: Followed): number {
  const name = plainText(devcontainer.name);
  const error = outcomeError(operation, devcontainer);
  output.result({ operation, devcontainer, ...(error === undefined ? {} : { error: { message: error } }) });
  if (error !== undefined) {
    output.note(`${output.errorColors.red('error:')} ${operation.kind} of ${name}: ${plainText(error)}`);
    for (const part of devcontainer.degraded ?? []) {
      for (const line of plainLines(part.output_tail).trimEnd().split('\n')) output.note(`       ${line}`);
    }
    output.note(`       See all of it with \`agentcontainers logs ${name}\`.`);
  }
  if (devcontainer.status === 'running') {
    output.line(`${name} is running${agentText(devcontainer)}. Next: agentcontainers exec ${name} -- <command>`);
  } else if (error === undefined) {
    const next = devcontainer.status === 'stopped' ? 'start' : 'logs';
    output.line(`${name} is ${devcontainer.status}. Next: agentcontainers ${next} ${name}`);
  }
  return error === undefined ? 0 : 1;
}

function outcomeError(operation: WireOperation, devcontainer: WireDevcontainer): string | undefined {
  if (operation.status === 'succeeded') return operation.kind === 'stop' ? undefined : devcontainer.error;
  return operation.error ?? devcontainer.error ?? `it ended as ${operation.status}`;
}

function agentText({ agent }: WireDevcontainer): string {
  if (agent === undefined) return ', without a sub-agent';
  const reason = agent.status === 'running' || agent.reason === undefined ? '' : ` (${plainText(agent.reason)})`;
  return `, sub-agent ${agent.status}${reason}`;
}
