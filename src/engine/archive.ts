import { Readable } from 'node:stream';
import type { ArchiveStat } from '../agentcontainers/ports.ts';
import { isAgentContainersError } from '../errors.ts';
import { failed } from './engine-error.ts';
import { objectPath } from './engine-path.ts';
import type { EngineTransport } from './engine-transport.ts';
import { asInteger, asRecord, asText } from './json-values.ts';
import { sendForJson, sendForStatus, sendExpecting } from './read-reply.ts';

// Bits of the file modes of the Go language, in which the engine answers.
const GO_DIRECTORY = 2 ** 31;
const GO_BITS = [
  { go: 2 ** 23, posix: 0o4000 },
  { go: 2 ** 22, posix: 0o2000 },
  { go: 2 ** 20, posix: 0o1000 },
] as const;

const EMPTY_TAR = Buffer.alloc(1024);

/** `undefined` when there is no such path; `engine-object-not-found` when there is no such container. */
export async function statPath(
  transport: EngineTransport,
  containerId: string,
  path: string,
  signal: AbortSignal,
): Promise<ArchiveStat | undefined> {
  const doing = `Looking at ${JSON.stringify(path)} in container ${containerId.slice(0, 12)}`;
  const archive = objectPath('containers', containerId, 'archive');
  try {
    const reply = await sendExpecting(transport, { doing, method: 'HEAD', path: archive, query: { path }, signal });
    reply.body.destroy();
    const stat = parsePathStat(reply.headers['x-docker-container-path-stat']);
    if (!stat) throw failed('engine-request-failed', doing, 'the engine gave no readable description of the path');
    return stat;
  } catch (error) {
    if (!isAgentContainersError(error, 'engine-object-not-found')) throw error;
    // The answer to HEAD has no text that tells which of the two is missing.
    await sendForJson(transport, { doing, method: 'GET', path: objectPath('containers', containerId, 'json'), signal });
    return undefined;
  }
}

export function parsePathStat(header: unknown): ArchiveStat | undefined {
  let raw: unknown;
  try {
    raw = JSON.parse(Buffer.from(asText(header), 'base64').toString('utf8'));
  } catch {
    return undefined;
  }
  const { name, size, mode } = asRecord(raw);
  const bits = asInteger(mode);
  if (typeof name !== 'string' || bits === undefined || bits < 0) return undefined;
  const has = (bit: number): boolean => Math.floor(bits / bit) % 2 === 1;
  const special = GO_BITS.reduce((sum, { go, posix }) => (has(go) ? sum + posix : sum), 0);
  return { name, size: asInteger(size) ?? 0, mode: special + (bits % 0o1000), isDirectory: has(GO_DIRECTORY) };
}

/**
 * Extracts a tar at `path`, with the owners and modes that it names. An existing directory is never replaced by a file
 * or the other way round. A success says nothing about a path on a tmpfs, where the files do not become visible.
 */
export async function putArchive(
  transport: EngineTransport,
  containerId: string,
  path: string,
  tar: Uint8Array | AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const source =
    tar instanceof Uint8Array ? Buffer.from(tar.buffer, tar.byteOffset, tar.byteLength) : Readable.from(tar);
  const put = (body: Buffer | Readable): Promise<number> =>
    sendForStatus(transport, {
      doing: `Copying to ${JSON.stringify(path)} in container ${containerId.slice(0, 12)}`,
      method: 'PUT',
      path: objectPath('containers', containerId, 'archive'),
      query: { path, noOverwriteDirNonDir: 'true' },
      tar: body,
      signal,
    });
  try {
    await put(source);
  } catch (error) {
    // An engine that refuses does not read a large archive to its end and closes the connection, which can reach us
    // before its answer does. It refuses an empty archive for the same reason, with an answer that can be read.
    if (isAgentContainersError(error, 'engine-unreachable')) await put(EMPTY_TAR);
    throw error;
  } finally {
    // Not read to its end when the engine refuses early.
    if (source instanceof Readable) source.destroy();
  }
}
