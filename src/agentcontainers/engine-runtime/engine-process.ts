// INVARIANTS
// - `exited` settles once and never rejects; then no timer is left.
// - Whoever ends the command first names the reason.
// - While it runs its output waits for the slowest of its readers.
import { DEFAULT_GRACE_MS } from '../default-grace.ts';
import { randomBytes } from 'node:crypto';
import { createDeferred } from '../../async/deferred.ts';
import type { CommandExit, CommandKind, CommandProcess, CommandSpec, ContainerEngine, OutputChunk } from '../ports.ts';
import type { Clock, Timer } from '../../clock/clock.ts';
import { rfc3339 } from '../../clock/rfc3339.ts';
import { errorMessage, isAgentContainersError } from '../../errors.ts';
import { RUN_ID_VARIABLE, signalProcesses } from './signal-processes.ts';
import { commandLine } from './command-line.ts';
import { withoutRefusal } from './held-beginning.ts';
import { needsResident } from './needs-resident.ts';
import { createOutputLog } from './output-log.ts';
import type { OutputLog } from './output-log.ts';

/** A container, and how commands run in it unless they say otherwise. */
export interface EngineWorld {
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly containerId: string;
  readonly user: string | undefined;
  /** The container workspace folder. */
  readonly workingDir: string;
  /** As the profiles of `user` and the configuration make it: for commands of that user alone. */
  readonly env: Readonly<Record<string, string>>;
  /** As the configuration alone makes it: what one user's profiles say has no say in what another one runs. */
  readonly remoteEnv: Readonly<Record<string, string>>;
}

/** Those that say who the user is: for another one the engine and the shell set them. */
const USER_VARIABLES = ['HOME', 'USER', 'LOGNAME', 'SHELL', 'MAIL'];

function envOf({ user, env, remoteEnv }: EngineWorld, spec: CommandSpec): Readonly<Record<string, string>> {
  if (spec.user === undefined || spec.user === user) return env;
  return Object.fromEntries(Object.entries(remoteEnv).filter(([name]) => !USER_VARIABLES.includes(name)));
}

/** One command over the engine's exec, as long as this daemon lives. */
export interface EngineProcess {
  readonly log: OutputLog;
  readonly exited: Promise<CommandExit>;
  describe(): CommandProcess;
  write(bytes: Uint8Array | string): Promise<void>;
  closeStdin(): void;
  /** TERM, and after the grace KILL, to all that carries its mark. Rejects with `runtime-unavailable` where nothing can do it. */
  kill(graceMs: number, reason?: 'killed' | 'timeout'): Promise<CommandExit>;
  /** The same; where that is not possible it is left alone, and `exited` settles all the same. Never rejects. */
  endOrLeave(graceMs: number, reason: 'killed' | 'timeout'): Promise<void>;
  terminate(): Promise<void>;
  /** Hands each chunk to it from now on. False: the output waits until it says that it has room. */
  addReader(take: (chunk: OutputChunk) => boolean): OutputReader;
}

/** One of those that the output of a command waits for. */
export interface OutputReader {
  hasRoom(): void;
  /** It gets nothing more, and nothing waits for it. */
  remove(): void;
}

const RING_BYTES = 1_048_576;
const SIGNAL_TIMEOUT_MS = 10_000;
/** After KILL, for the engine to see the end. */
const GONE_MS = 5_000;

export async function startEngineProcess(
  world: EngineWorld,
  spec: CommandSpec,
  made: { readonly id: string; readonly kind: CommandKind; readonly signal?: AbortSignal | undefined },
): Promise<EngineProcess> {
  const { engine, clock, containerId } = world;
  const line = commandLine(spec, { workingDir: world.workingDir, env: envOf(world, spec) });
  const runId = randomBytes(16).toString('hex');
  const user = spec.user ?? world.user;
  made.signal?.throwIfAborted();
  const session = await engine.exec({
    ...line,
    containerId,
    env: [...line.env, `${RUN_ID_VARIABLE}=${runId}`],
    user,
    stdin: spec.stdin === true,
  });
  const startedAt = rfc3339(clock.now());
  const log = createOutputLog(spec.ringBytes ?? RING_BYTES);
  const exited = createDeferred<CommandExit>();
  let exit: CommandExit | undefined;
  let endedBy: 'killed' | 'timeout' | undefined;
  const readers = new Set<(chunk: OutputChunk) => boolean>();
  const full = new Set<(chunk: OutputChunk) => boolean>();
  let room = createDeferred<void>();
  let timer: Timer | undefined;
  let written = 0;
  let isStdinOpen = spec.stdin === true;

  /** False: some reader wants no more for now. */
  function take(stream: OutputChunk['stream'], bytes: Uint8Array): boolean {
    const chunk = log.append(stream, bytes);
    for (const reader of readers) if (!reader(chunk)) full.add(reader);
    return full.size === 0;
  }
  function goOnIfFree(): void {
    if (full.size > 0) return;
    room.resolve();
    room = createDeferred();
  }
  async function read(source: AsyncIterable<Uint8Array>, stream: OutputChunk['stream']): Promise<void> {
    try {
      // What is left of it after its end is little, and waits for nobody.
      for await (const bytes of source) if (!take(stream, bytes) && !exit) await room.promise;
    } catch {
      // The session tells how it ended.
    }
  }
  function settle(code: number | null, backgroundHeld: boolean): void {
    if (exit) return;
    const reason = code === null && !endedBy ? 'lost' : (endedBy ?? 'exit');
    exit = { code, signal: null, reason, survivors: [], backgroundHeld, via: 'engine' };
    timer?.stop();
    room.resolve();
    exited.resolve(exit);
  }
  async function send(name: 'TERM' | 'KILL'): Promise<void> {
    const abort = new AbortController().signal;
    const request = { containerId, runId, user, signal: name, timeoutMs: SIGNAL_TIMEOUT_MS, abort };
    const failure = await signalProcesses(engine, clock, request);
    if (failure !== undefined && !exit) throw needsResident('Ending a command', failure);
  }
  async function exitsWithin(ms: number): Promise<void> {
    await new Promise<void>((done) => {
      const limit = clock.afterFunc(ms, done, 'engine-runtime: kill');
      void exited.promise.then(() => {
        limit.stop();
        done();
      });
    });
  }
  async function kill(graceMs: number, reason: 'killed' | 'timeout' = 'killed'): Promise<CommandExit> {
    if (exit) {
      // Others of its tree may run on, and hold its output.
      if (exit.backgroundHeld) await send('KILL');
      return exit;
    }
    const before = endedBy;
    endedBy ??= reason;
    try {
      if (graceMs > 0) {
        await send('TERM');
        await exitsWithin(graceMs);
      }
      // Also when the main process has ended: others of its tree may not have.
      await send('KILL');
    } catch (error) {
      // Nothing was sent: when it ends, it ends by itself.
      endedBy = before;
      throw error;
    }
    await exitsWithin(GONE_MS);
    session.close();
    settle(null, false);
    return exited.promise;
  }

  /** Where nothing can end it, nobody waits for it any more, and it is said that it may run on. */
  async function endOrLeave(graceMs: number, reason: 'killed' | 'timeout'): Promise<void> {
    await kill(graceMs, reason).catch((error: unknown) => {
      take('stderr', Buffer.from(`${errorMessage(error)} It may run on.\n`));
      endedBy ??= reason;
      session.close();
      settle(null, false);
    });
  }

  const process: EngineProcess = {
    log,
    exited: exited.promise,
    addReader(reader) {
      readers.add(reader);
      return {
        hasRoom() {
          full.delete(reader);
          goOnIfFree();
        },
        remove() {
          readers.delete(reader);
          full.delete(reader);
          goOnIfFree();
        },
      };
    },
    describe: () => ({
      id: made.id,
      argv: spec.argv ?? [],
      command: spec.command,
      cwd: line.workingDir,
      user: user ?? '',
      tty: null,
      merged: spec.merged === true,
      kind: made.kind,
      key: spec.key,
      startedAt,
      running: exit === undefined,
      exit,
      via: 'engine',
      output: { start: log.start, end: log.end },
      stdin: spec.stdin === true ? { written, isOpen: isStdinOpen } : undefined,
    }),
    async write(bytes) {
      await session.write(bytes);
      written += typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length;
    },
    closeStdin() {
      isStdinOpen = false;
      session.closeStdin();
    },
    kill,
    endOrLeave,
    terminate: () => send('TERM'),
  };

  const ended = session.exited.then(
    ({ exitCode, outputHeld }) => settle(exitCode, outputHeld),
    (error: unknown) => {
      // The engine took it and could not start it: told as a shell tells it.
      const code = isAgentContainersError(error) ? error.details['exitCode'] : undefined;
      take('stderr', Buffer.from(`${errorMessage(error)}\n`));
      settle(typeof code === 'number' ? code : 126, false);
    },
  );
  const failedToStart = (): Promise<boolean> =>
    session.exited.then(
      () => false,
      () => true,
    );
  const stdout = withoutRefusal(session.stdout, failedToStart, clock);
  void Promise.all([read(stdout, 'stdout'), read(session.stderr, 'stderr'), ended]).then(() => log.close());
  if (spec.timeoutMs !== undefined) {
    timer = clock.afterFunc(
      spec.timeoutMs,
      () => void endOrLeave(spec.graceMs ?? DEFAULT_GRACE_MS, 'timeout'),
      'engine-runtime: time-out',
    );
  }
  return process;
}
