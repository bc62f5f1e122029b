import { afterEach, beforeEach, expect, it } from 'vitest';
import { agentOf, until } from '../../../test/support/resident/connected.ts';
import { createFakeResident } from '../../../test/support/resident/fake-resident.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import type { FakeClock } from '../../testing/fake-clock.ts';
import { followEvents } from './event-feed.ts';
import { encodeJsonFrame } from './frames.ts';
import type { ResidentAgent } from './resident-agent.ts';

const SENT = 60_000;
const FRAME = encodeJsonFrame({ type: 'busy', busy: { commands: 1, terminals: 0 } });

let clock: FakeClock;
let agent: ResidentAgent;
let closing: AbortController;

beforeEach(async () => {
  clock = createFakeClock();
  closing = new AbortController();
  let isFirst = true;
  const fake = createFakeResident({
    onRequest(stream, _method, path) {
      if (path !== '/v1/events') return undefined;
      // The agent's own is the first.
      if (isFirst) {
        isFirst = false;
        return undefined;
      }
      stream.respond({ ':status': 200 });
      for (let sent = 0; sent < SENT; sent += 1_000) stream.write(Buffer.concat(Array<Buffer>(1_000).fill(FRAME)));
      return true;
    },
  });
  agent = await agentOf(fake, clock);
  await until(() => fake.requests.includes('GET /v1/events'));
});
afterEach(async () => {
  closing.abort();
  agent.close();
  await until(() => clock.pending().length === 0);
});

it('an agent that tells without end is listened to at a bounded pace, and loses nothing', async () => {
  let events = 0;
  void followEvents(agent.link, clock, { signal: closing.signal, onEvent: () => void events++ });
  await until(() => events >= 20_000);
  for (let turn = 0; turn < 2_000; turn++) await new Promise((resolve) => setImmediate(resolve));
  const first = events;
  // What had come already is still taken.
  expect(first).toBeLessThan(30_000);
  for (let second = 1; second <= 3; second++) {
    await clock.run(1_000);
    await until(() => events >= Math.min(SENT, (second + 1) * 20_000));
  }
  expect(events).toBe(SENT);
});
