import { linkedScope } from '../../async/abort.ts';
import type { ListeningPort } from '../../agentcontainers/ports.ts';
import type { Clock } from '../../clock/clock.ts';
import { cancelled } from '../../errors.ts';
import { followEvents } from './event-feed.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { endError } from './resident-link.ts';
import { portsSchema, toPort } from './wire.ts';
import type { WireEvent } from './wire.ts';

const LIST_BYTES = 8 * 1_048_576;

export async function listPorts(agent: ResidentAgent, signal: AbortSignal | undefined): Promise<ListeningPort[]> {
  const found = await agent.request({
    doing: 'Listing the ports of the container',
    method: 'GET',
    path: '/v1/ports',
    schema: portsSchema,
    limit: LIST_BYTES,
    mayBeLong: true,
    signal,
  });
  return found.ports.map(toPort);
}

/**
 * Tells of all ports now and after each change, also over a lost connection, until the signal aborts. Rejects with what the
 * listener throws.
 */
export async function watchPorts(
  agent: ResidentAgent,
  clock: Clock,
  listener: (ports: readonly ListeningPort[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const doing = 'Watching the ports of the container';
  const scope = linkedScope(signal);
  let told: string | undefined;
  let failure: { readonly error: unknown } | undefined;
  function onEvent(event: WireEvent): void {
    const found = event.type === 'snapshot' || event.type === 'ports' ? event.ports : undefined;
    if (!found || scope.signal.aborted) return;
    const ports = found.map(toPort);
    const text = JSON.stringify(ports);
    if (text === told) return;
    told = text;
    try {
      listener(ports);
    } catch (error) {
      // It is the caller's. Thrown on, it would count as the agent's: that breaks the protocol, and everything ends.
      failure = { error };
      scope.abort(cancelled('caller-left'));
    }
  }
  try {
    await followEvents(agent.link, clock, { ports: true, signal: scope.signal, onEvent });
  } finally {
    scope.release();
  }
  if (failure) throw failure.error;
  if (!signal.aborted && agent.link.end) throw endError(doing, agent.link.end);
}
