import type { Clock } from '../../clock/clock.ts';

/** An engine's text on a command that it cannot start is one line as for a terminal, and short. */
const MAX_BYTES = 4 * 1024;
const MAX_HOLD_MS = 1_000;

/**
 * The chunks of standard output, without the words of an engine that could not start the command: engines send their
 * reason in the place of output, and only the end of the exec tells the two apart. So a first chunk that could be such a
 * reason is held back until more comes, the output ends, or for a second.
 * @param failedToStart settles when the exec has ended; asked only for such a chunk
 */
export async function* withoutRefusal(
  chunks: AsyncIterable<Uint8Array>,
  failedToStart: () => Promise<boolean>,
  clock: Clock,
): AsyncGenerator<Uint8Array> {
  const rest = chunks[Symbol.asyncIterator]();
  try {
    const first = await rest.next();
    if (first.done === true) return;
    let second: ReturnType<typeof rest.next> | undefined;
    if (couldBeRefusal(first.value)) {
      second = rest.next();
      if ((await isLast(second, clock)) && (await failedToStart())) return;
    }
    yield first.value;
    for (let next = await (second ?? rest.next()); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

function couldBeRefusal(chunk: Uint8Array): boolean {
  return chunk.length <= MAX_BYTES && chunk.at(-2) === 0x0d && chunk.at(-1) === 0x0a;
}

/** False also when that is not known in time. A broken output shows when it is read. */
async function isLast(next: Promise<IteratorResult<Uint8Array>>, clock: Clock): Promise<boolean> {
  let give = (): void => {};
  const late = new Promise<boolean>((resolve) => (give = () => resolve(false)));
  const timer = clock.afterFunc(MAX_HOLD_MS, () => give(), 'engine-runtime: hold back a first line');
  const ended = next.then(
    (result) => result.done === true,
    () => false,
  );
  try {
    return await Promise.race([ended, late]);
  } finally {
    timer.stop();
  }
}
