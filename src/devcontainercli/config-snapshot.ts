import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import type { ConfigSnapshot } from '../agentcontainers/ports.ts';
import { canonicalHash } from './canonical-json.ts';
import { parseStrictJsonc } from './strict-jsonc.ts';
import { symlinksOf } from './symlinks.ts';

const MAX_BYTES = 1024 * 1024;

/** Reads a devcontainer.json strictly: a regular file, at most 1 MiB, UTF-8. Never throws. */
export async function readConfigFile(configPath: string): Promise<ConfigSnapshot> {
  let file: FileHandle | undefined;
  try {
    // Not blocking, so that a pipe with that name cannot hold us up before we see what it is.
    file = await open(configPath, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = await file.stat();
    if (!status.isFile()) return invalid('not a regular file');
    const bytes = await readAtMost(file, status.size, MAX_BYTES + 1);
    if (bytes.length > MAX_BYTES) return invalid('larger than 1 MiB');
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      return invalid('not valid UTF-8');
    }
    const parsed = parseStrictJsonc(text);
    if (!parsed.ok) return { kind: 'invalid', error: parsed.error };
    const links = await symlinksOf(configPath);
    return {
      kind: 'valid',
      fingerprint: canonicalHash(parsed.value),
      properties: Object.fromEntries(Object.entries(parsed.value).map(([name, value]) => [name, canonicalHash(value)])),
      config: parsed.value,
      // A symbolic link that was made to lead elsewhere counts as a change of the file.
      modifiedAt: Math.floor(Math.max(status.mtimeMs, ...links.map((link) => link.modifiedAt))),
    };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'missing' };
    return invalid(`it cannot be read (${code ?? 'unknown reason'})`);
  } finally {
    await file?.close().catch(() => {});
  }
}

/** Takes little more memory than the file is large: a pass can read a thousand configurations at the same time. */
async function readAtMost(file: FileHandle, expected: number, max: number): Promise<Buffer> {
  // One byte more than expected, to see the end of the file.
  let buffer = Buffer.allocUnsafe(Math.min(max, expected + 1));
  let length = 0;
  while (length < max) {
    if (length === buffer.length) buffer = Buffer.concat([buffer], Math.min(max, 2 * length));
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

function invalid(message: string): ConfigSnapshot {
  return { kind: 'invalid', error: { message, line: 1, column: 1 } };
}
