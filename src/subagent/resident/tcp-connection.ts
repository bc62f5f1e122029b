import { createDeferred } from '../../async/deferred.ts';
import type { ContainerConnection } from '../../agentcontainers/ports.ts';
import { AgentContainersError } from '../../errors.ts';
import { abandon } from './abandon.ts';
import { FRAME, encodeFrame, encodeFrames } from './frames.ts';
import { createItemPipe } from '../../async/item-pipe.ts';
import { ownBytes } from './own-bytes.ts';
import { readFrames } from './read-frames.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { cutOff } from './resident-errors.ts';
import { writeTo } from './write-body.ts';

const TIMEOUT_MS = 60_000;

/** Connects to an address as seen from the container. The connection goes with that to the agent. */
export async function connectFromContainer(
  agent: ResidentAgent,
  host: string,
  port: number,
  signal: AbortSignal | undefined,
): Promise<ContainerConnection> {
  const doing = `Connecting to ${authority(host, port)} in the container`;
  const path = authority(host, port);
  const { connection, body } = await agent.link.use(
    doing,
    async (connection) => {
      const answer = await connection.open({
        doing,
        method: 'CONNECT',
        path,
        // In frames the end of one direction can be told while the other goes on.
        headers: { 'x-frames': '1' },
        send: () => {},
        timeoutMs: TIMEOUT_MS,
        notFound: 'connection-refused',
        signal,
      });
      return { connection, body: answer.body };
    },
    { signal, mayRepeat: true },
  );
  const closed = createDeferred<void>();
  const incoming = createItemPipe<Uint8Array>(() => body.resume());
  const brokenOff = (): unknown => (signal?.aborted ? signal.reason : cutOff(doing));
  let hasEnded = false;
  readFrames(connection, body, ({ kind, payload }) => {
    if (kind !== FRAME.stdout) throw new Error('a connection has bytes of one kind only');
    // It would be held up by nothing, and without end.
    if (hasEnded) throw new Error('a connection goes on after its end');
    if (payload.length === 0) {
      hasEnded = true;
      incoming.end();
    } else if (!incoming.push(ownBytes(payload), payload.length)) body.pause();
  }).then(() => incoming.fail(brokenOff()), incoming.fail);
  if (body.destroyed) closed.resolve();
  else body.once('close', closed.resolve);

  let previous: Promise<unknown> = Promise.resolve();
  /** After what was written before. */
  function send(frames: Iterable<Buffer>): Promise<void> {
    const sent = previous.then(async () => {
      for (const frame of frames) if (!(await writeTo(body, frame))) throw brokenOff();
    });
    previous = sent.catch(() => {});
    return sent;
  }
  return {
    incoming,
    write: (bytes) => send(encodeFrames(FRAME.stdout, bytes)),
    end() {
      send([encodeFrame(FRAME.stdout, Buffer.alloc(0))]).catch(() => {});
    },
    close() {
      incoming.end();
      abandon(body);
    },
    closed: closed.promise,
  };
}

function authority(host: string, port: number): string {
  if (!/^[A-Za-z0-9._:%-]{1,253}$/.test(host) || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new AgentContainersError(
      'invalid-request',
      `Connecting to a port of the container failed: ${JSON.stringify(host)} and ${port} are no host and port.`,
    );
  }
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
