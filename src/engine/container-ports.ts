import type { ContainerPort } from '../agentcontainers/model/container.ts';
import { asInteger, asRecord, asText } from './json-values.ts';

/**
 * The ports of one listed container, bound or not, in a stable order: an engine shuffles them from listing to listing.
 * What cannot be understood becomes a warning.
 */
export function parsePorts(raw: readonly unknown[]): {
  readonly ports: readonly ContainerPort[];
  readonly warnings: readonly string[];
} {
  const ports: ContainerPort[] = [];
  const warnings = new Set<string>();
  for (const entry of raw) {
    const port = parsePort(entry);
    if (port) ports.push(port);
    else warnings.add(`convert docker port: invalid port ${(JSON.stringify(entry) ?? 'undefined').slice(0, 200)}`);
  }
  return { ports: ports.sort(comparePorts), warnings: [...warnings].sort() };
}

function parsePort(entry: unknown): ContainerPort | undefined {
  const { IP, PrivatePort, PublicPort, Type } = asRecord(entry);
  const network = Type === undefined ? 'tcp' : asText(Type).toLowerCase();
  if (network !== 'tcp' && network !== 'udp' && network !== 'sctp') return undefined;
  const port = asInteger(PrivatePort);
  if (port === undefined || port < 1 || port > 65_535) return undefined;
  if (PublicPort === undefined || PublicPort === 0) return { port, network };
  const hostPort = asInteger(PublicPort);
  if (hostPort === undefined || hostPort < 1 || hostPort > 65_535) return undefined;
  const hostIp = asText(IP);
  return hostIp ? { port, network, hostIp, hostPort } : { port, network, hostPort };
}

function comparePorts(a: ContainerPort, b: ContainerPort): number {
  return (
    a.port - b.port ||
    (a.hostPort ?? 0) - (b.hostPort ?? 0) ||
    compareText(a.network, b.network) ||
    compareText(a.hostIp ?? '', b.hostIp ?? '')
  );
}

/** By code point, so that the order does not depend on where this runs; IPv4 comes before `::`. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
