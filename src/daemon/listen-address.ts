import { isIP } from 'node:net';

export interface ListenAddress {
  /** Without brackets. */
  readonly host: string;
  /** 0: a free port, chosen by the system. */
  readonly port: number;
}

/**
 * Reads `host:port`, `:port`, `port`, `[v6]:port` or `host`. The host defaults to 127.0.0.1 and the port to a free one.
 * Throws an Error whose message says what is allowed.
 */
export function parseListenAddress(text: string): ListenAddress {
  const trimmed = text.trim();
  const wrong = new Error(
    'An address is host:port, such as 127.0.0.1:7420, [::1]:7420 or :7420 (port 0: any free port).',
  );
  if (trimmed === '') throw wrong;
  if (/^\d+$/.test(trimmed)) return { host: '127.0.0.1', port: parsePort(trimmed) };
  if (isIP(trimmed) !== 0) return { host: trimmed, port: 0 };
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s/]*))(?::(\d+))?$/.exec(trimmed);
  if (match === null || (match[1] !== undefined && isIP(match[1]) !== 6)) throw wrong;
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '' ? '127.0.0.1' : host, port: match[3] === undefined ? 0 : parsePort(match[3]) };
}

function parsePort(text: string): number {
  const port = Number(text);
  if (port > 65_535) throw new Error('A port lies between 0 and 65535.');
  return port;
}

/** True only for addresses that no other machine can reach. A name other than `localhost` is not trusted to be one. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

export function formatAddress(address: ListenAddress): string {
  return isIP(address.host) === 6 ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
