import { randomUUID } from 'node:crypto';
import { raceAbort } from '../../async/abort.ts';
import { DEFAULT_GRACE_MS } from '../../agentcontainers/default-grace.ts';
import type { CommandExit, CommandSpec, RunningCommand } from '../../agentcontainers/ports.ts';
import { isAgentContainersError } from '../../errors.ts';
import { encodeJsonFrame } from './frames.ts';
import { openOutput } from './open-output.ts';
import { LOST, viewProcess } from './process-view.ts';
import { processPath } from './request-path.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { startBody, titleOf } from './start-body.ts';
import { OWN_KEY, nothingSchema, processSchema, toExit, toProcess } from './wire.ts';

const KEPT_OUTPUT_BYTES = 65_536;

/** A command whose tree ends when `signal` aborts. Its output waits for its reader, also over a lost connection. */
export async function runCommand(
  agent: ResidentAgent,
  spec: CommandSpec,
  signal: AbortSignal | undefined,
): Promise<RunningCommand> {
  signal?.throwIfAborted();
  const doing = titleOf(spec);
  // By its key it is found again when the answer to its start was lost.
  const start = startBody(spec, { kind: 'exec', key: `${OWN_KEY}${randomUUID()}`, overflow: 'block' });
  const takesInput = spec.stdin === true || spec.tty !== undefined;
  let isFirst = true;
  let isDetached = false;
  let hasExited = false;
  let killing: Promise<CommandExit> | undefined;

  const view = viewProcess({
    agent,
    doing,
    offset: 0,
    takesInput,
    onInputLost,
    async open(connection, offset, id, closing) {
      if (isFirst) {
        isFirst = false;
        return connection.open({
          doing,
          method: 'POST',
          path: '/v1/exec',
          first: encodeJsonFrame(start),
          // Without input the request is complete.
          send: takesInput ? () => {} : undefined,
          notFound: 'command-refused',
          signal: closing,
        });
      }
      const known = id ?? (await startAgain()).id;
      return openOutput(connection, known, { doing, offset, isAttached: takesInput, signal: closing });
    },
  });

  function startAgain() {
    return agent.request({
      doing,
      method: 'POST',
      path: '/v1/processes',
      json: start,
      schema: processSchema,
      notFound: 'command-refused',
      mayRepeat: true,
    });
  }
  function kill(graceMs = spec.graceMs ?? DEFAULT_GRACE_MS): Promise<CommandExit> {
    killing ??= endTree(graceMs).catch((error: unknown) => {
      killing = undefined;
      // Of what has ended and was forgotten, by us or anybody else, nothing is left that could be killed.
      const isGone = hasExited && isAgentContainersError(error, 'process-not-found');
      if (agent.link.end || isGone) return view.exited;
      throw error;
    });
    return killing;
  }
  async function endTree(graceMs: number): Promise<CommandExit> {
    const { id } = await view.started;
    const process = await agent.kill(id, graceMs);
    // It may not even be possible to kill it.
    const survivors = process.survivors ?? [process.pid];
    view.settle(process.exit ? toExit(process.exit) : { ...LOST, reason: 'killed', survivors });
    return view.exited;
  }
  function onInputLost(): void {
    // Without all of its input it cannot come to a right end.
    kill(0).catch(() => {});
    view.settle(LOST);
  }
  /**
   * What it wrote was handed on: large output is not kept in the container for nobody. What it left in the background can
   * be ended only as long as it is known.
   */
  function forget(): void {
    const { id, output, exit } = view.latest();
    const isWanted = isDetached || spec.key !== undefined || exit?.background_held === true;
    if (isWanted || output.end <= KEPT_OUTPUT_BYTES) return;
    const request = { doing, method: 'DELETE', path: processPath(id), schema: nothingSchema } as const;
    agent.request(request).catch(() => {});
  }
  const onAbort = (): void => void kill().catch(() => {});

  signal?.addEventListener('abort', onAbort, { once: true });
  const unlisten = (): void => signal?.removeEventListener('abort', onAbort);
  void view.exited.then(() => {
    hasExited = true;
    unlisten();
  });
  void view.drained.then(forget);
  view.started.catch(unlisten);
  try {
    await (signal ? raceAbort(view.started, signal) : view.started);
  } catch (error) {
    // Nobody gets its output: what waits for a reader would stay, and the stream that it came over.
    view.leave();
    throw error;
  }

  return {
    get process() {
      return toProcess(view.latest());
    },
    via: 'resident',
    output: view.output,
    write: (bytes) => view.stdin.write(bytes),
    closeStdin: () => view.stdin.close(),
    resize: (size) => view.stdin.resize(size),
    kill,
    detach() {
      isDetached = true;
      unlisten();
      // One that waits for its reader would stand still without one.
      if (start.overflow === 'block') view.leave();
      else view.detach();
    },
    exited: view.exited,
  };
}
