import { linkedScope, sleep } from '../../async/abort.ts';
import type { Clock } from '../../clock/clock.ts';
import { cancelled } from '../../errors.ts';
import { createEventPace } from './event-pace.ts';
import { FRAME } from './frames.ts';
import { readFrames } from './read-frames.ts';
import type { ResidentConnection } from './resident-connection.ts';
import type { ResidentLink } from './resident-link.ts';
import { eventSchema } from './wire.ts';
import type { WireEvent } from './wire.ts';

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

/**
 * Follows what an agent tells, over one connection after the other, each time from a snapshot on. Resolves when the
 * signal aborts or the link has ended; never rejects.
 *
 * @param onOpen called just before each snapshot is asked for
 */
export async function followEvents(
  link: ResidentLink,
  clock: Clock,
  options: {
    readonly ports?: boolean;
    readonly signal: AbortSignal;
    readonly onOpen?: () => void;
    readonly onEvent: (event: WireEvent) => void;
  },
): Promise<void> {
  const doing = 'Following what runs in the container';
  const path = options.ports ? '/v1/events?ports=1' : '/v1/events';
  let retryMs = FIRST_RETRY_MS;
  while (!options.signal.aborted && !link.end) {
    const scope = linkedScope(options.signal);
    let connection: ResidentConnection | undefined;
    try {
      connection = await link.ready(doing, scope.signal);
      options.onOpen?.();
      const { body } = await connection.open({ doing, method: 'GET', path, signal: scope.signal });
      const pace = createEventPace(clock, body);
      await readFrames(connection, body, ({ kind, payload }) => {
        if (kind !== FRAME.json) throw new Error('an event is no JSON');
        pace.run(payload.length, () => options.onEvent(parseEvent(payload)));
        retryMs = FIRST_RETRY_MS;
      }).finally(pace.stop);
    } catch {
      // The link tells how it ended.
    } finally {
      scope.abort(cancelled('superseded'));
    }
    if (connection && !connection.isOpen) await connection.ended;
    // We were too slow for it, or it has too many readers.
    else if (!link.end) await sleep(clock, retryMs, options.signal, 'resident: events').catch(() => {});
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
  }
}

function parseEvent(payload: Buffer): WireEvent {
  const event = eventSchema.safeParse(JSON.parse(payload.toString('utf8')));
  if (event.success) return event.data;
  throw new Error(`an event is none: ${event.error.issues[0]?.message ?? ''}`);
}
