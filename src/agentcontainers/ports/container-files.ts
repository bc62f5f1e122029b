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
