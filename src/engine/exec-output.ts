import { Readable } from 'node:stream';
import type { Duplex } from 'node:stream';
import { couldBeNoise, couldBeRefusal } from './exec-refusal.ts';
import { createFrameParser } from './stream-frames.ts';
import type { OutputName } from './stream-frames.ts';

/** The two output streams of a command, taken out of one connection. */
export interface ExecOutput {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Grows with every piece of output; unchanged means that the command was quiet. */
  received(): number;
  /** The first bytes of standard output as text, and whether there is nothing beyond them. */
  beginning(): { readonly text: string; readonly isAll: boolean };
  /** Standard error that is held back, since it can be the engine's own words: at the beginning, or at the end. */
  held(): Buffer;
  /** What is held, or only `bytes` of it, is the command's own. When the streams end, all of it is. */
  passHeld(bytes?: Buffer): void;
  /** From here on reads without regard to whether anybody takes the output. */
  liftBackPressure(): void;
  /** Ends both streams; with an error when the connection carried something else than output. */
  end(error?: Error): void;
}

/** How much output of each stream is held when nobody reads it. Then the connection is paused: readers must read both. */
const HELD_BYTES = 256 * 1024;
const BEGINNING_BYTES = 4 * 1024;

export function createExecOutput(source: Readable | Duplex, onBroken: (error: Error) => void): ExecOutput {
  const full = new Set<OutputName>();
  let received = 0;
  let lifted = false;
  let ended = false;
  let beginning = Buffer.alloc(0);
  let held: Buffer = Buffer.alloc(0);
  let isBeginning = true;

  const create = (name: OutputName): Readable => {
    const stream = new Readable({
      highWaterMark: HELD_BYTES,
      read() {
        full.delete(name);
        if (full.size === 0) source.resume();
      },
      // A reader that leaves does not hold up the other stream.
      destroy(error, done) {
        full.delete(name);
        if (full.size === 0) source.resume();
        done(error);
      },
    });
    // Readers get the error from reading.
    return stream.on('error', () => {});
  };
  const streams = { stdout: create('stdout'), stderr: create('stderr') };

  const deliver = (name: OutputName, piece: Buffer): void => {
    const stream = streams[name];
    if (ended || stream.destroyed || stream.push(piece) || lifted) return;
    full.add(name);
    source.pause();
  };
  const passHeld = (bytes: Buffer = held): void => {
    isBeginning = false;
    held = Buffer.alloc(0);
    if (bytes.length > 0) deliver('stderr', bytes);
  };
  const parser = createFrameParser((name, piece) => {
    if (name === 'stdout' && beginning.length < BEGINNING_BYTES) {
      beginning = Buffer.concat([beginning, piece.subarray(0, BEGINNING_BYTES - beginning.length)]);
    }
    if (name === 'stderr') {
      const errors = held.length === 0 ? piece : Buffer.concat([held, piece]);
      if (isBeginning ? couldBeRefusal(errors) : couldBeNoise(piece)) {
        held = errors;
        return;
      }
    }
    passHeld();
    deliver(name, piece);
  });

  source.on('data', (chunk: Buffer) => {
    received += chunk.length;
    try {
      parser.push(chunk);
    } catch (error) {
      onBroken(error as Error);
    }
  });

  return {
    ...streams,
    received: () => received,
    // Each frame adds its header: more than one header, or more content than was kept, means that there is more.
    beginning: () => ({ text: beginning.toString('utf8'), isAll: received <= beginning.length + 8 }),
    held: () => held,
    passHeld,
    liftBackPressure() {
      lifted = true;
      full.clear();
      source.resume();
    },
    end(error) {
      if (ended) return;
      passHeld();
      ended = true;
      for (const stream of [streams.stdout, streams.stderr]) {
        if (error) stream.destroy(error);
        else if (!stream.destroyed) stream.push(null);
      }
    },
  };
}
