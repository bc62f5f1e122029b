// INVARIANTS
// - Whoever watches a process is told once: of its end, or that nobody will ever know.
// - What an agent answers is about what it was asked: another id breaks the protocol.
import type { BusyCounts } from '../../agentcontainers/ports.ts';
import type { Clock } from '../../clock/clock.ts';
import { linkedScope } from '../../async/abort.ts';
import { cancelled } from '../../errors.ts';
import { followEvents } from './event-feed.ts';
import type { ResidentConnection } from './resident-connection.ts';
import type { Hello, WireEvent, WireProcess } from './wire.ts';
import { ownsId, processSchema } from './wire.ts';
import { clampGrace } from './clamp-grace.ts';
import { processPath } from './request-path.ts';
import { requestJson } from './request-json.ts';
import type { JsonRequest } from './request-json.ts';
import type { ResidentLink } from './resident-link.ts';

type AgentRequest<T> = Omit<JsonRequest<T>, 'signal'> & {
  readonly signal?: AbortSignal | undefined;
  /** To do it twice does no harm. Default: only for GET. */
  readonly mayRepeat?: boolean;
};

/** One agent: its link, what it tells, and requests to it. */
export interface ResidentAgent {
  readonly link: ResidentLink;
  readonly hello: Hello;
  readonly busy: BusyCounts;
  owns(id: string): boolean;
  request<T>(request: AgentRequest<T>): Promise<T>;
  /** A request whose answer is this process. */
  requestProcess(id: string, request: Omit<AgentRequest<WireProcess>, 'schema'>): Promise<WireProcess>;
  /** Ends the whole tree; resolves when it is gone, or with its survivors. */
  kill(id: string, graceMs: number, signal?: AbortSignal): Promise<WireProcess>;
  /**
   * Calls back once, when this process has ended; with `undefined` when that was not told and never will be. Returns the
   * call that stops it.
   */
  watchEnd(id: string, onEnd: (process: WireProcess | undefined) => void): () => void;
  /** Lets go of it; it runs on. */
  close(): void;
}

interface Watcher {
  readonly id: string;
  /** The snapshot that this watcher was there before. */
  readonly since: number;
  readonly onEnd: (process: WireProcess | undefined) => void;
}

/** Above what the agent waits by itself. */
const KILL_SLACK_MS = 30_000;
const LIMIT_BYTES = 4 * 1_048_576;

export function createResidentAgent(
  link: ResidentLink,
  { clock, onBusy }: { readonly clock: Clock; readonly onBusy: () => void },
): ResidentAgent {
  const { hello } = link;
  const watchers = new Set<Watcher>();
  const scope = linkedScope();
  let snapshots = 0;
  let busy: BusyCounts = { commands: 0, terminals: 0 };

  function note(counts: BusyCounts): void {
    busy = counts;
    onBusy();
  }
  function tell(watcher: Watcher, process: WireProcess | undefined): void {
    if (watchers.delete(watcher)) watcher.onEnd(process);
  }
  function onProcess(process: WireProcess): void {
    assertOwn(process.id);
    if (process.running) return;
    for (const watcher of watchers) if (watcher.id === process.id) tell(watcher, process);
  }
  function assertOwn(id: string): void {
    if (!ownsId(hello, id)) throw new Error('a process has an id of another agent');
  }

  function onEvent(event: WireEvent): void {
    switch (event.type) {
      case 'snapshot': {
        const processes = event.processes ?? [];
        for (const process of processes) onProcess(process);
        const known = new Set(processes.map(({ id }) => id));
        for (const watcher of watchers)
          if (watcher.since < snapshots && !known.has(watcher.id)) tell(watcher, undefined);
        return note(event.busy);
      }
      case 'process':
        return onProcess(event.process);
      case 'forgotten':
        assertOwn(event.id);
        for (const watcher of watchers) if (watcher.id === event.id) tell(watcher, undefined);
        return;
      case 'busy':
        return note(event.busy);
      case 'ports':
        return;
    }
  }

  void followEvents(link, clock, { signal: scope.signal, onOpen: () => void snapshots++, onEvent });
  void link.ended.then(() => {
    scope.abort(cancelled('closing'));
    for (const watcher of watchers) tell(watcher, undefined);
    note({ commands: 0, terminals: 0 });
  });

  function request<T>({ mayRepeat, ...json }: AgentRequest<T>): Promise<T> {
    const work = (connection: ResidentConnection): Promise<T> => requestJson(connection, json);
    return link.use(json.doing, work, { signal: json.signal, mayRepeat: mayRepeat ?? json.method === 'GET' });
  }
  function requestProcess(id: string, json: Omit<AgentRequest<WireProcess>, 'schema'>): Promise<WireProcess> {
    const schema = processSchema.refine((process) => process.id === id, 'it is another process than was asked for');
    return request({ limit: LIMIT_BYTES, ...json, schema });
  }

  return {
    link,
    hello,
    get busy() {
      return busy;
    },
    owns: (id) => ownsId(hello, id),
    request,
    requestProcess,
    kill: (id, graceMs, signal) =>
      requestProcess(id, {
        doing: 'Ending a command',
        method: 'POST',
        path: processPath(id, 'kill'),
        json: { grace_ms: clampGrace(graceMs) },
        timeoutMs: clampGrace(graceMs) + KILL_SLACK_MS,
        mayRepeat: true,
        signal,
      }),
    watchEnd(id, onEnd) {
      const watcher = { id, onEnd, since: snapshots };
      watchers.add(watcher);
      if (link.end) tell(watcher, undefined);
      return () => void watchers.delete(watcher);
    },
    close: () => link.close(),
  };
}
