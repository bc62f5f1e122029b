import { deadlineScope, sleep } from '../async/abort.ts';
import { askClient } from './ask-client.ts';
import type { CliParts } from './cli-parts.ts';
import { createOutputTail } from './output-tail.ts';

/** How the command of a container ended. */
export interface ContainerEnd {
  readonly exitCode: number;
  readonly outOfMemory: boolean;
  /** The last lines that it wrote, as `OutputTail` has them; empty where the engine does not keep them. */
  readonly output: string;
}

const ANSWER_MS = 5_000;
/** What runs in a container is killed before the engine says that the container has ended. */
const ASKED_AT_MOST = 6;
const BETWEEN_MS = 200;
const MAX_ANSWER = 4_096;
const STATE = '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}';
/** As Docker says it, and Podman; one that never ran has not ended. */
const ENDED = /^(?:exited|stopped|dead) (\d{1,3}) (true|false)$/;

/**
 * Asks the engine whether a container has ended. The CLI does not tell: what it says of one that ends while it is set
 * up depends on where it was just then, and is nothing at all in places. `undefined` when the container has not ended
 * within a second, is gone, or the engine gives no answer within five seconds. Never rejects.
 */
export async function containerEnd(
  parts: Pick<CliParts, 'executables' | 'clock'>,
  containerId: string,
  env: Readonly<Record<string, string>>,
  parent: AbortSignal,
): Promise<ContainerEnd | undefined> {
  const { signal, release } = deadlineScope(parts.clock, ANSWER_MS, 'Asking how a container ended', parent);
  try {
    const state = await endState(parts, containerId, env, signal);
    if (state === undefined) return undefined;
    const tail = createOutputTail();
    const take = (chunk: string): void => void tail.push(chunk);
    const args = ['logs', '--tail', '40', containerId];
    const isKept = await askClient(parts, { args, env, signal, onStdout: take, onStderr: take });
    const output = isKept ? tail.text() : '';
    return { ...state, output };
  } catch {
    return undefined;
  } finally {
    release();
  }
}

/** Rejects when the signal aborts. */
async function endState(
  parts: Pick<CliParts, 'executables' | 'clock'>,
  containerId: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Omit<ContainerEnd, 'output'> | undefined> {
  const args = ['inspect', '--type', 'container', '--format', STATE, containerId];
  for (let asked = 1; !signal.aborted; asked++) {
    let answer = '';
    const onStdout = (chunk: string): void => void (answer = (answer + chunk).slice(0, MAX_ANSWER));
    if (!(await askClient(parts, { args, env, signal, onStdout }))) return undefined;
    const [, exitCode, outOfMemory] = ENDED.exec(answer.trim()) ?? [];
    if (exitCode !== undefined) return { exitCode: Number(exitCode), outOfMemory: outOfMemory === 'true' };
    if (asked === ASKED_AT_MOST || !/^(?:running|stopping) /.test(answer)) return undefined;
    await sleep(parts.clock, BETWEEN_MS, signal);
  }
  return undefined;
}
