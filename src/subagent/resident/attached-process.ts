import { raceAbort } from '../../async/abort.ts';
import type { AttachedProcess, ContainerRuntime } from '../../agentcontainers/ports.ts';
import { beginReplay } from './begin-replay.ts';
import { fitTerminal } from './fit-terminal.ts';
import { openOutput } from './open-output.ts';
import { viewProcess } from './process-view.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { unavailable } from './resident-errors.ts';
import { sharedExit } from './shared-exit.ts';
import { toProcess } from './wire.ts';

type AttachOptions = NonNullable<Parameters<ContainerRuntime['attach']>[1]>;

/** A view of a process that goes on over a lost connection. Aborting `signal` detaches it. */
export async function attachProcess(
  agent: ResidentAgent,
  id: string,
  { offset = 0, readOnly = false, size }: AttachOptions,
  signal: AbortSignal | undefined,
): Promise<AttachedProcess> {
  signal?.throwIfAborted();
  const doing = `Attaching to process ${id}`;
  const view = viewProcess({
    agent,
    doing,
    id,
    offset,
    takesInput: !readOnly,
    // Its process goes on; whoever writes to it must not take that for all of the input.
    onInputLost: () => view.fail(unavailable(doing, 'a part of its standard input may be lost')),
    open: (connection, at, _id, closing) =>
      openOutput(connection, id, { doing, offset: at, isAttached: true, isReadOnly: readOnly, signal: closing }),
  });
  signal?.addEventListener('abort', view.drop, { once: true });
  const unlisten = (): void => signal?.removeEventListener('abort', view.drop);
  void view.exited.then(unlisten);
  view.started.catch(unlisten);
  await (signal ? raceAbort(view.started, signal) : view.started);
  const { tty, output: kept, running } = view.latest();
  // A view that is left is told nothing any more; its exit is.
  const exit = running ? sharedExit(agent, id) : undefined;
  if (exit) void view.exited.then(exit.resolve);
  let replay = { offset: Math.max(offset, kept.start), output: view.output };
  try {
    // Of a screen that was drawn before what is kept nothing is left, and what is kept begins anywhere.
    const isTorn = tty !== null && kept.start > offset;
    if (isTorn && kept.end > kept.start) replay = await beginReplay(view.output, kept.start);
    // Its output ends when its caller leaves, as that of a process that has ended.
    signal?.throwIfAborted();
    if (tty && size && !readOnly) {
      const fitted = fitTerminal(agent, id, size, isTorn);
      await (signal ? raceAbort(fitted, signal) : fitted);
    }
  } catch (error) {
    unlisten();
    view.drop();
    throw error;
  }

  return {
    offset: replay.offset,
    get process() {
      return toProcess(view.latest());
    },
    output: replay.output,
    write: (bytes) => view.stdin.write(bytes),
    closeStdin: () => view.stdin.close(),
    resize: (to) => view.stdin.resize(to),
    detach() {
      unlisten();
      view.drop();
    },
    exited: exit?.promise ?? view.exited,
  };
}
