// INVARIANTS
// - What the store says is what is open: a forward that it has is listening or trying to, one that it has not is closed.
// - Forwards are made one after another, so that the same one asked for twice is one.
import { linkedScope } from '../../async/abort.ts';
import { createLimiter } from '../../async/limiter.ts';
import { AgentContainersError } from '../../errors.ts';
import type { ForwardRequest } from '../api.ts';
import { isHost, isPort, LONGEST_HOST, MOST_FORWARDS, type PortForward } from '../model/forward.ts';
import type { Entry, State } from '../model/state.ts';
import { adoptedEntry } from './adopted-entry.ts';
import { chooseHostPort } from './choose-host-port.ts';
import { createForwardConnections } from './forward-connections.ts';
import { createOpenForward, type OpenForward } from './open-forward.ts';
import { reachResident } from './reach-resident.ts';
import type { Runtime } from './runtime.ts';

/** Ports of the host that lead into devcontainers. */
export interface Forwards {
  /** Opens those that are known; from then on what the store says is followed. Resolves when each was tried once. */
  begin(): Promise<void>;
  forward(id: string, request: ForwardRequest, signal?: AbortSignal): Promise<PortForward>;
  list(id: string): readonly PortForward[];
  end(id: string, forwardId: string): Promise<void>;
  close(): Promise<void>;
}

interface Wanted {
  readonly port: number;
  readonly host: string;
  readonly hostPort: number | undefined;
}

export function createForwards(rt: Runtime): Forwards {
  const open = new Map<string, OpenForward>();
  const making = createLimiter(1);
  let unlisten: (() => void) | undefined;
  let seen: State['entries'] | undefined;

  const keyOf = (id: string, forwardId: string): string => `${id} ${forwardId}`;

  function reconcile({ entries }: State): void {
    if (entries === seen) return;
    seen = entries;
    const wanted = new Set<string>();
    for (const { id, forwards } of entries.values()) {
      for (const forward of forwards) {
        const key = keyOf(id, forward.id);
        wanted.add(key);
        if (open.has(key)) continue;
        const opened = createOpenForward(rt, id, forward, createForwardConnections(rt, id, forward));
        open.set(key, opened);
        rt.tasks.spawn('open a forward', () => opened.listen());
      }
    }
    for (const [key, forward] of open) {
      if (wanted.has(key)) continue;
      open.delete(key);
      rt.tasks.spawn('close a forward', () => forward.close());
    }
  }

  function known(id: string, { host, port, hostPort }: Wanted): PortForward | undefined {
    return adoptedEntry(rt, id).forwards.find(
      (one) => one.host === host && one.port === port && (hostPort ?? one.hostPort) === one.hostPort,
    );
  }

  async function make(id: string, wanted: Wanted): Promise<PortForward> {
    const before = known(id, wanted);
    if (before) {
      await open.get(keyOf(id, before.id))?.listen();
      return known(id, wanted) ?? before;
    }
    if (adoptedEntry(rt, id).forwards.length >= MOST_FORWARDS) {
      throw invalid(`there are ${MOST_FORWARDS} of this devcontainer. End one of them first`);
    }
    const { host, port } = wanted;
    const connections = createForwardConnections(rt, id, wanted);
    const listening = await chooseHostPort(rt, wanted, (connection) => connections.accept(connection));
    const hostPort = listening.port;
    const forward: PortForward = { id: rt.ports.newId(), host, port, hostPort, status: 'listening' };
    const key = keyOf(id, forward.id);
    const opened = createOpenForward(rt, id, forward, connections, listening);
    // Before the store has it: it is not to be opened a second time.
    open.set(key, opened);
    rt.store.dispatch({ type: 'forwardAdded', id, forward });
    if (rt.store.state.entries.get(id)?.forwards.some((one) => one.id === forward.id)) return forward;
    // Meanwhile the devcontainer was removed, or the library is closing.
    open.delete(key);
    await opened.close();
    adoptedEntry(rt, id);
    throw new AgentContainersError('devcontainer-not-found', 'Devcontainer not found.');
  }

  return {
    async begin() {
      if (rt.closing.aborted) return;
      unlisten = rt.store.onCommit(reconcile);
      reconcile(rt.store.state);
      await Promise.all([...open.values()].map((forward) => forward.listen()));
    },
    async forward(id, request, signal) {
      const wanted = checked(request);
      const scope = linkedScope(signal, rt.closing);
      try {
        // One that there is needs no container that runs.
        if (!known(id, wanted)) await reachResident(rt, id, scope.signal);
        const forward = await making.run(scope.signal, () => make(id, wanted));
        await rt.persistence.flush();
        return forward;
      } catch (error) {
        throw rt.closing.aborted ? new AgentContainersError('api-closed', 'API closed') : error;
      } finally {
        scope.release();
      }
    },
    list: (id) => adoptedEntry(rt, id).forwards,
    async end(id, forwardId) {
      const { forwards }: Entry = adoptedEntry(rt, id);
      if (!forwards.some((one) => one.id === forwardId)) {
        throw new AgentContainersError(
          'forward-not-found',
          'Ending the port forward failed: there is none with this id.',
        );
      }
      const key = keyOf(id, forwardId);
      const opened = open.get(key);
      // Closed here, so that the port is free for whoever waited for this.
      open.delete(key);
      rt.store.dispatch({ type: 'forwardEnded', id, forwardId });
      await opened?.close();
      await rt.persistence.flush();
    },
    async close() {
      unlisten?.();
      // After those that are being made.
      await making.run(new AbortController().signal, async () => {
        await Promise.all([...open.values()].map((forward) => forward.close()));
        open.clear();
      });
    },
  };
}

function checked({ port, host = '127.0.0.1', hostPort }: ForwardRequest): Wanted {
  if (!isPort(port)) throw invalid(`${String(port)} is no port. Give a whole number from 1 to 65535`);
  if (hostPort !== undefined && !isPort(hostPort)) {
    throw invalid(`${String(hostPort)} is no port of the host. Give a whole number from 1 to 65535, or none`);
  }
  if (!isHost(host)) {
    throw invalid(`the host is no name or address of at most ${LONGEST_HOST} characters. Give e.g. 127.0.0.1 or db`);
  }
  return { port, host: host.toLowerCase(), hostPort };
}

function invalid(reason: string): AgentContainersError {
  return new AgentContainersError('invalid-request', `Forwarding a port failed: ${reason}.`);
}
