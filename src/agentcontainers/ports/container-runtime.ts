import type {
  AttachedProcess,
  CommandProcess,
  CommandSpec,
  OutputChunk,
  OutputQuery,
  RunningCommand,
  TerminalSize,
  Via,
} from './container-commands.ts';
import type { ContainerFiles } from './container-files.ts';

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

/**
 * What runs inside one container: commands, terminals, files and ports. The resident serves all of it; the engine's own
 * exec stands in where no resident can run, with the limits that `via: 'engine'` announces.
 *
 * Every call: `devcontainer-not-running` when the container has gone, `runtime-unavailable` when what runs in it cannot be
 * reached, and when only the resident could do it: with the reason `resident-needed` in the details.
 */
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
  /** Calls `listener` with all of them now and after each change, until the signal aborts. Rejects with what it throws. */
  watchPorts(listener: (ports: readonly ListeningPort[]) => void, signal: AbortSignal): Promise<void>;
  /** `connection-refused`: nothing answers there. */
  connect(host: string, port: number, signal?: AbortSignal): Promise<ContainerConnection>;
  stats(signal?: AbortSignal): Promise<ContainerStats>;
}
