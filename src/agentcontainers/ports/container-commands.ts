/** Commands and terminals in a container. */

export type Via = 'resident' | 'engine';

export interface TerminalSize {
  /** Columns and rows, 1 to 10,000. */
  readonly width: number;
  readonly height: number;
}

export interface CommandSpec {
  /** Exactly one of `argv` and `command`, a line for the user's shell. Neither may be empty. */
  readonly argv?: readonly string[] | undefined;
  readonly command?: string | undefined;
  /** Absolute, or relative to the container workspace folder, which is the default. */
  readonly cwd?: string | undefined;
  /** Merged over the remote environment of the devcontainer; `null` removes a variable. */
  readonly env?: Readonly<Record<string, string | null>> | undefined;
  /** Name or `uid[:gid]`. Default: the remote user. */
  readonly user?: string | undefined;
  readonly tty?: TerminalSize | undefined;
  /** One pipe for both outputs, so that their order is kept. Default: apart. */
  readonly merged?: boolean | undefined;
  /** Keep standard input open for writing. Default: it is at its end. */
  readonly stdin?: boolean | undefined;
  /** Milliseconds after which the whole tree is ended, with the reason `timeout`; at most 24 days. Default: never. */
  readonly timeoutMs?: number | undefined;
  /** Milliseconds between TERM and KILL, at most 60,000. Default 2,000. */
  readonly graceMs?: number | undefined;
  /** A second start with this key, of at most 256 bytes, returns the first one's process. */
  readonly key?: string | undefined;
  /**
   * What happens to output that nobody read and that there is no room for: the oldest goes (`spawn`'s default), the command
   * waits for its reader (`exec`'s), or the oldest goes to a file in the container, up to 1 GiB.
   */
  readonly overflow?: 'drop' | 'block' | 'spill' | undefined;
  /** Bytes of output that are kept, 64 KiB to 64 MiB. Default 1 MiB; with `block` 2 MiB at least. */
  readonly ringBytes?: number | undefined;
}

export interface CommandExit {
  /** `null` when a signal ended it, or when nobody knows. */
  readonly code: number | null;
  /** E.g. `SIGKILL`. */
  readonly signal: string | null;
  /** `lost`: the container, or what ran it there, went before the end could be told. */
  readonly reason: 'exit' | 'signal' | 'timeout' | 'oom' | 'killed' | 'lost';
  /** Process ids, in the container, of what could not be ended, or was left since it may be of another command. */
  readonly survivors: readonly number[];
  /** Its main process has ended, and children of it still hold its output. */
  readonly backgroundHeld: boolean;
  readonly via: Via;
}

export type CommandKind = 'exec' | 'terminal' | 'background';

export interface CommandProcess {
  /** Unique in its container, also among those that have ended. */
  readonly id: string;
  /** In the container. `undefined` where the engine does not tell. */
  readonly pid?: number | undefined;
  readonly argv: readonly string[];
  readonly command?: string | undefined;
  readonly cwd: string;
  readonly user: string;
  readonly tty: TerminalSize | null;
  readonly merged: boolean;
  readonly kind: CommandKind;
  readonly key?: string | undefined;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly running: boolean;
  readonly exit?: CommandExit | undefined;
  readonly via: Via;
  /**
   * Bytes: the oldest that is still kept, and all there were so far. `isStalled`: it stands still, since that is full and
   * nobody reads; `attach` does.
   */
  readonly output: { readonly start: number; readonly end: number; readonly isStalled?: boolean | undefined };
  /** Of one that has it: the bytes that were written to it so far, by whomever, and whether more may be. */
  readonly stdin?: { readonly written: number; readonly isOpen: boolean } | undefined;
}

export interface OutputChunk {
  /** A terminal's and merged output are `stdout`. */
  readonly stream: 'stdout' | 'stderr';
  /** Of the first byte, counted over both streams in the order in which they were read. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface OutputQuery {
  /** First byte wanted; older than what is kept: begins with the oldest that is. Default 0. */
  readonly offset?: number | undefined;
  /** Go on until the process has ended, instead of ending at what is there now. */
  readonly follow?: boolean | undefined;
  /** Without `follow`: wait at most so many milliseconds for the first byte after `offset`. */
  readonly waitMs?: number | undefined;
  /** At most so many bytes. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A command that runs, with its streams. */
export interface RunningCommand {
  readonly process: CommandProcess;
  readonly via: Via;
  /** Everything it writes, in order, without loss: a slow reader slows the command down. One reader. */
  readonly output: AsyncIterable<OutputChunk>;
  /** Rejects when it has ended, or when stdin was not asked for. Resolves when more may be written. */
  write(bytes: Uint8Array | string): Promise<void>;
  closeStdin(): void;
  resize(size: TerminalSize): Promise<void>;
  /** Ends the whole tree. Idempotent. Resolves when it is gone, or with its survivors. */
  kill(graceMs?: number): Promise<CommandExit>;
  /** Lets it run on and closes the streams. */
  detach(): void;
  /** Settles once and never rejects. */
  readonly exited: Promise<CommandExit>;
}

/** A view of a process that outlives the view: a terminal, or a command that runs in the background. */
export interface AttachedProcess {
  readonly process: CommandProcess;
  /**
   * Where `output` begins: where it was asked for, or later where that is no longer kept; of a terminal then with the first
   * line feed or escape.
   */
  readonly offset: number;
  /** From the offset asked for, then live. One reader. Ends with the process, or with `detach`. */
  readonly output: AsyncIterable<OutputChunk>;
  write(bytes: Uint8Array | string): Promise<void>;
  /** After what was written before. */
  closeStdin(): void;
  resize(size: TerminalSize): Promise<void>;
  detach(): void;
  readonly exited: Promise<CommandExit>;
}
