/** A port of the host, on 127.0.0.1 only, whose connections go to an address as seen from the container. */
export interface PortForward {
  readonly id: string;
  /** As seen from the container. */
  readonly host: string;
  readonly port: number;
  readonly hostPort: number;
  /** `failed`: nothing listens on the host; it is tried again from time to time. */
  readonly status: 'listening' | 'failed';
  /** Of one that failed, one readable text. */
  readonly error?: string | undefined;
}

/** What of it outlives the library. */
export type KnownForward = Pick<PortForward, 'id' | 'host' | 'port' | 'hostPort'>;

/** Of one devcontainer. */
export const MOST_FORWARDS = 64;

/** The longest name that there can be is as long. */
export const LONGEST_HOST = 253;
export const HOST = /^[A-Za-z0-9._:%-]+$/;

/** A name or an address, without brackets around it. */
export function isHost(text: string): boolean {
  return text.length <= LONGEST_HOST && HOST.test(text);
}

export function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 65_535;
}

const NOT_YET = 'It does not listen yet.';

/** Those that can be opened again, each once. What is wrong with one does not take the others along. */
export function restoredForwards(known: readonly KnownForward[]): PortForward[] {
  const forwards = new Map<string, PortForward>();
  for (const { id, host, port, hostPort } of known) {
    if (forwards.size >= MOST_FORWARDS) break;
    if (id === '' || !isHost(host) || !isPort(port) || !isPort(hostPort)) continue;
    forwards.set(id, { id, host, port, hostPort, status: 'failed', error: NOT_YET });
  }
  return [...forwards.values()];
}
