import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Frame } from './list-feed.ts';
import { PacedSender } from './paced-sender.ts';
import { beginEvents, formatEvent, lastEventId, PING } from './server-sent-events.ts';
import type { WatchClient, WatchClients } from './watch-clients.ts';

/** `/events`: the frames of `/watch` as server-sent events; resolves when the client has been joined. */
export async function openEventStream(
  req: IncomingMessage,
  res: ServerResponse,
  watchers: WatchClients,
): Promise<void> {
  const place = watchers.take();
  res.once('close', place.leave);
  try {
    await watchers.feed.open();
  } catch (error) {
    place.leave();
    throw error;
  }
  if (res.destroyed) return place.leave();
  beginEvents(res);

  const sender = new PacedSender(
    {
      send: (bytes, done) => {
        if (res.destroyed || res.writableEnded) done();
        else res.write(bytes, () => done());
      },
      backlog: () => res.writableLength,
      drop: () => res.destroy(),
    },
    watchers.maxBufferedBytes,
  );
  const client: WatchClient = {
    offer: (frame) => sender.offer(frame.event),
    beat: () => {
      if (sender.isStuck()) res.destroy();
      else if (!sender.sending) sender.offer(PING);
    },
    // What a client does not take is not waited for: the closing of the server cuts it off.
    end: () => {
      res.end();
      return Promise.resolve();
    },
  };
  place.join(client);
  const first = firstEvents(watchers, lastEventId(req));
  if (first.length > 0) sender.offer(first);
}

/** What was missed; or, when that is no longer known, `reset` and the present state. */
function firstEvents(watchers: WatchClients, lastId: string | undefined): Buffer {
  const { feed } = watchers;
  const missed = lastId === undefined ? undefined : feed.since(lastId);
  if (missed) return Buffer.concat(missed.map((frame) => frame.event));
  const events: Buffer[] = [];
  if (lastId !== undefined) events.push(formatEvent({ event: 'reset', data: { reason: 'gap' } }));
  const latest: Frame | undefined = feed.latest;
  if (latest) events.push(latest.event);
  return Buffer.concat(events);
}
