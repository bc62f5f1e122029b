import { BlockList, isIP } from 'node:net';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** True for addresses that no other machine can reach. */
export function isLoopbackAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && loopback.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

export interface HostHeader {
  /** Lower case, without brackets and without a final dot. */
  readonly name: string;
  readonly port: string | undefined;
}

/** `undefined` when it is not the name or address of a host with an optional port. */
export function parseHostHeader(header: string): HostHeader | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(header);
  const name = match?.[1] ?? match?.[2]?.replace(/\.$/, '');
  return name ? { name: name.toLowerCase(), port: match?.[3] } : undefined;
}

/** True for what every program on this machine can serve under: loopback addresses, `localhost`, names below it. */
export function isLocalName(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost') || isLoopbackAddress(name);
}

/**
 * True for names under which a page can only have been loaded from this machine, and for those in `allowed` (`name` or
 * `name:port`). Any other name may be one that an attacker let point here. Nobody can own a name under `localhost`.
 */
export function isAllowedHost(header: string | undefined, allowed: ReadonlySet<string>): boolean {
  const host = header === undefined ? undefined : parseHostHeader(header);
  if (!host) return false;
  if (isLocalName(host.name)) return true;
  return allowed.has(host.name) || (host.port !== undefined && allowed.has(`${host.name}:${host.port}`));
}
