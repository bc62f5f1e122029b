// INVARIANTS
// - `exited` settles exactly once and never rejects; once it has, no timer and no listener is left.
// - Whoever ends the process first names the reason; later requests to end it wait for the same end.
// - One watchdog timer per process, however many lines it writes; output is always read, whatever it is.
// - Dropping the stream does not end a process: who did not end when asked is killed in the container, and where that
//   cannot be done the exit says so.
import { createDeferred } from '../async/deferred.ts';
import type { Clock, Timer } from '../clock/clock.ts';
import type {
  ContainerEngine,
  ExecSession,
  SubAgentBinary,
  SubAgentExit,
  SubAgentProcess,
} from '../agentcontainers/ports.ts';
import { errorMessage } from '../errors.ts';
import { createLineSplitter } from '../text/line-splitter.ts';
import { createBusyReports } from './busy-reports.ts';
import { classifyExit } from './classify-exit.ts';
import { createOutputRelay } from './output-relay.ts';
import { createOutputTail } from './output-tail.ts';
import { signalProcesses } from '../agentcontainers/engine-runtime/signal-processes.ts';

export interface SupervisedProcess extends SubAgentProcess {
  /** Resolves when it is ready. Stays pending when it ends before. */
  readonly ready: Promise<void>;
  readonly hasExited: boolean;
  /** The last line it wrote that says something. */
  lastLine(): string;
  /** Ends it for this reason: asks on stdin, by TERM after half of the grace, and kills it after all of it. */
  end(reason: SubAgentExit['reason'], message: string, graceMs: number): Promise<void>;
}

export interface SupervisedProcessParts {
  readonly session: ExecSession;
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly containerId: string;
  readonly binary: Pick<SubAgentBinary, 'readyLine' | 'heartbeat' | 'busyLines'>;
  /** As whom it runs. */
  readonly user: string | undefined;
  /** Its processes carry this as {@link RUN_ID_VARIABLE}. */
  readonly runId: string;
  /** Without a ready line it counts as ready when it lived for so long. */
  readonly settleMs: number;
  readonly secrets: readonly string[];
  /** Takes each line it writes, apart from heartbeats; bounded, without escape sequences and secrets. */
  readonly onOutput?: ((line: string) => void) | undefined;
  /** Told what it is busy with; `undefined` when it is not any more, as after its end. */
  readonly onBusy?: ((reason: string | undefined) => void) | undefined;
}

const MAX_LINE = 8_192;
/** For output that is still on its way after the end. */
const DRAIN_MS = 500;
const HEARTBEAT_LOST_GRACE_MS = 1_000;
/** For the shell that kills it, and for the engine to see that it is gone. */
const KILL_TIMEOUT_MS = 3_000;
const GONE_TIMEOUT_MS = 1_000;
const NOT_FOUND = 'its user may not look at it, or it cannot be killed';

export function superviseProcess(parts: SupervisedProcessParts): SupervisedProcess {
  const { session, engine, clock, containerId, binary } = parts;
  const { heartbeat } = binary;
  const tail = createOutputTail(parts.secrets);
  const relay = parts.onOutput && createOutputRelay(clock, parts.onOutput);
  const busy = parts.onBusy && createBusyReports(clock, parts.onBusy);
  const ready = createDeferred<void>();
  const exited = createDeferred<SubAgentExit>();
  const timers = new Set<Timer>();
  let version: string | undefined;
  let ended: { readonly reason: SubAgentExit['reason']; readonly message: string } | undefined;
  let ending: Promise<void> | undefined;
  let lastBeat = clock.now();
  let isAnswering = false;

  function after(ms: number, fn: () => void | Promise<void>, tag: string): Timer {
    const timer = clock.afterFunc(
      ms,
      () => {
        timers.delete(timer);
        return fn();
      },
      tag,
    );
    timers.add(timer);
    return timer;
  }
  function cancel(timer: Timer): void {
    timer.stop();
    timers.delete(timer);
  }

  function settle(exitCode: number | null, why: Pick<SubAgentExit, 'reason' | 'message'>): void {
    if (exited.settled) return;
    for (const timer of timers) timer.stop();
    timers.clear();
    busy?.end();
    exited.resolve({ ...why, exitCode, outputTail: tail.text() });
  }

  // --- output

  const { readyLine, busyLines } = binary;

  function onStdoutLine(line: string): void {
    if (heartbeat && line.startsWith(heartbeat.line)) return onBeat();
    if (readyLine !== undefined && !ready.settled && line.startsWith(readyLine)) {
      version = /^\s*(v?\d+\.\d+[\w.+-]{0,60})/.exec(line.slice(readyLine.length))?.[1];
      becomeReady();
    }
    if (busyLines && line.startsWith(busyLines.busy)) busy?.report(tail.clean(line.slice(busyLines.busy.length)));
    else if (busyLines && line.startsWith(busyLines.idle)) busy?.report(undefined);
    say(line);
  }
  function say(line: string): void {
    tail.add(line);
    relay?.(tail.clean(line));
  }
  async function read(stream: AsyncIterable<Uint8Array>, onLine: (line: string) => void): Promise<void> {
    const splitter = createLineSplitter(MAX_LINE, onLine);
    const decoder = new TextDecoder();
    try {
      for await (const chunk of stream) splitter.push(decoder.decode(chunk, { stream: true }));
    } catch {
      // How it ended is told by the session.
    }
    splitter.push(decoder.decode());
    splitter.end();
  }
  const outputRead = Promise.all([read(session.stdout, onStdoutLine), read(session.stderr, say)]);

  // --- signs of life

  function becomeReady(): void {
    if (ready.settled || ended || exited.settled) return;
    ready.resolve();
    lastBeat = clock.now();
    if (heartbeat) watch(heartbeat.timeoutMs);
  }
  function onBeat(): void {
    lastBeat = clock.now();
    if (heartbeat?.answer === undefined || isAnswering || ended) return;
    // One at a time: a process that does not read must not fill our memory.
    isAnswering = true;
    session.write(`${heartbeat.answer}\n`).then(
      () => {
        isAnswering = false;
      },
      () => {
        isAnswering = false;
      },
    );
  }
  function watch(ms: number): void {
    after(
      ms,
      () => {
        if (!heartbeat || ended || exited.settled) return;
        const left = lastBeat + heartbeat.timeoutMs - clock.now();
        if (left > 0) return watch(left);
        const message = `The sub-agent gave no sign of life for ${heartbeat.timeoutMs / 1_000} s.`;
        return end('heartbeat-lost', message, HEARTBEAT_LOST_GRACE_MS);
      },
      'sub-agent: heartbeat',
    );
  }

  // --- the end

  async function onSessionEnd(exitCode: number | null, error?: unknown): Promise<void> {
    if (exited.settled) return;
    await new Promise<void>((resolve) => {
      const timer = after(DRAIN_MS, resolve, 'sub-agent: drain');
      void outputRead.then(() => {
        cancel(timer);
        resolve();
      });
    });
    if (exited.settled) return;
    if (ended) return settle(exitCode, ended);
    // It never ran: the engine's own words say why.
    if (error !== undefined) return settle(exitCode, { reason: 'exit', message: errorMessage(error) });
    const why = await classifyExit(engine, clock, containerId, exitCode);
    if (why.reason !== 'connection-lost') return settle(exitCode, why);
    // It may live on unseen, beside the next one.
    const failure = await kill();
    settle(exitCode, { ...why, message: failure === undefined ? why.message : `${why.message} ${mayLive(failure)}` });
  }

  function signalAll(signal: 'TERM' | 'KILL', abort: AbortSignal): Promise<string | undefined> {
    const { runId, user } = parts;
    return signalProcesses(engine, clock, { containerId, runId, user, signal, timeoutMs: KILL_TIMEOUT_MS, abort });
  }
  function kill(): Promise<string | undefined> {
    return signalAll('KILL', new AbortController().signal);
  }
  async function exitsWithin(ms: number): Promise<boolean> {
    await new Promise<void>((resolve) => {
      const timer = after(ms, resolve, 'sub-agent: stop');
      void exited.promise.then(() => {
        cancel(timer);
        resolve();
      });
    });
    return exited.settled;
  }

  function end(reason: SubAgentExit['reason'], message: string, graceMs: number): Promise<void> {
    ending ??= (async () => {
      if (exited.settled) return;
      ended = { reason, message };
      session.write('stop\n').then(
        () => session.closeStdin(),
        () => session.closeStdin(),
      );
      const untilTerm = Math.floor(graceMs / 2);
      if (await exitsWithin(untilTerm)) return;
      if (untilTerm > 0) {
        const asking = new AbortController();
        const asked = signalAll('TERM', asking.signal);
        const isGone = await exitsWithin(graceMs - untilTerm);
        asking.abort();
        await asked;
        if (isGone) return;
      }
      // Said before it is done, since its end is seen before the end of the shell that killed it.
      ended = { reason, message: `${message} It did not end by itself and was killed.` };
      const failure = await kill();
      if (failure === undefined && (await exitsWithin(GONE_TIMEOUT_MS))) return;
      session.close();
      settle(null, { reason, message: `${message} ${mayLive(failure ?? NOT_FOUND)}` });
    })();
    return ending;
  }

  session.exited.then(
    ({ exitCode }) => onSessionEnd(exitCode),
    (error: unknown) => onSessionEnd(null, error),
  );
  if (readyLine === undefined) after(parts.settleMs, becomeReady, 'sub-agent: settle');

  return {
    get version() {
      return version;
    },
    get hasExited() {
      return exited.settled;
    },
    ready: ready.promise,
    exited: exited.promise,
    lastLine: () => tail.lastLine(),
    end,
    ...(busy && { tellBusy: () => busy.flush() }),
    stop: (graceMs) => end('stopped', 'The sub-agent was told to end.', graceMs),
  };
}

function mayLive(reason: string): string {
  return `It may still run in the container: killing it failed: ${reason}.`;
}
