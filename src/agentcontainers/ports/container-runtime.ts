/**
 * What runs inside one container: commands, terminals, files and ports. The resident serves all of it; the engine's own
 * exec stands in where no resident can run, with the limits that `via: 'engine'` announces.
 */

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

export interface FileStat {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'link' | 'other';
  /** Bytes. */
  readonly size: number;
  /** Octal, e.g. `0644`. */
  readonly mode: string;
  /** RFC 3339. */
  readonly modifiedAt: string;
  readonly uid: number;
  readonly gid: number;
  /** Of a link. */
  readonly target?: string | undefined;
}

export interface FoundLine {
  readonly path: string;
  /** 1-based; only when a text was searched for. */
  readonly line?: number | undefined;
  /** 1-based, in bytes. */
  readonly column?: number | undefined;
  readonly text?: string | undefined;
}

/** The last of what is found, when that is not all. */
export interface FoundMore {
  readonly truncated: true;
}

/**
 * As the user of the resident may. Paths are absolute, or relative to the container workspace folder.
 *
 * `path-not-found`; `command-refused` for what this user may not do, or what is in the way; `invalid-request` for a path that is none.
 */
export interface ContainerFiles {
  /** `undefined` when there is none. A link is shown as itself. */
  stat(path: string, signal?: AbortSignal): Promise<FileStat | undefined>;
  /** At most 10,000 entries, through the engine 500; by name. */
  list(
    path: string,
    signal?: AbortSignal,
  ): Promise<{ readonly entries: readonly FileStat[]; readonly truncated: boolean }>;
  read(
    path: string,
    range?: { readonly offset?: number | undefined; readonly length?: number | undefined },
    signal?: AbortSignal,
  ): Promise<{ readonly size: number; readonly bytes: AsyncIterable<Uint8Array> }>;
  /** Whole or not at all. */
  write(
    path: string,
    content: Uint8Array | AsyncIterable<Uint8Array>,
    options?: { readonly mode?: string; readonly parents?: boolean; readonly createOnly?: boolean },
    signal?: AbortSignal,
  ): Promise<FileStat>;
  mkdir(
    path: string,
    options?: { readonly mode?: string; readonly parents?: boolean },
    signal?: AbortSignal,
  ): Promise<FileStat>;
  move(from: string, to: string, options?: { readonly overwrite?: boolean }, signal?: AbortSignal): Promise<FileStat>;
  /** Gone already: `path-not-found`. */
  remove(path: string, options?: { readonly recursive?: boolean }, signal?: AbortSignal): Promise<void>;
  /** What is found, and at last, where there is more than that, `{ truncated: true }`. */
  search(
    path: string,
    query: { readonly glob?: string; readonly text?: string; readonly limit?: number },
    signal?: AbortSignal,
  ): AsyncIterable<FoundLine | FoundMore>;
}

/** A port that something listens on in the container. TCP. */
export interface ListeningPort {
  readonly port: number;
  /** E.g. `127.0.0.1`, `::`. */
  readonly address: string;
  readonly family: 4 | 6;
  /** Of the program that listens, its name, and the id of the command that it belongs to, as far as they can be seen. */
  readonly pid?: number | undefined;
  readonly name?: string | undefined;
  readonly process?: string | undefined;
}

/** A connection to an address as seen from the container. */
export interface ContainerConnection {
  readonly incoming: AsyncIterable<Uint8Array>;
  /** Resolves when more may be written. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends our direction; the other one goes on. */
  end(): void;
  close(): void;
  readonly closed: Promise<void>;
}

/** `null`: the kernel, or its cgroup, does not tell. */
export interface ContainerStats {
  /** Bytes; `max` is null also where there is no limit. */
  readonly memory: { readonly current: number | null; readonly max: number | null; readonly oomKills: number | null };
  readonly cpu: { readonly usageUsec: number | null };
  readonly pids: { readonly current: number | null; readonly max: number | null };
  /** Of the resident itself, bytes; `null` where there is none, too. */
  readonly residentBytes: number | null;
}

export interface BusyCounts {
  readonly commands: number;
  readonly terminals: number;
}

/** Every call: `devcontainer-not-running` when the container has gone, `runtime-unavailable` when what runs in it cannot be reached. */
export interface ContainerRuntime {
  readonly via: Via;
  /**
   * Runs a command and streams its output. Aborting `signal` ends its whole tree.
   *
   * `invalid-request` for a spec that is none; `command-refused` with the reason in the details: `other-user` (whoever serves
   * it may not start anything as that user), `program-not-found`, `cwd-not-found`, `user-not-found`, or none of these, e.g. for
   * a key of another command.
   */
  exec(spec: CommandSpec, signal?: AbortSignal): Promise<RunningCommand>;
  /** Starts a process that belongs to nobody's connection: a command in the background, or a terminal (with `tty`). As `exec`. */
  spawn(spec: CommandSpec, signal?: AbortSignal): Promise<CommandProcess>;
  processes(signal?: AbortSignal): Promise<readonly CommandProcess[]>;
  /** `process-not-found`, as all that follow with an id. Waits for its end for at most `waitMs`, up to 300,000. */
  process(id: string, options?: { readonly waitMs?: number }, signal?: AbortSignal): Promise<CommandProcess>;
  /** `invalid-request` for an offset beyond the end. */
  output(id: string, query?: OutputQuery): AsyncIterable<OutputChunk>;
  /**
   * With `size` a terminal gets this size (what is not given stays), and where output from `offset` on is no longer kept
   * its program is made to draw its screen anew. A command without a terminal has none, and `readOnly` changes none.
   */
  attach(
    id: string,
    options?: {
      readonly offset?: number | undefined;
      readonly readOnly?: boolean | undefined;
      readonly size?: { readonly width?: number | undefined; readonly height?: number | undefined } | undefined;
    },
    signal?: AbortSignal,
  ): Promise<AttachedProcess>;
  writeStdin(
    id: string,
    bytes: Uint8Array | string,
    options?: { readonly eof?: boolean },
    signal?: AbortSignal,
  ): Promise<void>;
  resize(id: string, size: TerminalSize, signal?: AbortSignal): Promise<void>;
  /** @param name e.g. `SIGINT` or `INT` */
  signal(id: string, name: string, options?: { readonly tree?: boolean }, signal?: AbortSignal): Promise<void>;
  /** Ends the whole tree: TERM, `graceMs` later (at most 60,000) KILL. Resolves when it is gone, or with survivors in its exit. */
  kill(id: string, options?: { readonly graceMs?: number }, signal?: AbortSignal): Promise<CommandProcess>;
  /** Of an ended process. */
  forget(id: string, signal?: AbortSignal): Promise<void>;
  readonly files: ContainerFiles;
  ports(signal?: AbortSignal): Promise<readonly ListeningPort[]>;
  /** Calls `listener` with all of them now and after each change, until the signal aborts. */
  watchPorts(listener: (ports: readonly ListeningPort[]) => void, signal: AbortSignal): Promise<void>;
  /** `connection-refused`: nothing answers there. */
  connect(host: string, port: number, signal?: AbortSignal): Promise<ContainerConnection>;
  stats(signal?: AbortSignal): Promise<ContainerStats>;
}
