import type { ServerHttp2Stream } from 'node:http2';
import { z } from 'zod';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { connectTo, until } from '../../../test/support/resident/connected.ts';
import { createFakeResident } from '../../../test/support/resident/fake-resident.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import type { FakeClock } from '../../testing/fake-clock.ts';
import { requestJson } from './request-json.ts';
import type { ResidentConnection } from './resident-connection.ts';

// Of an answer that has begun.

let clock: FakeClock;
let connection: ResidentConnection;
let play: (stream: ServerHttp2Stream) => void;

beforeEach(async () => {
  clock = createFakeClock();
  const fake = createFakeResident({
    onRequest(stream) {
      play(stream);
      return true;
    },
  });
  ({ connection } = await connectTo(fake, clock));
});
afterEach(async () => {
  connection.close();
  await connection.ended;
  await until(() => clock.pending().length === 0);
});

const ask = (timeoutMs: number): Promise<{ n: number }> => {
  const schema = z.object({ n: z.number() });
  return requestJson(connection, { doing: 'Asking', method: 'GET', path: '/v1/x', schema, timeoutMs });
};

it.each([
  ['begins an answer and says no more', 200, ''],
  ['refuses and does not say why', 500, ''],
  ['answers byte by byte without end', 200, ' '],
])('an agent that %s is not waited for without end, and its stream is closed', async (_, status, drip) => {
  let isClosed = false;
  let drop = (): void => {};
  play = (stream) => {
    stream.on('close', () => (isClosed = true));
    stream.respond({ ':status': status });
    drop = () => void (drip && !stream.destroyed && stream.write(drip));
  };
  const asked = ask(1_000).catch((error: unknown) => error);
  let hasSettled = false;
  void asked.then(() => (hasSettled = true));
  for (let second = 0; second < 31 && !hasSettled; second++) {
    expect(isClosed).toBe(false);
    drop();
    for (let round = 0; round < 20; round++) await new Promise((resolve) => setImmediate(resolve));
    await clock.run(1_000);
  }
  expect(hasSettled).toBe(true);
  expect(await asked).toMatchObject({
    code: 'timeout',
    message: 'Asking failed: the resident did not answer in time.',
  });
  await until(() => isClosed);
  expect(connection.isOpen).toBe(true);
});

it('an agent that answers in time is waited for as long as its request says, to the end of its answer', async () => {
  let end = (): void => {};
  play = (stream) => {
    stream.respond({ ':status': 200 });
    end = () => void stream.end('{"n":3}');
  };
  const asked = ask(90_000);
  for (let round = 0; round < 20; round++) await new Promise((resolve) => setImmediate(resolve));
  await clock.run(89_000);
  end();
  expect(await asked).toEqual({ n: 3 });
});
