import { Duplex } from 'node:stream';
import { deadlineScope, raceAbort } from '../../async/abort.ts';
import type { ExecSession } from '../../agentcontainers/ports.ts';
import type { Clock } from '../../clock/clock.ts';
import { errorMessage, isAgentContainersError } from '../../errors.ts';
import type { FrameMeter } from './frame-meter.ts';
import { parseJson } from './parse-json.ts';
import { readPieces } from './read-pieces.ts';
import { brokenProtocol, unavailable } from './resident-errors.ts';

export interface ConnectStream {
  /** The line of JSON with which the other side answered the greeting. */
  readonly answer: unknown;
  /** The bytes after it. Its end is that of the session, and destroying it closes the session. */
  readonly stream: Duplex;
}

export interface ConnectStreamOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Told of the bytes of the stream, in their order. */
  readonly meter?: FrameMeter | undefined;
}

const MAX_ANSWER_BYTES = 65_536;
const KEPT_ERROR_CHARACTERS = 2_048;
/** From a line that is no answer to the end of the program that wrote it. */
const SAID_AND_ENDED_MS = 1_000;
const LINE_FEED = 10;

/**
 * Greets `resident connect` and makes a byte stream of the rest of its session. Rejects with `runtime-unavailable` (with
 * `exitCode` in the details when it ended instead of answering), with `timeout`, or with the signal's reason; the
 * session is closed then.
 */
export async function openConnectStream(
  session: ExecSession,
  greeting: object,
  { clock, timeoutMs, signal, meter }: ConnectStreamOptions,
): Promise<ConnectStream> {
  const scope = deadlineScope(clock, timeoutMs, 'Connecting to the resident', signal);
  const output = readPieces(session.stdout);
  const said = readTail(session.stderr);
  try {
    // A program that cannot be run takes no input; its end says why.
    const greeted = session.write(`${JSON.stringify(greeting)}\n`).catch(() => {});
    const { line, rest } = await raceAbort(readLine(output, session, said), scope.signal);
    await raceAbort(greeted, scope.signal);
    const answer = parseJson(line);
    if (answer === undefined) throw await noAnswer(session, line, clock, scope.signal);
    return { answer, stream: createStream(session, output, rest, meter) };
  } catch (error) {
    session.close();
    throw error;
  } finally {
    scope.release();
  }
}

async function readLine(
  output: AsyncIterator<Uint8Array>,
  session: ExecSession,
  said: () => string,
): Promise<{ readonly line: Buffer; readonly rest: Buffer }> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await output.next();
    if (done) throw await endedEarly(session, said);
    const end = value.indexOf(LINE_FEED);
    length += end < 0 ? value.length : end;
    if (length > MAX_ANSWER_BYTES) {
      throw brokenProtocol(`its answer to the greeting is longer than ${MAX_ANSWER_BYTES} bytes`);
    }
    pieces.push(end < 0 ? value : value.subarray(0, end));
    if (end >= 0) return { line: Buffer.concat(pieces), rest: Buffer.from(value.subarray(end + 1)) };
  }
}

async function endedEarly(session: ExecSession, said: () => string): Promise<Error> {
  const doing = 'Connecting to the resident';
  try {
    const { exitCode } = await session.exited;
    const reason = said() || (exitCode === null ? 'its program ended' : `its program ended with code ${exitCode}`);
    return unavailable(doing, reason, { exitCode });
  } catch (error) {
    const exitCode = isAgentContainersError(error) ? error.details['exitCode'] : undefined;
    return unavailable(doing, said() || errorMessage(error), { exitCode });
  }
}

/** The engine tells on the same stream why it could not start a program, e.g. since its container ends; then that ends at once. */
async function noAnswer(session: ExecSession, line: Buffer, clock: Clock, signal: AbortSignal): Promise<Error> {
  const doing = 'Connecting to the resident';
  const limit = deadlineScope(clock, SAID_AND_ENDED_MS, doing, signal);
  try {
    return await raceAbort(
      endedEarly(session, () => line.toString('utf8')),
      limit.signal,
    );
  } catch {
    return brokenProtocol('its answer to the greeting is no JSON');
  } finally {
    limit.release();
  }
}

/** Reads to the end, so that the other side never waits for us. Returns the last line that came so far. */
function readTail(source: AsyncIterable<Uint8Array>): () => string {
  let tail = '';
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of source) {
      tail = (tail + decoder.decode(chunk, { stream: true })).slice(-KEPT_ERROR_CHARACTERS);
    }
  })().catch(() => {});
  return () => tail.trim().split('\n').at(-1) ?? '';
}

function createStream(
  session: ExecSession,
  output: AsyncIterator<Uint8Array>,
  rest: Buffer,
  meter: FrameMeter | undefined,
): Duplex {
  let isReading = false;
  function send(bytes: Buffer, done: (error?: Error | null) => void): void {
    meter?.sent(bytes);
    session.write(bytes).then(() => done(), done);
  }
  const stream = new Duplex({
    allowHalfOpen: true,
    read() {
      if (!isReading) void pump();
    },
    write: (chunk: Buffer, _encoding, done) => send(chunk, done),
    writev: (chunks, done) => send(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), done),
    final(done) {
      session.closeStdin();
      done();
    },
    destroy(error, done) {
      session.close();
      done(error);
    },
  });

  /** One piece after the other, for as long as they are wanted. */
  async function pump(): Promise<void> {
    isReading = true;
    try {
      for (;;) {
        const { done, value } = await output.next();
        if (stream.destroyed) return;
        if (done) {
          stream.push(null);
          return;
        }
        meter?.received(value);
        if (!stream.push(value)) break;
      }
    } catch (error) {
      stream.destroy(error as Error);
      return;
    }
    isReading = false;
  }

  if (rest.length > 0) {
    meter?.received(rest);
    stream.push(rest);
  }
  return stream;
}
