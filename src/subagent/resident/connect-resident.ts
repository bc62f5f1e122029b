import { createHmac } from 'node:crypto';
import { linkedScope } from '../../async/abort.ts';
import type { ContainerEngine } from '../../agentcontainers/ports.ts';
import type { Clock } from '../../clock/clock.ts';
import { openConnectStream } from './connect-stream.ts';
import { createFrameMeter } from './frame-meter.ts';
import { openResidentConnection } from './resident-connection.ts';
import type { ResidentConnection } from './resident-connection.ts';
import { brokenProtocol, unavailable } from './resident-errors.ts';
import type { Connected } from './resident-link.ts';
import { helloSchema } from './wire.ts';

/** The version of the protocol that we speak. */
export const PROTOCOL = 1;

/** As the agent takes it; snake case. */
export interface Greeting {
  readonly token: string;
  /** Start an agent when there is none. */
  readonly start: boolean;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly workspace?: string | undefined;
  readonly exit_when_alone_ms?: number | undefined;
}

export interface ConnectRequest {
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly containerId: string;
  /** Of the executable in the container. */
  readonly path: string;
  readonly user: string | undefined;
  readonly greeting: Greeting;
  /** Reaches the agent of another binary. */
  readonly digest?: string | undefined;
  /** `KEY=value`, of the program itself and of an agent that it starts. */
  readonly env?: readonly string[] | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** What proves to an agent that it is its daemon that calls. A secret. */
export function residentToken(secret: string, containerId: string): string {
  return createHmac('sha256', secret).update(`resident ${containerId}`).digest('hex');
}

/**
 * Connects to the agent in a container. Rejects with `runtime-unavailable` and the agent's code as `reason` in the
 * details (`wrong-token`, `not-running`, …), with the engine's errors, and as {@link openConnectStream}.
 */
export async function connectResident(request: ConnectRequest): Promise<Connected> {
  const { engine, clock, containerId, path, user, greeting, digest, timeoutMs, signal } = request;
  // The signal is for this call only: the session outlives it.
  const starting = linkedScope(signal);
  let connection: ResidentConnection | undefined;
  const meter = createFrameMeter(() => connection?.fail('it sends frames without end that carry nothing'));
  const connecting = engine
    .exec({
      containerId,
      argv: [path, 'connect', ...(digest === undefined ? [] : ['--digest', digest])],
      user,
      env: request.env,
      workingDir: '/',
      stdin: true,
      signal: starting.signal,
    })
    .then((session) => openConnectStream(session, greeting, { clock, timeoutMs, signal, meter }));
  const { answer, stream } = await connecting.finally(starting.release);
  try {
    const hello = helloSchema.safeParse(answer);
    if (!hello.success) throw brokenProtocol('its answer to the greeting is none that a resident gives');
    if (!hello.data.ok) {
      throw unavailable('Connecting to the resident', hello.data.message, { reason: hello.data.code });
    }
    if (hello.data.protocol !== PROTOCOL) {
      const reason = `it speaks version ${hello.data.protocol} of the protocol, we ${PROTOCOL}`;
      throw unavailable('Connecting to the resident', reason, { reason: 'other-protocol' });
    }
    connection = openResidentConnection(stream, clock);
    return { hello: hello.data, connection };
  } catch (error) {
    stream.destroy();
    throw error;
  }
}
