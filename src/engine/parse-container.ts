import type { Container, ContainerMount } from '../agentcontainers/model/container.ts';
import type { ContainerDetails } from '../agentcontainers/ports.ts';
import { parsePorts } from './container-ports.ts';
import { containerState, exitCodeOfStatus, statusText } from './container-status.ts';
import { oneLine } from './engine-error.ts';
import { asInteger, asList, asRecord, asText, asTextRecord } from './json-values.ts';
import { parseTimestamp } from './parse-timestamp.ts';

/** One entry of the engine's container listing. `undefined` when it has no id, so that nothing can be said of it. */
export function parseListedContainer(raw: unknown): Container | undefined {
  const entry = asRecord(raw);
  const id = asText(entry['Id']);
  if (!id) return undefined;
  const state = containerState(asText(entry['State']));
  const { ports, warnings } = parsePorts(asList(entry['Ports']));
  return {
    id,
    name: nameOf(asList(entry['Names']).map(asText), id),
    image: asText(entry['Image']),
    imageId: asText(entry['ImageID']),
    labels: asTextRecord(entry['Labels']),
    createdAt: (asInteger(entry['Created']) ?? 0) * 1000,
    state,
    running: state === 'running',
    status: statusText(state, exitCodeOfStatus(asText(entry['Status']))),
    ports,
    mounts: parseMounts(entry['Mounts']),
    portWarnings: warnings,
  };
}

export function parseInspectedContainer(raw: unknown): ContainerDetails | undefined {
  const entry = asRecord(raw);
  const id = asText(entry['Id']);
  if (!id) return undefined;
  const config = asRecord(entry['Config']);
  const now = asRecord(entry['State']);
  const state = containerState(asText(now['Status']));
  const exitCode = asInteger(now['ExitCode']) ?? 0;
  const error = oneLine(asText(now['Error']));
  return {
    id,
    name: nameOf([asText(entry['Name'])], id),
    image: asText(config['Image']),
    imageId: asText(entry['Image']),
    state,
    running: state === 'running',
    status: statusText(state, exitCode, error),
    exitCode,
    oomKilled: now['OOMKilled'] === true,
    error,
    createdAt: parseTimestamp(asText(entry['Created'])),
    startedAt: parseTimestamp(asText(now['StartedAt'])),
    labels: asTextRecord(config['Labels']),
    user: asText(config['User']),
    env: asList(config['Env']).filter((variable) => typeof variable === 'string'),
    hostname: asText(config['Hostname']) || undefined,
    mounts: parseMounts(entry['Mounts']),
  };
}

/** A container has one name of its own, with one slash; names with more slashes are links of other containers to it. */
function nameOf(names: readonly string[], id: string): string {
  const own = names.find((name) => name !== '' && !name.slice(1).includes('/')) ?? '';
  return own.replace(/^\//, '') || id.slice(0, 12);
}

function parseMounts(raw: unknown): ContainerMount[] {
  return asList(raw).flatMap((item) => {
    const mount = asRecord(item);
    const destination = asText(mount['Destination']);
    if (!destination) return [];
    const type = asText(mount['Type']) || 'bind';
    const volume = type === 'volume' ? asText(mount['Name']) : '';
    return [{ type, source: volume || asText(mount['Source']), destination, writable: mount['RW'] !== false }];
  });
}
