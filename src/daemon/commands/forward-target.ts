import { AgentContainersError } from '../../errors.ts';

export interface ForwardTarget {
  /** Absent: the container itself. */
  readonly host?: string;
  readonly port: number;
  /** Absent: the daemon chooses. */
  readonly host_port?: number;
}

const HOST = String.raw`\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?`;
const TARGET = new RegExp(`^(?:(?<own>\\d+):)??(?:(?<host>${HOST}):)?(?<port>\\d+)$`);

/** `port`, `host:port`, `hostPort:port` or `hostPort:host:port`; an IPv6 address stands in brackets. */
export function parseForwardTarget(text: string): ForwardTarget {
  const { own, host, port } = TARGET.exec(text)?.groups ?? {};
  if (port === undefined)
    throw refused(text, 'it is none of <port>, <host>:<port>, <hostPort>:<port>, <hostPort>:<host>:<port>');
  // What is only digits is no host.
  const isOwn = host !== undefined && /^\d+$/.test(host);
  if (isOwn && own !== undefined) throw refused(text, `${host} is no host`);
  const hostPort = isOwn ? host : own;
  return {
    port: portOf(text, port),
    ...(host === undefined || isOwn ? {} : { host: host.replace(/^\[(.*)\]$/, '$1') }),
    ...(hostPort === undefined ? {} : { host_port: portOf(text, hostPort) }),
  };
}

function portOf(text: string, digits: string): number {
  const port = Number(digits);
  if (port < 1 || port > 65_535) throw refused(text, `${digits} is no port; ports lie between 1 and 65535`);
  return port;
}

function refused(text: string, why: string): AgentContainersError {
  return new AgentContainersError('invalid-request', `Reading "${text}" as what to forward failed: ${why}.`);
}
