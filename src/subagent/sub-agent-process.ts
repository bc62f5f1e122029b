// INVARIANTS
// - `exited` settles exactly once and never rejects; once it has, no timer and no listener is left.
// - Whoever ends the process first names the reason; later requests to end it wait for the same end.
// - One watchdog timer per process, however many lines it writes; output is always read, whatever it is.
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
import { classifyExit } from './classify-exit.ts';
import { createOutputTail } from './output-tail.ts';
import { createLineSplitter } from './split-lines.ts';

export interface SupervisedProcess extends SubAgentProcess {
  /** Resolves when it is ready. Stays pending when it ends before. */
  readonly ready: Promise<void>;
  readonly hasExited: boolean;
  /** The last line it wrote that says something. */
  lastLine(): string;
  /** Ends it for this reason: asks, waits, drops. */
  end(reason: SubAgentExit['reason'], message: string, graceMs: number): Promise<void>;
}

export interface SupervisedProcessParts {
  readonly session: ExecSession;
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly containerId: string;
  readonly binary: Pick<SubAgentBinary, 'readyLine' | 'heartbeat'>;
  /** Without a ready line it counts as ready when it lived for so long. */
  readonly settleMs: number;
  readonly secrets: readonly string[];
}

const MAX_LINE_BYTES = 8_192;
/** For output that is still on its way after the end. */
const DRAIN_MS = 500;
const HEARTBEAT_LOST_GRACE_MS = 1_000;

export function superviseProcess(parts: SupervisedProcessParts): SupervisedProcess {
  const { session, engine, clock, containerId, binary } = parts;
  const { heartbeat } = binary;
  const tail = createOutputTail(parts.secrets);
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
    exited.resolve({ ...why, exitCode, outputTail: tail.text() });
  }

  // --- output

  const readyPrefix = binary.readyLine === undefined ? undefined : Buffer.from(binary.readyLine);
  const beatPrefix = heartbeat && Buffer.from(heartbeat.line);

  function onStdoutLine(line: Uint8Array): void {
    if (beatPrefix && startsWith(line, beatPrefix)) return onBeat();
    if (readyPrefix && !ready.settled && startsWith(line, readyPrefix)) {
      version = /^\s*(v?\d+\.\d+[\w.+-]{0,60})/.exec(Buffer.from(line.subarray(readyPrefix.length)).toString())?.[1];
      becomeReady();
    }
    tail.add(line);
  }
  async function read(stream: AsyncIterable<Uint8Array>, onLine: (line: Uint8Array) => void): Promise<void> {
    const splitter = createLineSplitter(MAX_LINE_BYTES, onLine);
    try {
      for await (const chunk of stream) splitter.push(chunk);
    } catch {
      // How it ended is told by the session.
    }
    splitter.end();
  }
  const outputRead = Promise.all([read(session.stdout, onStdoutLine), read(session.stderr, (line) => tail.add(line))]);

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
    settle(exitCode, await classifyExit(engine, clock, containerId, exitCode));
  }

  function end(reason: SubAgentExit['reason'], message: string, graceMs: number): Promise<void> {
    ending ??= (async () => {
      if (exited.settled) return;
      ended = { reason, message };
      session.write('stop\n').then(
        () => session.closeStdin(),
        () => session.closeStdin(),
      );
      await new Promise<void>((resolve) => {
        const timer = after(graceMs, resolve, 'sub-agent: stop');
        void exited.promise.then(() => {
          cancel(timer);
          resolve();
        });
      });
      session.close();
      settle(null, ended);
    })();
    return ending;
  }

  session.exited.then(
    ({ exitCode }) => onSessionEnd(exitCode),
    (error: unknown) => onSessionEnd(null, error),
  );
  if (!readyPrefix) after(parts.settleMs, becomeReady, 'sub-agent: settle');

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
    stop: (graceMs) => end('stopped', 'The sub-agent was told to end.', graceMs),
  };
}

function startsWith(line: Uint8Array, prefix: Uint8Array): boolean {
  if (line.length < prefix.length) return false;
  return prefix.every((byte, index) => line[index] === byte);
}
