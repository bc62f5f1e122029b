// INVARIANTS
// - Every byte that the agent still has comes out once and in order, however often connections break off: each stream
//   begins where the one before it stopped.
// - A chunk's offset is where it really stands in the output; a step in the offsets is what the agent could not keep.
import type { OutputChunk } from '../../agentcontainers/ports.ts';
import { isCut, unavailable } from './resident-errors.ts';
import { createEventPace } from './event-pace.ts';
import { FRAME } from './frames.ts';
import type { Frame } from './frames.ts';
import type { ItemPipe } from '../../async/item-pipe.ts';
import { ownBytes } from './own-bytes.ts';
import { readFrames } from './read-frames.ts';
import type { ResidentAnswer, ResidentConnection } from './resident-connection.ts';
import type { ResidentLink } from './resident-link.ts';
import { ownsId, progressSchema } from './wire.ts';
import type { WireProcess } from './wire.ts';

export interface OutputStream {
  readonly connection: ResidentConnection;
  readonly answer: ResidentAnswer;
}

export interface FollowOutputParts {
  readonly link: ResidentLink;
  readonly doing: string;
  /** Of the process; known by its first frame when it is only being started. */
  readonly id?: string | undefined;
  /** First byte wanted. */
  readonly offset: number;
  /** Goes on until the process has ended; else until the agent ends the stream. */
  readonly isFollowing: boolean;
  /** Asks for the output from an offset on; the signal closes the stream. */
  readonly open: (
    connection: ResidentConnection,
    offset: number,
    id: string | undefined,
    signal: AbortSignal,
  ) => Promise<ResidentAnswer>;
  /** Called with what each JSON frame says; the first time before any output. */
  readonly onProcess: (process: WireProcess) => void;
  /** Called for each stream, with the process as it was then, and with `undefined` when it is over. */
  readonly onStream?: ((stream: OutputStream | undefined, process?: WireProcess) => void) | undefined;
  readonly pipe: ItemPipe<OutputChunk>;
  /** All that was wanted has come, whatever the stream says. */
  readonly isComplete?: (() => boolean) | undefined;
  /** Given the resumption of reading when there is room again. */
  readonly onRoom: (resume: () => void) => void;
  readonly signal: AbortSignal;
}

/** Streams in a row over a connection that stands, each without a byte. */
const MAX_EMPTY_STREAMS = 5;

/** Puts output into the pipe. Resolves when there is no more; rejects when it cannot be gone on with. */
export async function followOutput(parts: FollowOutputParts): Promise<void> {
  const { link, doing, signal } = parts;
  let position = { offset: parts.offset, id: parts.id };
  for (let empty = 0; ;) {
    const before = position.offset;
    const connection = await link.ready(doing, signal);
    try {
      const answer = await parts.open(connection, position.offset, position.id, signal);
      const result = await readStream(parts, { connection, answer }, position);
      position = result.position;
      if (result.isWhole) return;
    } catch (error) {
      if (!isCut(error) || signal.aborted) throw error;
    }
    signal.throwIfAborted();
    if (!connection.isOpen) await connection.ended;
    empty = position.offset > before || !connection.isOpen ? 0 : empty + 1;
    if (empty >= MAX_EMPTY_STREAMS) throw unavailable(doing, 'its output breaks off again and again');
  }
}

interface Position {
  readonly offset: number;
  readonly id: string | undefined;
}

async function readStream(
  parts: FollowOutputParts,
  stream: OutputStream,
  from: Position,
): Promise<{ readonly position: Position; readonly isWhole: boolean }> {
  const { connection, answer } = stream;
  const { body } = answer;
  let { offset, id } = from;
  let jsonFrames = 0;
  let last: Frame['kind'] | undefined;
  let hasEnded = false;
  let isFull = false;
  const pace = createEventPace(parts.link.clock, { pause: () => body.pause(), resume: resumeIfFree });

  /** Both the reader of the output and the pace hold the stream back. */
  function resumeIfFree(): void {
    if (!isFull && !pace.isHolding) body.resume();
  }

  function onFrame({ kind, payload }: Frame): void {
    last = kind;
    if (kind === FRAME.json) return pace.run(payload.length, () => onJson(payload));
    if (jsonFrames === 0) throw new Error('output came before its process');
    // It would be held up by nothing, and without end.
    if (payload.length === 0) throw new Error('output has no bytes');
    const chunk = { stream: kind === FRAME.stdout ? 'stdout' : 'stderr', offset, bytes: ownBytes(payload) } as const;
    offset += payload.length;
    if (parts.pipe.push(chunk, payload.length)) return;
    isFull = true;
    body.pause();
  }
  function onJson(payload: Buffer): void {
    const progress = progressSchema.safeParse(JSON.parse(payload.toString('utf8')));
    if (!progress.success) throw new Error(`a process is none: ${progress.error.issues[0]?.message ?? ''}`);
    const { process } = progress.data;
    if (process.id !== (id ?? process.id)) throw new Error('it answered with another process than was asked for');
    if (!ownsId(parts.link.hello, process.id)) throw new Error('a process has an id of another agent');
    id = process.id;
    const at = progress.data.offset ?? offset;
    if (at < offset) throw new Error('output began before the offset that was asked for');
    offset = at;
    jsonFrames++;
    hasEnded = !process.running;
    parts.onProcess(process);
    if (jsonFrames === 1) parts.onStream?.(stream, process);
  }

  parts.onRoom(() => {
    isFull = false;
    resumeIfFree();
  });
  try {
    const ended = await readFrames(connection, body, onFrame);
    const isLast = parts.isComplete?.() || (last === FRAME.json && jsonFrames > 1 && (hasEnded || !parts.isFollowing));
    return { position: { offset, id }, isWhole: ended && isLast };
  } finally {
    pace.stop();
    parts.onStream?.(undefined);
  }
}
