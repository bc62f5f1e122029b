import type { Instant } from '../../clock/clock.ts';
import type { ComposeProject } from '../model/compose-project.ts';
import type { ConfigError, EntryKey } from '../model/devcontainer.ts';
import type { Finding } from '../model/verdict.ts';

/** What a configuration is made of, and what of it a container would be made from. */
export interface ValidConfig {
  readonly kind: 'valid';
  /** SHA-256, hex, over `inputs`. */
  readonly fingerprint: string;
  /**
   * SHA-256, hex, per input: a top-level property of the parsed devcontainer.json by its name; a file by its path
   * relative to the workspace folder with `./` before it, or its absolute path when it lies outside. Comments, white
   * space and key order of JSON and YAML files do not count. A file that is named but cannot be read has the value of
   * its absence.
   */
  readonly inputs: Readonly<Record<string, string>>;
  /** Images that it is built from or runs, as written, after build arguments; their digests are asked of the engine. */
  readonly images: readonly string[];
  /** The parsed devcontainer.json. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The latest of all inputs. */
  readonly modifiedAt: Instant;
  /**
   * By the names of inputs, and of files that decide what the inputs are: what is another text whenever the file was
   * written or exchanged, also when it says the same as before. Without the devcontainer.json itself. Absent: only what
   * files say is known.
   */
  readonly written?: Readonly<Record<string, string>> | undefined;
  /** Set when the container is made by compose; compose files may be named also where it is not. */
  readonly compose?: ComposeProject | undefined;
  /** What it can do to the host, as far as files tell. */
  readonly findings: readonly Finding[];
  /** What could not be looked at, e.g. because there are too many files; one readable sentence each. */
  readonly problems: readonly string[];
}

export type ConfigSnapshot =
  | ValidConfig
  | { readonly kind: 'invalid'; readonly error: ConfigError }
  | { readonly kind: 'missing' };

/** Reads dev container configurations strictly, with all files that they refer to, and finds out which are the same. */
export interface ConfigFiles {
  /** Real paths of both; a path that does not exist is normalised and kept. `configPath` may be relative to the folder. */
  canonicalKey(
    workspaceFolder: string,
    configPath?: string | undefined,
  ): Promise<EntryKey | { readonly configPaths: readonly string[]; readonly folderExists: boolean }>;
  /** The real path of a directory, or `undefined`. */
  realDirectory(path: string): Promise<string | undefined>;
  /**
   * Of a real path what the dev container CLI mounts by itself: the root of the git working tree in which it lies, else
   * the folder itself. Never rejects.
   */
  gitRoot(folder: string): Promise<string>;
  /**
   * A devcontainer.json of at most 1 MiB; a larger one is `invalid`, and so is a configuration whose compose file or
   * Dockerfile cannot be parsed (the error then names that file).
   */
  read(key: EntryKey): Promise<ConfigSnapshot>;
  /** The text of each input, by the keys of `inputs`; canonical JSON for properties; bounded, binary files left out. */
  contents(key: EntryKey): Promise<Readonly<Record<string, string>>>;
  /**
   * Directories to watch so that every change of this configuration is seen: those of all its inputs, and those of
   * symlinks they go through. Bounded.
   */
  watchDirectories(key: EntryKey): Promise<readonly string[]>;
  /**
   * What an image asks for by its label `devcontainer.metadata`, which `up` merges into the configuration, and by labels
   * that its containers inherit.
   * @param options.isCompose compose sets its own labels on the container, whatever the image says
   */
  imageFindings(
    image: string,
    labels: Readonly<Record<string, string>>,
    options?: { readonly isCompose?: boolean | undefined },
  ): readonly Finding[];
}
