/** Build and lifecycle logs, one per devcontainer, append only. */
export interface LogSink {
  /** Current length in bytes. */
  size(devcontainerId: string): Promise<number>;
  append(devcontainerId: string, text: string): void;
  /** From `offset` to the end, and on while `follow`, until `signal` aborts. */
  read(
    devcontainerId: string,
    query: { readonly offset: number; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<{ readonly offset: number; readonly text: string }>;
  remove(devcontainerId: string): Promise<void>;
}
