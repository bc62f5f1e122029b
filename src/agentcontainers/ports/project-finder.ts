import type { EntryKey } from '../model/devcontainer.ts';

export interface FoundProjects {
  /** Every configuration at the three places of the specification, of the root itself and of each project below it. */
  readonly keys: readonly EntryKey[];
  /** Directories in which a project or configuration may appear or go; bounded. */
  readonly watchDirectories: readonly string[];
  /** Set when a bound was reached, so that there may be more; one readable sentence. */
  readonly truncated?: string | undefined;
}

/** Finds dev container configurations below a folder. */
export interface ProjectFinder {
  /**
   * The root and each project below it: a directory that holds `.git`, a directory or a file. What git ignores is not
   * entered; symlinks are not followed. Bounded in depth, directories and time. Never runs a program.
   */
  find(root: string, signal: AbortSignal): Promise<FoundProjects>;
}
