import { expect, test } from 'vitest';
import { createDeferred } from '../../async/deferred.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import { withoutRefusal } from './held-beginning.ts';

const REFUSED = 'OCI runtime exec failed: exec failed: "nope": executable file not found in $PATH: unknown\r\n';

/** Chunks as they come, then whether the command has failed to start, when the test says so. */
function output(...chunks: readonly string[]) {
  const clock = createFakeClock();
  const ended = createDeferred<boolean>();
  async function* play(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) yield Buffer.from(chunk);
    await ended.promise;
  }
  const seen: string[] = [];
  const read = async (): Promise<string[]> => {
    for await (const chunk of withoutRefusal(play(), () => ended.promise, clock)) {
      seen.push(Buffer.from(chunk).toString());
    }
    return seen;
  };
  return { clock, ended, seen, read: read() };
}

test("the engine's words on a command that did not start are not its output", async () => {
  const { ended, read, clock } = output(REFUSED);
  ended.resolve(true);
  expect(await read).toEqual([]);
  expect(clock.pending()).toEqual([]);
});

test('a command that says the same and ends is a command that said it', async () => {
  const { ended, read } = output(REFUSED);
  ended.resolve(false);
  expect(await read).toEqual([REFUSED]);
});

test('a line as for a terminal is held back for a second at most', async () => {
  const { clock, seen, ended, read } = output('working\r\n');
  await expect.poll(() => clock.pending().length).toBe(1);
  expect(seen).toEqual([]);
  await clock.run(1000);
  await expect.poll(() => seen).toEqual(['working\r\n']);
  ended.resolve(false);
  await read;
});

test('further output lets the first line go at once', async () => {
  const { clock, seen, ended, read } = output('one\r\n', 'two\r\n');
  await expect.poll(() => seen).toEqual(['one\r\n', 'two\r\n']);
  expect(clock.pending()).toEqual([]);
  ended.resolve(false);
  await read;
});
