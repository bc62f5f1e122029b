// INVARIANTS
// - Input is written in order; a write resolves when the connection has taken it, and more may be written.
// - After a connection broke off, input that the process may not have got is never followed by more, nor by its end:
//   `onLost` is told instead, except where a person types.
import { createDeferred } from '../../async/deferred.ts';
import type { Deferred } from '../../async/deferred.ts';
import type { TerminalSize } from '../../agentcontainers/ports.ts';
import { FRAME, encodeFrame, encodeFrames, encodeJsonFrame } from './frames.ts';
import type { OutputStream } from './follow-output.ts';
import { cutOff, unavailable } from './resident-errors.ts';
import type { WireProcess } from './wire.ts';
import { writeTo } from './write-body.ts';

/** Standard input and sizes on their way to one process, over one stream after the other. */
export interface StdinLane {
  /** The stream that takes it from now on, with the process as the agent tells it there; `undefined`: none at present. */
  use(stream: OutputStream | undefined, process?: WireProcess): void;
  write(bytes: Uint8Array | string): Promise<void>;
  close(): void;
  resize(size: TerminalSize): Promise<void>;
  /** It has ended: all that is written from now on rejects. */
  end(): void;
}

export interface StdinLaneOptions {
  readonly doing: string;
  /** False: standard input was not asked for. */
  readonly isOpen: boolean;
  /** Called when input may have been lost with a connection, but for a terminal's: a person sees what is missing. */
  readonly onLost: () => void;
}

export function createStdinLane({ doing, isOpen, onLost }: StdinLaneOptions): StdinLane {
  let current: Deferred<OutputStream> = createDeferred();
  let isClosed = !isOpen;
  let refusal = isOpen ? '' : 'its standard input was not asked for';
  let hasEnded = false;
  let isEofSent = false;
  let previous: Promise<unknown> = Promise.resolve();
  // Bytes that were, or were to be, sent over some stream. What an agent has not written to the process when a stream
  // breaks off it drops, so its count tells whether anything is missing.
  let sent = 0;
  /** What had been written to the process before. */
  let before: number | undefined;

  /** After what was asked for before. */
  function inOrder(work: (stream: OutputStream) => Promise<void>): Promise<void> {
    const done = previous.then(async () => work(await current.promise));
    previous = done.catch(() => {});
    return done;
  }

  async function send(stream: OutputStream, content: Uint8Array): Promise<void> {
    sent += content.length;
    for (const frame of encodeFrames(FRAME.stdout, content)) await writeFrame(stream, frame, doing);
  }

  function sendEof(stream: OutputStream): Promise<void> {
    isEofSent = true;
    return writeFrame(stream, encodeFrame(FRAME.stdout, Buffer.alloc(0)), doing);
  }

  /**
   * An agent that does not tell has to be taken for one that lost it. Of what has ended nothing is missed, nor by a process
   * that has closed its input: our end is never written where bytes before it are missing.
   */
  function isLost({ running, stdin, tty }: WireProcess): boolean {
    if (!running || tty || sent === 0) return false;
    return !stdin || (stdin.open && stdin.written < (before ?? 0) + sent);
  }

  function end(reason: string): void {
    if (hasEnded) return;
    hasEnded = true;
    isClosed = true;
    refusal = reason;
    // An error costs more than all the rest of the end of a command.
    if (!current.settled) current.reject(unavailable(doing, reason));
  }

  return {
    use(stream, process) {
      if (hasEnded) return;
      if (!stream) {
        if (current.settled) current = createDeferred();
        return;
      }
      if (process && isLost(process)) {
        end('input was lost with the connection');
        return onLost();
      }
      before ??= process?.stdin?.written ?? 0;
      current.resolve(stream);
      // Its end can have been on its way; to say it again does no harm, but for a terminal, where it is a key.
      if (isEofSent && !process?.tty) sendEof(stream).catch(() => {});
    },
    write(bytes) {
      if (isClosed) return Promise.reject(unavailable(doing, refusal || 'its standard input is closed'));
      const content = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
      return inOrder((stream) => send(stream, content));
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      inOrder(sendEof).catch(() => {});
    },
    resize({ width, height }) {
      if (hasEnded || !isOpen) return Promise.reject(unavailable(doing, refusal));
      return inOrder((stream) => writeFrame(stream, encodeJsonFrame({ resize: { width, height } }), doing));
    },
    end: () => end('it has ended'),
  };
}

async function writeFrame({ answer }: OutputStream, frame: Buffer, doing: string): Promise<void> {
  if (!(await writeTo(answer.body, frame))) throw cutOff(doing);
}
