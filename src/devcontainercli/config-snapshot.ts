import type { ConfigSnapshot } from '../agentcontainers/ports.ts';
import { readRegularFile } from '../files/read-regular-file.ts';
import { walkPath } from '../files/walk-path.ts';
import { canonicalHash } from './canonical-json.ts';
import { parseStrictJsonc } from './strict-jsonc.ts';

const MAX_BYTES = 1024 * 1024;

/** Reads a devcontainer.json strictly: a regular file, at most 1 MiB, UTF-8. Never throws. */
export async function readConfigFile(configPath: string): Promise<ConfigSnapshot> {
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
    return {
      kind: 'valid',
      fingerprint: canonicalHash(parsed.value),
      properties: Object.fromEntries(Object.entries(parsed.value).map(([name, value]) => [name, canonicalHash(value)])),
      config: parsed.value,
      // A symbolic link that was made to lead elsewhere counts as a change of the file.
      modifiedAt: Math.floor(Math.max(file.modifiedAt, ...links.map((link) => link.modifiedAt))),
    };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'missing' };
    return invalid(`it cannot be read (${code ?? 'unknown reason'})`);
  }
}

function invalid(message: string): ConfigSnapshot {
  return { kind: 'invalid', error: { message, line: 1, column: 1 } };
}
