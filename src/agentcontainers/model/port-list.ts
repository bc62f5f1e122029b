import type { Container, ContainerPort } from './container.ts';

function isAnyOrLoopback(ip: string): boolean {
  return ip === '' || ip === '0.0.0.0' || ip === '::' || ip === '::1' || ip.startsWith('127.');
}

/** Bound ports; on loopback and unspecified addresses the same host to container pair is listed once. */
export function boundPorts(container: Container): readonly ContainerPort[] {
  const seen = new Set<string>();
  return container.ports.filter((port) => {
    if (port.hostPort === undefined) return false;
    if (!isAnyOrLoopback(port.hostIp ?? '')) return true;
    const pair = `${port.hostPort}/${port.port}/${port.network}`;
    if (seen.has(pair)) return false;
    seen.add(pair);
    return true;
  });
}

/** What is wrong with the ports of a listing, as sentences. */
export function portWarnings(containers: readonly Container[]): string[] {
  const warnings = containers.flatMap((container) => container.portWarnings);
  const holders = new Map<number, Set<string>>();
  for (const container of containers) {
    for (const { hostIp, hostPort } of container.ports) {
      if (hostPort === undefined || !isAnyOrLoopback(hostIp ?? '')) continue;
      const names = holders.get(hostPort) ?? new Set();
      holders.set(hostPort, names.add(container.name));
    }
  }
  for (const [port, names] of [...holders].sort(([a], [b]) => a - b)) {
    if (names.size < 2) continue;
    warnings.push(
      `host port ${port} is mapped to multiple containers on different interfaces: ${[...names].sort().join(', ')}`,
    );
  }
  return warnings;
}
