import type { Instant } from '../../clock/clock.ts';
import type { ConfigError, EntryKey } from '../model/devcontainer.ts';

export type ConfigSnapshot =
  | {
      readonly kind: 'valid';
      /** SHA-256, hex, over the parsed value; comments, white space and key order do not count. */
      readonly fingerprint: string;
      /** SHA-256, hex, per top-level property; tells which property differs. */
      readonly properties: Readonly<Record<string, string>>;
      readonly config: Readonly<Record<string, unknown>>;
      readonly modifiedAt: Instant;
    }
  | { readonly kind: 'invalid'; readonly error: ConfigError }
  | { readonly kind: 'missing' };

/** Reads devcontainer.json files strictly, and finds out which files are the same. */
export interface ConfigFiles {
  /** Real paths of both; a path that does not exist is normalised and kept. `configPath` may be relative to the folder. */
  canonicalKey(
    workspaceFolder: string,
    configPath?: string | undefined,
  ): Promise<EntryKey | { readonly configPaths: readonly string[]; readonly folderExists: boolean }>;
  /** The real path of a directory, or `undefined`. */
  realDirectory(path: string): Promise<string | undefined>;
  /** At most 1 MiB; a larger one is `invalid`. */
  read(configPath: string): Promise<ConfigSnapshot>;
  /** Directories to watch so that every change of this config is seen: its own and those of symlinks it goes through. */
  watchDirectories(key: EntryKey): Promise<readonly string[]>;
}
