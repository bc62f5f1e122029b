import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asRecord, asText } from './json-values.ts';

/** What the docker command line's own files say of a context. */
export type DockerContext =
  | { readonly kind: 'found'; readonly address: string; readonly tlsDirectory?: string | undefined }
  | { readonly kind: 'unreadable'; readonly detail: string };

const MAX_FILE_BYTES = 1024 * 1024;

/** The name of the current context in `config.json`, or `undefined` when none is set or the file cannot be read. */
export async function currentContextName(configDirectory: string): Promise<string | undefined> {
  const config = await readJson(join(configDirectory, 'config.json')).catch(() => undefined);
  return asText(asRecord(config)['currentContext']) || undefined;
}

/** Reads a context's endpoint from its meta file. No docker command is run. */
export async function readContext(configDirectory: string, name: string): Promise<DockerContext> {
  // The command line names the folders after the digest of the context's name, so a name cannot lead out of them.
  const folder = createHash('sha256').update(name).digest('hex');
  const metaFile = join(configDirectory, 'contexts', 'meta', folder, 'meta.json');
  let meta: unknown;
  try {
    meta = await readJson(metaFile);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { kind: 'unreadable', detail: missing ? `no such context (${metaFile})` : `${metaFile} cannot be read` };
  }
  const endpoint = asRecord(asRecord(asRecord(meta)['Endpoints'])['docker']);
  const address = asText(endpoint['Host']);
  if (!address) return { kind: 'unreadable', detail: `${metaFile} names no docker endpoint` };
  const tlsDirectory = join(configDirectory, 'contexts', 'tls', folder, 'docker');
  return (await isDirectory(tlsDirectory)) ? { kind: 'found', address, tlsDirectory } : { kind: 'found', address };
}

async function readJson(path: string): Promise<unknown> {
  const { size } = await stat(path);
  if (size > MAX_FILE_BYTES) throw new Error('the file is too large');
  return JSON.parse(await readFile(path, 'utf8')) as unknown;
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
