import { bounded } from '../../async/abort.ts';
import type { Clock } from '../../clock/clock.ts';
import { clampGrace } from './clamp-grace.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { nothingSchema } from './wire.ts';

/** Above the grace: until all trees are ended, and until the agent has gone after that. */
const ANSWER_SLACK_MS = 5_000;
const GONE_MS = 2_000;

/** Tells agents to end what runs under them, and then themselves. Resolves with true when all are gone. Never rejects. */
export async function endInContainer(
  agents: readonly ResidentAgent[],
  clock: Clock,
  graceMs: number,
): Promise<boolean> {
  const grace = clampGrace(graceMs);
  const ends = agents.map(async (agent) => {
    const doing = 'Ending the sub-agent';
    const limit = grace + ANSWER_SLACK_MS;
    try {
      // Its end can come before its answer.
      const connection = await bounded(clock, limit, doing, undefined, (signal) => agent.link.ready(doing, signal));
      const told = agent.request({
        doing,
        method: 'POST',
        path: '/v1/shutdown',
        json: { grace_ms: grace },
        schema: nothingSchema,
        timeoutMs: limit,
        mayRepeat: true,
      });
      await bounded(clock, limit + GONE_MS, doing, undefined, () =>
        told.then(() => connection.ended).catch(() => agent.link.ended),
      );
      const reason = agent.link.end?.reason;
      return reason !== 'lost' && reason !== 'violation';
    } catch {
      const reason = agent.link.end?.reason;
      return reason === 'gone' || reason === 'container-gone' || reason === 'oom';
    }
  });
  return (await Promise.all(ends)).every(Boolean);
}
