import type { Instant } from '../clock/clock.ts';
import type { EngineEvent } from '../agentcontainers/ports.ts';
import type { Logger } from '../logger.ts';
import { engineFailure } from './engine-error.ts';
import type { EngineReply, EngineTransport } from './engine-transport.ts';
import { asInteger, asRecord, asText, asTextRecord } from './json-values.ts';
import { sendExpecting } from './read-reply.ts';
import { textLines } from './text-lines.ts';

/**
 * The actions that can change what a listing says. Exec and health events are left out: they come in great numbers, and
 * exec events carry whole command lines. `died` and `remove` are Podman's words.
 */
const CONTAINER_ACTIONS = [
  'create',
  'start',
  'restart',
  'stop',
  'die',
  'died',
  'oom',
  'pause',
  'unpause',
  'rename',
  'update',
  'destroy',
  'remove',
] as const;

/** The actions after which a reference may mean another image. `loadfromarchive` and `remove` are Podman's words. */
const IMAGE_ACTIONS = ['pull', 'load', 'loadfromarchive', 'import', 'tag', 'untag', 'delete', 'remove'] as const;

/** What is asked for; the two lists are one filter, and neither kind of object knows the other's further actions. */
const LISTED = { types: ['container', 'image'], actions: [...new Set([...CONTAINER_ACTIONS, ...IMAGE_ACTIONS])] };

export const FOLLOWING_EVENTS = 'Following the events of the engine';

/** An event carries the container's labels, which may hold a whole configuration. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;

/** What tells the end of an exec; `exec_died` is Podman's word. */
export const EXEC_ENDS = { types: ['container'], actions: ['exec_die', 'exec_died'] };

/**
 * Asks for events: those since then that the engine still remembers, and live ones. An engine may answer only when the
 * first event comes, so no time limit applies.
 */
export function openEvents(
  transport: EngineTransport,
  query: { readonly since: Instant; readonly signal: AbortSignal },
  asked: { readonly types: readonly string[]; readonly actions: readonly string[] } = LISTED,
): Promise<EngineReply> {
  return sendExpecting(transport, {
    doing: FOLLOWING_EVENTS,
    method: 'GET',
    path: '/events',
    query: {
      since: (Math.max(0, query.since) / 1000).toFixed(3),
      filters: JSON.stringify({ type: asked.types, event: asked.actions }),
    },
    signal: query.signal,
  });
}

/** The events in an answer to {@link openEvents}. Ends or throws when the connection does. */
export async function* readEvents(
  reply: EngineReply,
  logger: Logger,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent, void, undefined> {
  const onTooLong = (): void =>
    logger.warn({ maxBytes: MAX_LINE_BYTES }, 'An engine event was left out because it is too long');
  try {
    for await (const line of textLines(reply.body as AsyncIterable<Buffer>, MAX_LINE_BYTES, onTooLong)) {
      const event = parseEvent(line);
      if (event) yield event;
      else logger.warn({ line: line.slice(0, 200) }, 'An engine event could not be understood');
    }
  } catch (error) {
    throw engineFailure(FOLLOWING_EVENTS, error, signal);
  } finally {
    reply.body.destroy();
  }
}

function parseEvent(line: string): EngineEvent | undefined {
  let raw: unknown;
  try {
    raw = JSON.parse(line);
  } catch {
    return undefined;
  }
  const event = asRecord(raw);
  const actor = asRecord(event['Actor']);
  const action = asText(event['Action']) || asText(event['status']);
  const type = asText(event['Type']) === 'image' ? 'image' : 'container';
  const subjectId = asText(actor['ID']) || asText(event['id']);
  if (!action || !subjectId) return undefined;
  const nanoseconds = event['timeNano'];
  const at =
    typeof nanoseconds === 'number' && nanoseconds > 0
      ? Math.floor(nanoseconds / 1e6)
      : (asInteger(event['time']) ?? 0) * 1000;
  return {
    type,
    action: OWN_WORDS[type].get(action) ?? action,
    subjectId,
    at,
    labels: asTextRecord(actor['Attributes']),
  };
}

const OWN_WORDS: Readonly<Record<EngineEvent['type'], ReadonlyMap<string, string>>> = {
  container: new Map([
    ['died', 'die'],
    ['remove', 'destroy'],
  ]),
  image: new Map([
    ['loadfromarchive', 'load'],
    ['remove', 'delete'],
  ]),
};
