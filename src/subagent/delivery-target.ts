import { randomBytes } from 'node:crypto';
import type { ContainerEngine, SubAgentBinary } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { AgentContainersError, errorMessage, isAgentContainersError, reasonOf } from '../errors.ts';
import type { BinaryContent } from './binary-contents.ts';
import type { LauncherLimits } from './limits.ts';
import { plainLine } from '../text/plain-text.ts';
import { failureReason, runShortCommand } from '../agentcontainers/engine-runtime/run-short-command.ts';
import { RUN_ID_VARIABLE, signalProcesses } from '../agentcontainers/engine-runtime/signal-processes.ts';

/** For the shell that kills a version call which does not end. */
const KILL_TIMEOUT_MS = 3_000;

/** One delivery: what goes where, and what it takes to get it there. */
export interface DeliveryTarget {
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly limits: LauncherLimits;
  readonly containerId: string;
  readonly binary: SubAgentBinary;
  readonly content: BinaryContent;
  /** `<name>-<digest12>`. */
  readonly fileName: string;
  readonly user: string | undefined;
  readonly signal: AbortSignal;
}

/** What a step came to: the file runs from there, or a reason why it does not and another place may help. */
export type StepOutcome =
  | { readonly ok: true; readonly version: string | undefined }
  | { readonly ok: false; readonly reason: string };

/** Errors after which no other way into this container can help. */
export function isContainerLost(error: unknown): boolean {
  return isAgentContainersError(error, 'engine-unreachable', 'engine-object-not-found', 'engine-conflict');
}

export function deliveryFailed(
  target: DeliveryTarget,
  reason: string,
  next: string,
  cause?: unknown,
): AgentContainersError {
  const where = `container ${target.containerId.slice(0, 12)}`;
  return new AgentContainersError(
    'sub-agent-delivery-failed',
    `Delivering the sub-agent to ${where} failed: ${reason}. ${next}`,
    { cause },
  );
}

/**
 * Runs the version call at this path as the user that the sub-agent will run as. Resolves with a reason when the file
 * cannot be run from there; throws when it can, but does not do what it should.
 */
export async function verifyRuns(target: DeliveryTarget, path: string): Promise<StepOutcome> {
  const { engine, clock, binary, user, containerId, limits } = target;
  const argv = [path, ...(binary.versionArgs ?? ['--version'])];
  const runId = randomBytes(16).toString('hex');
  const env = [`${RUN_ID_VARIABLE}=${runId}`];
  const spec = { containerId, argv, user, env, timeoutMs: limits.commandTimeoutMs };
  const result = await runShortCommand(engine, clock, spec, target.signal).catch(async (error: unknown) => {
    const isTimeout = isAgentContainersError(error, 'timeout');
    if (!isTimeout && !target.signal.aborted) throw error;
    // Dropping its stream does not end it.
    const abort = new AbortController().signal;
    await signalProcesses(engine, clock, {
      containerId,
      runId,
      user,
      signal: 'KILL',
      timeoutMs: KILL_TIMEOUT_MS,
      abort,
    });
    target.signal.throwIfAborted();
    const reason = `${argv.join(' ')} did not end within ${limits.commandTimeoutMs / 1_000} s and was killed`;
    throw deliveryFailed(target, reason, 'The sub-agent must answer it and end with exit code 0.', error);
  });
  if (result.exitCode === 0) {
    const line = plainLine(result.stdout.trimStart().split('\n', 1)[0] ?? '').slice(0, 200);
    return { ok: true, version: line === '' ? undefined : line };
  }
  const reason = plainLine(failureReason(result));
  if (/exec format error/i.test(reason)) {
    throw new AgentContainersError(
      'sub-agent-unsupported',
      `Delivering the sub-agent to container ${containerId.slice(0, 12)} failed: ${binary.path} is not made for the container's platform. Give an executable for it.`,
      { details: { reason } },
    );
  }
  // Some runtimes give 1 or 255 and these words when the kernel refuses the file, e.g. for want of its interpreter.
  const isRefused = result.exitCode === 126 || result.exitCode === 127 || reason.includes(`exec ${path}: `);
  if (isRefused) return { ok: false, reason };
  throw deliveryFailed(
    target,
    `${argv.join(' ')} does not work there: ${reason}`,
    'The sub-agent must answer it with exit code 0.',
  );
}

/** A step that moves bytes: an error of it is a reason, unless nothing can help any more. */
export async function asReason(target: DeliveryTarget, step: () => Promise<void>): Promise<string | undefined> {
  try {
    await step();
    return undefined;
  } catch (error) {
    target.signal.throwIfAborted();
    if (isContainerLost(error)) throw error;
    return reasonOf(plainLine(errorMessage(error)));
  }
}
