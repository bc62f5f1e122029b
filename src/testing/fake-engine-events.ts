import type { ContainerEngine, EngineEvent } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { createQueue } from './queue.ts';
import type { Queue } from './queue.ts';

/** An engine remembers only so many of its latest events. */
const REMEMBERED_EVENTS = 256;

export interface FakeEngineEvents {
  /** How many streams are open. */
  readonly open: number;
  emit(event: Omit<EngineEvent, 'at'>): void;
  /** A stream from `since` on, open from its first `next()` on. */
  stream(query: Parameters<ContainerEngine['events']>[0]): AsyncIterable<EngineEvent>;
  /** Ends every open stream, or makes it throw. */
  cut(error?: Error): void;
  /** Streams stay open and say nothing; what happens is lost for those that are open now, but can be replayed. */
  freeze(): void;
  thaw(): void;
}

/** @param connect is awaited before a stream opens */
export function createFakeEngineEvents(
  clock: Clock,
  connect: (signal: AbortSignal) => Promise<void>,
): FakeEngineEvents {
  const past: EngineEvent[] = [];
  const streams = new Set<Queue<EngineEvent>>();
  let frozen = false;

  return {
    get open() {
      return streams.size;
    },
    emit(happened) {
      const event: EngineEvent = { ...happened, at: clock.now() };
      past.push(event);
      if (past.length > REMEMBERED_EVENTS) past.shift();
      if (!frozen) for (const stream of streams) stream.push(event);
    },
    async *stream({ since, signal }) {
      await connect(signal);
      const queue = createQueue<EngineEvent>();
      const abort = () => queue.fail(signal.reason);
      if (!frozen) for (const event of past) if (event.at >= since) queue.push(event);
      streams.add(queue);
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
      try {
        yield* queue;
      } finally {
        streams.delete(queue);
        signal.removeEventListener('abort', abort);
      }
    },
    cut(error) {
      for (const stream of streams) {
        if (error) stream.fail(error);
        else stream.end();
      }
      streams.clear();
    },
    freeze() {
      frozen = true;
    },
    thaw() {
      frozen = false;
    },
  };
}
