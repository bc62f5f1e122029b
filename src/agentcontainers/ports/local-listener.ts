import type { ContainerConnection } from './container-runtime.ts';

/**
 * A connection that a program of the host has opened. `close` is seen by it as a broken connection, not as the end of
 * what was sent.
 */
export type LocalConnection = ContainerConnection;

export interface LocalListening {
  /** On 127.0.0.1. */
  readonly port: number;
  /** Settles once and never rejects: with what went wrong, or with nothing after `close`. */
  readonly ended: Promise<Error | undefined>;
  /** Ends its connections, too. Idempotent. Resolves when the port is free again. */
  close(): Promise<void>;
}

/** Listens for connections of programs of this host, and of no others. TCP on 127.0.0.1. */
export interface LocalListener {
  /**
   * @param port 0: any that is free
   * @param accept takes each connection; nothing of it is read before
   *
   * `port-taken`; `listen-failed` for whatever else prevents it.
   */
  listen(port: number, accept: (connection: LocalConnection) => void): Promise<LocalListening>;
}
