import type { ConfigError } from '../agentcontainers/model/devcontainer.ts';
import type { Instant } from '../clock/clock.ts';
import { readRegularFile } from '../files/read-regular-file.ts';
import { walkPath } from '../files/walk-path.ts';
import { parseStrictJsonc } from './strict-jsonc.ts';

const MAX_BYTES = 1024 * 1024;

/** A devcontainer.json as it is on disk now. */
export type DevcontainerJson =
  | {
      readonly kind: 'valid';
      readonly config: Readonly<Record<string, unknown>>;
      /** Of the file, or of a symbolic link on the way to it. */
      readonly modifiedAt: Instant;
    }
  | { readonly kind: 'invalid'; readonly error: ConfigError }
  | { readonly kind: 'missing' };

/** Reads a devcontainer.json strictly: a regular file, at most 1 MiB, UTF-8. Never throws. */
export async function readDevcontainerJson(configPath: string): Promise<DevcontainerJson> {
  try {
    const file = await readRegularFile(configPath, MAX_BYTES);
    if (file.kind === 'not-regular') return invalid('not a regular file');
    if (file.kind === 'too-large') return invalid('larger than 1 MiB');
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(file.bytes);
    } catch {
      return invalid('not valid UTF-8');
    }
    const parsed = parseStrictJsonc(text);
    if (!parsed.ok) return { kind: 'invalid', error: parsed.error };
    const { links } = await walkPath(configPath);
    // A symbolic link that was made to lead elsewhere counts as a change of the file.
    const modifiedAt = Math.floor(Math.max(file.modifiedAt, ...links.map((link) => link.modifiedAt)));
    return { kind: 'valid', config: parsed.value, modifiedAt };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'missing' };
    return invalid(`it cannot be read (${code ?? 'unknown reason'})`);
  }
}

function invalid(message: string): DevcontainerJson {
  return { kind: 'invalid', error: { message, line: 1, column: 1 } };
}
