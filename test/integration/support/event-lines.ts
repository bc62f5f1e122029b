import { Transform } from 'node:stream';
import type { EventFaults } from './proxy-faults.ts';

/** An event that is put off comes after this at the latest, in ms. */
const PUT_OFF = 1_000;
const NEWLINE = 0x0a;

/** Hands on whole lines, each in one piece, spoiled as the faults of that moment say. */
export interface EventLines {
  readonly stream: Transform;
  /** Hands on what was held. */
  release(): void;
}

export function createEventLines(
  faults: () => EventFaults,
  isHeld: () => boolean,
  random: () => number,
  onLost: () => void,
): EventLines {
  let rest: Buffer = Buffer.alloc(0);
  let timer: NodeJS.Timeout | undefined;
  const putOff: Buffer[] = [];
  const held: Buffer[] = [];

  const push = (line: Buffer): void => {
    if (isHeld()) held.push(line);
    else stream.push(line);
  };
  const pushLate = (): void => {
    clearTimeout(timer);
    for (const line of putOff.splice(0)) push(line);
  };
  const take = (line: Buffer): void => {
    const { duplicate = 0, reorder = 0, lose = 0 } = faults();
    if (random() < lose) return onLost();
    const copies = random() < duplicate ? [line, line] : [line];
    if (putOff.length === 0 && random() < reorder) {
      putOff.push(...copies);
      timer = setTimeout(pushLate, PUT_OFF);
      return;
    }
    for (const copy of copies) push(copy);
    pushLate();
  };

  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      rest = Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
        take(rest.subarray(0, end + 1));
        rest = rest.subarray(end + 1);
      }
      done();
    },
    flush(done) {
      pushLate();
      done();
    },
    destroy(error, done) {
      clearTimeout(timer);
      done(error);
    },
  });

  return {
    stream,
    release() {
      for (const line of held.splice(0)) if (!stream.destroyed && !stream.writableEnded) stream.push(line);
    },
  };
}
