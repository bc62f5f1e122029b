import type { AgentContainers } from '../agentcontainers/api.ts';
import type { AttachedProcess, CommandExit, OutputChunk } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { toErrorAnswer } from './error-status.ts';
import type { LiveSocket } from './live-socket.ts';
import { toWireExit } from './runtime-wire.ts';
import { CLOSE, toOutputFrame } from './socket-frames.ts';
import type { WireSocketFrame } from './socket-schemas.ts';
import type { TakenInput } from './taken-input.ts';

export interface SocketPorts {
  readonly api: AgentContainers;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What is behind one WebSocket. */
export interface SocketSession {
  /** Its client may stop reading for as long as it likes. */
  readonly mayStopReading: boolean;
  /** Further headers of the answer to the upgrade. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** From the moment on when the connection stands. Settles when there is nothing more to be said. */
  serve(socket: LiveSocket): Promise<void>;
  /**
   * Lets go of what runs: the server ends, or the connection never stood. Resolves when the input that was taken before
   * has been written, or after a bounded time. Never rejects.
   */
  release(): Promise<void>;
}

export interface CommandOutput {
  readonly output: AsyncIterable<OutputChunk>;
  readonly exited: Promise<CommandExit>;
  /** Where output begins, if that is known. */
  readonly from?: number | undefined;
}

/**
 * Sends what a command writes, as fast as the client reads, and then how it ended.
 *
 * @param onEnd called before the last frame goes out
 */
export async function sendCommand(
  socket: LiveSocket,
  { output, exited, from }: CommandOutput,
  logger: Logger,
  onEnd: () => void = () => {},
): Promise<void> {
  try {
    await sendOutput(socket, output, from);
  } catch (error) {
    if (socket.over.aborted) return;
    sendError(socket, error, logger);
    const exit = await Promise.race([exited, Promise.resolve(undefined)]);
    if (exit) sendFrame(socket, { type: 'exit', ...toWireExit(exit) });
    await socket.flushed();
    socket.close(CLOSE.failed, errorMessage(error));
    return;
  }
  if (socket.over.aborted) return;
  const exit = await exited;
  onEnd();
  sendFrame(socket, { type: 'exit', ...toWireExit(exit) });
  // Only then: who closes gives the other side a bounded time, and this one may read as slowly as it likes.
  await socket.flushed();
  socket.close(CLOSE.normal, 'The command has ended.');
}

async function sendOutput(
  socket: LiveSocket,
  output: AsyncIterable<OutputChunk>,
  from: number | undefined,
): Promise<void> {
  let next = from;
  for await (const chunk of output) {
    if (socket.over.aborted) return;
    if (next !== undefined && chunk.offset > next) {
      sendFrame(socket, { type: 'skipped', offset: chunk.offset, bytes: chunk.offset - next });
    }
    next = chunk.offset + chunk.bytes.length;
    socket.sendBytes(toOutputFrame(chunk));
    await socket.room();
  }
}

/** Ends a view when its client has left. What was typed before still arrives, if that does not take long. */
export async function detachAfter(input: TakenInput, attached: AttachedProcess, clock: Clock): Promise<void> {
  await input.settle(clock);
  attached.detach();
}

export function sendFrame(socket: LiveSocket, frame: WireSocketFrame): void {
  socket.sendJson(frame);
}

/** Tells the client of an error as a request would be answered. Returns the status that it would have had. */
export function sendError(socket: LiveSocket, error: unknown, logger: Logger): number {
  const { status, body, unexpected } = toErrorAnswer(error);
  if (unexpected) logger.error({ err: error }, 'a WebSocket failed unexpectedly');
  else logger.debug({ reason: errorMessage(error) }, 'what was asked over a WebSocket was refused or failed');
  socket.sendJson({ type: 'error', ...body });
  return status;
}
