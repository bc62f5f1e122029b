// INVARIANTS
// - There is at most one connection at a time; when it breaks off, another one to the same agent is made, or the link ends.
// - A link ends once and never comes back; then every call rejects.
// - No timer is set while the connection stands.
import { createDeferred } from '../../async/deferred.ts';
import type { Deferred } from '../../async/deferred.ts';
import { linkedScope, raceAbort, sleep } from '../../async/abort.ts';
import type { Clock } from '../../clock/clock.ts';
import { AgentContainersError, cancelled, errorMessage, isAgentContainersError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { ResidentConnection } from './resident-connection.ts';
import { isCut, isViolation, unavailable } from './resident-errors.ts';
import type { Hello } from './wire.ts';

export interface Connected {
  readonly hello: Hello;
  readonly connection: ResidentConnection;
}

export interface LinkEnd {
  /** `gone`: the agent has ended although its container runs. `lost`: it may run on, and cannot be reached. */
  readonly reason: 'closed' | 'gone' | 'container-gone' | 'oom' | 'lost' | 'violation';
  /** One readable sentence. */
  readonly message: string;
}

export type ContainerLook = 'runs' | 'paused' | 'gone' | 'oom' | 'unknown';

/** A connection to one agent that is made again when it breaks off. */
export interface ResidentLink {
  readonly clock: Clock;
  readonly hello: Hello;
  /** Settles once and never rejects. */
  readonly ended: Promise<LinkEnd>;
  readonly end: LinkEnd | undefined;
  /** The connection, when there is one. `devcontainer-not-running` and `runtime-unavailable` once the link has ended. */
  ready(doing: string, signal?: AbortSignal): Promise<ResidentConnection>;
  /** Runs `work`; once more over the next connection when it was cut off, if that does no harm. */
  use<T>(
    doing: string,
    work: (connection: ResidentConnection) => Promise<T>,
    options?: { readonly signal?: AbortSignal | undefined; readonly mayRepeat?: boolean },
  ): Promise<T>;
  /** The agent runs on. Idempotent. */
  close(): void;
}

export interface ResidentLinkParts {
  /** Connects to the agent if it runs, without starting one. Its error has `reason: 'not-running'` when it does not. */
  readonly connect: (signal: AbortSignal) => Promise<Connected>;
  /** How the container is. Never rejects. */
  readonly look: (signal: AbortSignal) => Promise<ContainerLook>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
const GIVE_UP_MS = 15_000;
const PAUSED_RETRY_MS = 1_000;
/** A connection that stood for so long has begun a new series of tries when it breaks off. */
const HEALTHY_MS = 5_000;
/** In one series, and in a row of connections over which nothing was answered. */
const MAX_BREAKS = 8;
const MAX_UNANSWERED = 3;
/** A container that is being ended still counts as running for a moment. */
const RECHECK_MS = 100;
const RECHECKS = 3;
const MAX_REPEATS = 5;

const ENDS = {
  closed: { reason: 'closed', message: 'The connection to the resident was closed.' },
  gone: { reason: 'gone', message: 'The resident ended although its container runs; what ran under it is lost.' },
  containerGone: { reason: 'container-gone', message: 'The container of the sub-agent stopped.' },
  oom: { reason: 'oom', message: 'The sub-agent was ended for lack of memory.' },
} as const satisfies Record<string, LinkEnd>;

export function createResidentLink(first: Connected, parts: ResidentLinkParts): ResidentLink {
  const { clock, logger } = parts;
  const { hello } = first;
  const ended = createDeferred<LinkEnd>();
  const closing = linkedScope();
  let end: LinkEnd | undefined;
  let current: Deferred<ResidentConnection> = createDeferred();
  let connectedAt = 0;
  /** It has answered something: a greeting alone is no sign of health. */
  let hasAnswered = false;
  let series = { breaks: 0, unanswered: 0, retryMs: 0 };

  function install({ connection }: Connected): void {
    connectedAt = clock.now();
    hasAnswered = false;
    connection.confirm().then(
      () => (hasAnswered = true),
      () => {},
    );
    current.resolve(connection);
    void connection.ended.then((error) => onBroken(error));
  }

  function finish(how: LinkEnd): void {
    if (end) return;
    end = how;
    closing.abort(cancelled('closing'));
    current.reject(undefined);
    ended.resolve(how);
  }

  async function onBroken(error: AgentContainersError): Promise<void> {
    if (end) return;
    if (isViolation(error)) return finish({ reason: 'violation', message: errorMessage(error) });
    current = createDeferred();
    logger.debug({ instance: hello.instance }, 'The connection to the resident broke off');
    const wasHealthy = hasAnswered && clock.now() - connectedAt >= HEALTHY_MS;
    if (wasHealthy) series = { breaks: 0, unanswered: 0, retryMs: 0 };
    series.breaks++;
    series.unanswered = hasAnswered ? 0 : series.unanswered + 1;
    try {
      await reconnect();
    } catch (failure) {
      if (!end)
        finish({ reason: 'lost', message: `The connection to the resident was lost: ${errorMessage(failure)}` });
    }
  }

  async function reconnect(): Promise<void> {
    const { signal } = closing;
    if (series.breaks > MAX_BREAKS || series.unanswered > MAX_UNANSWERED) {
      throw unavailable('Connecting to the resident', 'its connections break off again and again');
    }
    let since = clock.now();
    for (;;) {
      if (series.retryMs > 0) await sleep(clock, series.retryMs, signal, 'resident: reconnect');
      series.retryMs = series.retryMs === 0 ? FIRST_RETRY_MS : Math.min(series.retryMs * 2, LAST_RETRY_MS);
      const look = await parts.look(signal);
      if (endsWith(look)) return;
      if (look === 'paused') {
        // Nothing answers in it, however long that takes.
        series = { breaks: 0, unanswered: 0, retryMs: PAUSED_RETRY_MS };
        since = clock.now();
        continue;
      }
      try {
        const next = await parts.connect(signal);
        if (end) return next.connection.close();
        if (next.hello.instance === hello.instance) return install(next);
        // Another one has taken its place.
        next.connection.close();
        return await finishGone(signal);
      } catch (error) {
        if (end) return;
        if (isViolation(error)) return finish({ reason: 'violation', message: errorMessage(error) });
        const reason = isAgentContainersError(error) ? error.details['reason'] : undefined;
        if (reason === 'not-running') return await finishGone(signal);
        if (reason === 'wrong-token' || clock.now() - since >= GIVE_UP_MS) throw error;
      }
    }
  }

  function endsWith(look: ContainerLook): boolean {
    if (look === 'gone') finish(ENDS.containerGone);
    if (look === 'oom') finish(ENDS.oom);
    return end !== undefined;
  }

  async function finishGone(signal: AbortSignal): Promise<void> {
    for (let look = 0; look < RECHECKS; look++) {
      if (endsWith(await parts.look(signal))) return;
      await sleep(clock, RECHECK_MS, signal, 'resident: recheck').catch(() => {});
    }
    finish(ENDS.gone);
  }

  async function ready(doing: string, signal?: AbortSignal): Promise<ResidentConnection> {
    signal?.throwIfAborted();
    const connection = await (signal ? raceAbort(current.promise, signal) : current.promise).catch((error: unknown) => {
      if (!end || signal?.aborted) throw error;
    });
    if (connection && !end) return connection;
    throw endError(doing, end ?? ENDS.closed);
  }

  install(first);
  return {
    clock,
    hello,
    ended: ended.promise,
    get end() {
      return end;
    },
    ready,
    async use(doing, work, { signal, mayRepeat = false } = {}) {
      for (let repeats = 0; ; repeats++) {
        const connection = await ready(doing, signal);
        try {
          return await work(connection);
        } catch (error) {
          if (!isCut(error) || !mayRepeat || repeats >= MAX_REPEATS) throw error;
          // Its end may be noted only in a moment; the same connection is of no more use then.
          if (!connection.isOpen) await connection.ended;
        }
      }
    },
    close() {
      const open = current;
      finish(ENDS.closed);
      open.promise.then(
        (connection) => connection.close(),
        () => {},
      );
    },
  };
}

/** Why nothing can be done over a link that has ended. */
export function endError(doing: string, { reason, message }: LinkEnd): AgentContainersError {
  const why = `${doing} failed: ${message.replace(/[.\s]+$/, '')}.`;
  const isStopped = reason === 'container-gone' || reason === 'oom';
  return new AgentContainersError(isStopped ? 'devcontainer-not-running' : 'runtime-unavailable', why, {
    details: { reason },
  });
}
