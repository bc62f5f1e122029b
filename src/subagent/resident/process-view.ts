// INVARIANTS
// - `exited` settles once, by whatever tells first: the stream, the events, an answer to `kill`, or the end of the link.
// - When it has settled, no listener is left and nothing more can be written.
import { createDeferred } from '../../async/deferred.ts';
import { linkedScope } from '../../async/abort.ts';
import type { CommandExit, OutputChunk } from '../../agentcontainers/ports.ts';
import { cancelled } from '../../errors.ts';
import { followOutput } from './follow-output.ts';
import type { FollowOutputParts } from './follow-output.ts';
import { createItemPipe } from '../../async/item-pipe.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { unavailable } from './resident-errors.ts';
import { createStdinLane } from './stdin-lane.ts';
import type { StdinLane } from './stdin-lane.ts';
import { toExit } from './wire.ts';
import type { WireProcess } from './wire.ts';

/** The streams of one process, as long as somebody looks at it. */
export interface ProcessView {
  /** Resolves with the process when it is known; rejects when it could not be started or found. */
  readonly started: Promise<WireProcess>;
  /** As it was told last. Only after `started`. */
  latest(): WireProcess;
  readonly output: AsyncIterable<OutputChunk>;
  readonly stdin: StdinLane;
  /** Resolves when all of its output has come; stays pending when that is lost, or nobody wants it. */
  readonly drained: Promise<void>;
  /** Never rejects. */
  readonly exited: Promise<CommandExit>;
  settle(exit: CommandExit): void;
  /** Closes the streams, and drops what was not read; `exited` goes on. */
  detach(): void;
  /** The same; but `exited` stays pending when it is not told yet. */
  drop(): void;
  /** As `detach`; its reader gets the error. */
  fail(error: unknown): void;
  /** Lets it write on without a reader: its output is taken and dropped; `exited` goes on. */
  leave(): void;
}

export interface ProcessViewParts extends Pick<FollowOutputParts, 'doing' | 'id' | 'offset' | 'open'> {
  readonly agent: ResidentAgent;
  /** Standard input may be written. */
  readonly takesInput: boolean;
  /** Called when input that nobody types was lost with a connection: the process cannot come to a right end. */
  readonly onInputLost: () => void;
}

/** Nobody knows how it ended. */
export const LOST: CommandExit = {
  code: null,
  signal: null,
  reason: 'lost',
  survivors: [],
  backgroundHeld: false,
  via: 'resident',
};

export function viewProcess(parts: ProcessViewParts): ProcessView {
  const { agent, doing } = parts;
  const started = createDeferred<WireProcess>();
  const drained = createDeferred<void>();
  const exited = createDeferred<CommandExit>();
  const scope = linkedScope();
  let resume = (): void => {};
  const output = createItemPipe<OutputChunk>(() => resume());
  const stdin = createStdinLane({ doing, isOpen: parts.takesInput, onLost: parts.onInputLost });
  let latest: WireProcess | undefined;
  let unwatch = (): void => {};

  function settle(exit: CommandExit): void {
    if (exited.settled) return;
    exited.resolve(exit);
    unwatch();
    stdin.end();
  }
  function onProcess(process: WireProcess): void {
    latest = process;
    if (!started.settled) {
      unwatch = agent.watchEnd(process.id, onEnd);
      started.resolve(process);
    }
    if (!process.running) onEnd(process);
  }
  function onEnd(process: WireProcess | undefined): void {
    if (process) latest = process;
    settle(process?.exit ? toExit(process.exit) : LOST);
  }

  followOutput({
    link: agent.link,
    doing,
    id: parts.id,
    offset: parts.offset,
    isFollowing: true,
    open: parts.open,
    onProcess,
    onStream: stdin.use,
    pipe: output,
    onRoom: (more) => {
      resume = more;
    },
    signal: scope.signal,
  }).then(
    () => {
      output.end();
      drained.resolve();
    },
    (error: unknown) => {
      started.reject(error);
      if (scope.signal.aborted) output.end();
      else output.fail(error);
      // Its end may still be told by the events.
      if (agent.link.end) settle(LOST);
    },
  );

  function detach(): void {
    scope.abort(cancelled('caller-left'));
    output.discard();
    stdin.end();
  }

  return {
    started: started.promise,
    latest() {
      if (latest) return latest;
      throw unavailable(doing, 'it is not known yet');
    },
    output,
    stdin,
    drained: drained.promise,
    exited: exited.promise,
    settle,
    detach,
    drop() {
      detach();
      unwatch();
    },
    fail(error) {
      output.fail(error);
      scope.abort(cancelled('caller-left'));
      stdin.end();
    },
    leave() {
      output.discard();
      stdin.end();
    },
  };
}
