import type {
  CommandExit,
  CommandKind,
  CommandProcess,
  CommandSpec,
  OutputChunk,
  OutputQuery,
  Via,
} from '../agentcontainers/ports.ts';
import { raceAbort } from '../async/abort.ts';
import type { Clock } from '../clock/clock.ts';
import { rfc3339 } from '../clock/rfc3339.ts';

/** A command that a test plays. */
export interface FakeCommand {
  readonly id: string;
  readonly spec: CommandSpec;
  readonly process: CommandProcess;
  /** Prints. */
  write(text: string | Uint8Array, stream?: OutputChunk['stream']): void;
  /** Ends; with code 0 unless said otherwise. */
  exit(how?: number | Partial<CommandExit>): void;
  /** From now on what it has started survives a kill. */
  leaves(survivors: readonly number[]): void;
  /** What was written to its standard input. */
  readonly stdin: string;
  readonly signals: readonly string[];
  /** The grace, in ms, of each kill that was asked for. */
  readonly kills: readonly (number | undefined)[];
  readonly exited: Promise<CommandExit>;

  input(bytes: Uint8Array | string): void;
  signalled(name: string): void;
  kill(graceMs?: number): CommandExit;
  output(query: OutputQuery): AsyncGenerator<OutputChunk>;
}

export function createFakeCommand(
  spec: CommandSpec,
  made: { readonly id: string; readonly kind: CommandKind; readonly via: Via; readonly clock: Clock },
): FakeCommand {
  const chunks: OutputChunk[] = [];
  const stdin: Uint8Array[] = [];
  const signals: string[] = [];
  const kills: (number | undefined)[] = [];
  const startedAt = rfc3339(made.clock.now());
  let survivors: readonly number[] = [];
  let end = 0;
  let exit: CommandExit | undefined;
  let waiting: (() => void)[] = [];
  let settle: (exit: CommandExit) => void = () => {};
  const exited = new Promise<CommandExit>((resolve) => {
    settle = resolve;
  });
  const timer =
    spec.timeoutMs === undefined
      ? undefined
      : made.clock.afterFunc(
          spec.timeoutMs,
          () => void finish({ code: null, signal: 'SIGKILL', reason: 'timeout' }),
          'command',
        );

  function wake(): void {
    const readers = waiting;
    waiting = [];
    for (const reader of readers) reader();
  }
  function finish(how: Partial<CommandExit>): CommandExit {
    if (exit) return exit;
    timer?.stop();
    exit = { code: 0, signal: null, reason: 'exit', survivors, backgroundHeld: false, via: made.via, ...how };
    settle(exit);
    wake();
    return exit;
  }

  return {
    id: made.id,
    spec,
    get process() {
      return {
        id: made.id,
        argv: spec.argv ?? [],
        command: spec.command,
        cwd: spec.cwd ?? '/workspace',
        user: spec.user ?? 'root',
        tty: spec.tty ?? null,
        merged: spec.merged === true,
        kind: made.kind,
        key: spec.key,
        startedAt,
        running: exit === undefined,
        exit,
        via: made.via,
        output: { start: 0, end },
      };
    },
    write(text, stream = 'stdout') {
      const bytes = Buffer.from(text);
      chunks.push({ stream, offset: end, bytes });
      end += bytes.length;
      wake();
    },
    exit: (how = 0) => void finish(typeof how === 'number' ? { code: how } : how),
    leaves(pids) {
      survivors = pids;
    },
    get stdin() {
      return Buffer.concat(stdin).toString();
    },
    signals,
    kills,
    exited,
    input: (bytes) => void stdin.push(Buffer.from(bytes)),
    signalled: (name) => void signals.push(name),
    kill(graceMs) {
      kills.push(graceMs);
      return finish({ code: null, signal: 'SIGKILL', reason: 'killed' });
    },
    async *output({ offset = 0, follow = false, signal }) {
      for (let at = 0; ; at++) {
        const chunk = chunks[at];
        if (chunk) {
          if (chunk.offset >= offset) yield chunk;
          continue;
        }
        if (!follow || exit) return;
        const changed = new Promise<void>((resolve) => waiting.push(resolve));
        await (signal ? raceAbort(changed, signal) : changed);
        at--;
      }
    },
  };
}
