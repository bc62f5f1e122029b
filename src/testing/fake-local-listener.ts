import type { LocalConnection, LocalListener } from '../agentcontainers/ports.ts';
import { AgentContainersError } from '../errors.ts';
import { createFakeConnection, type FakePeer } from './fake-connection.ts';
import type { LeakSource } from './leak-guard.ts';
import { createScriptedCalls, type CallControls } from './scripted-calls.ts';

/** The ports of a host on which nothing else listens, unless a test says so. */
export interface FakeLocalListener extends LocalListener, CallControls<'listen'>, LeakSource {
  /** Ports on which somebody listens through this, sorted. */
  readonly listening: readonly number[];
  /** Another program listens there from now on, until it is `released`. */
  take(port: number): void;
  release(port: number): void;
  /** A program of the host connects to this port. Throws when nobody listens there. */
  connect(port: number): FakePeer;
  /** The port that is given next to whoever asks for any. */
  givesNext(port: number): void;
  /** Listening there ends by itself. */
  breakDown(port: number, error?: Error): void;
}

interface Place {
  readonly accept: (connection: LocalConnection) => void;
  readonly open: Set<LocalConnection>;
  end(error?: Error): void;
}

/** Where ports begin that are given to whoever asks for any; each is given once. */
const FIRST_ANY = 40_000;

export function createFakeLocalListener(): FakeLocalListener {
  const calls = createScriptedCalls('localListener', ['listen']);
  const places = new Map<number, Place>();
  const taken = new Set<number>();
  let nextAny = FIRST_ANY;

  function anyPort(): number {
    while (places.has(nextAny) || taken.has(nextAny)) nextAny++;
    return nextAny++;
  }

  return {
    calls: calls.calls,
    failNext: calls.failNext,
    hang: calls.hang,
    listen: (wanted, accept) =>
      calls.perform('listen', undefined, () => {
        const port = wanted === 0 ? anyPort() : wanted;
        if (places.has(port) || taken.has(port)) {
          throw new AgentContainersError(
            'port-taken',
            `Listening on 127.0.0.1:${port} failed: another program uses the port. End that program, or choose another port.`,
          );
        }
        let settle: (error: Error | undefined) => void = () => {};
        const ended = new Promise<Error | undefined>((resolve) => {
          settle = resolve;
        });
        const open = new Set<LocalConnection>();
        const place: Place = {
          accept,
          open,
          end(error) {
            if (places.get(port) === place) places.delete(port);
            for (const connection of open) connection.close();
            settle(error);
          },
        };
        places.set(port, place);
        return { port, ended, close: async () => place.end() };
      }),

    get listening() {
      return [...places.keys()].toSorted((a, b) => a - b);
    },
    take: (port) => void taken.add(port),
    release: (port) => void taken.delete(port),
    connect(port) {
      const place = places.get(port);
      if (!place) throw new Error(`Connecting to 127.0.0.1:${port} failed: nobody listens there.`);
      const { connection, peer } = createFakeConnection();
      place.open.add(connection);
      void connection.closed.then(() => place.open.delete(connection));
      place.accept(connection);
      return peer;
    },
    givesNext(port) {
      nextAny = port;
    },
    breakDown(port, error = new Error('The listener broke down.')) {
      places.get(port)?.end(error);
    },
    leaks: () => [
      ...calls.leaks(),
      ...[...places].flatMap(([port, { open }]) => [
        `127.0.0.1:${port} is listened on`,
        ...[...open].map(() => `a connection to 127.0.0.1:${port} is open`),
      ]),
    ],
  };
}
