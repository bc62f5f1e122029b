// INVARIANTS
// - A terminal waits for no viewer, and no viewer for another one.
// - The same key comes to the same terminal, also when several ask at the same time.
import type { DevcontainerRuntime } from '../agentcontainers/api.ts';
import type { AttachedProcess, CommandProcess, TerminalSize } from '../agentcontainers/ports.ts';
import { linkedScope } from '../async/abort.ts';
import { AgentContainersError, errorMessage, isAgentContainersError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { LOGIN_SHELL } from './login-shell.ts';
import { LIMITS } from './limits.ts';
import type { LiveSocket } from './live-socket.ts';
import { createResizer } from './socket-controls.ts';
import { CLOSE, readJsonFrame } from './socket-frames.ts';
import type { PtyQuery } from './socket-schemas.ts';
import { ptyFrame } from './socket-schemas.ts';
import { detachAfter } from './socket-session.ts';
import type { SocketPorts, SocketSession } from './socket-session.ts';
import { takenInput } from './taken-input.ts';

const DEFAULT_SIZE: TerminalSize = { width: 80, height: 24 };

/** `/devcontainers/:id/pty`. Rejects with what the upgrade is to be answered with. */
export async function openPtySocket(
  { api, clock, logger }: SocketPorts,
  id: string,
  query: PtyQuery,
  signal: AbortSignal,
): Promise<SocketSession> {
  const runtime = api.devcontainer(id);
  const terminal = await findOrStart(runtime, query, signal);
  const asked = query.offset ?? 0;
  // Beyond its end: it was said of another terminal, which had this key before the container was started again.
  const offset = asked > terminal.output.end ? 0 : asked;
  const scope = linkedScope(signal);
  const { width, height } = query;
  const attached = await runtime.attach(terminal.id, { offset, size: { width, height } }, scope.signal);
  // From now on its connection decides.
  scope.release();
  const { offset: from } = attached;
  return {
    mayStopReading: false,
    // For those that can read them: a frame of text would end up on the screen.
    headers: { 'agentcontainers-process': terminal.id, 'agentcontainers-offset': String(from) },
    release: async () => attached.detach(),
    async serve(socket) {
      const input = takenInput(runtime, () => attached.process);
      socket.over.addEventListener('abort', () => void detachAfter(input, attached, clock));
      // What is only typed waits for a program that reads, which may be long.
      listen(socket, runtime, attached, logger, (written) => void input.add(written, 0));
      await show(socket, attached, { from, isCounting: query.offset !== undefined }, logger);
    },
  };
}

async function findOrStart(
  runtime: DevcontainerRuntime,
  query: PtyQuery,
  signal: AbortSignal,
): Promise<CommandProcess> {
  const { reconnect: key, command, container_user: user } = query;
  async function find(): Promise<CommandProcess | undefined> {
    const known = (await runtime.processes(signal)).filter((process) => process.key === key);
    return known.find(({ running }) => running) ?? known[0];
  }
  /** Of one that has ended only a viewer that knows it, by its offset, wants the rest. Its key is free again. */
  async function replace(ended: CommandProcess): Promise<CommandProcess> {
    await runtime.forget(ended.id, signal).catch((error: unknown) => {
      // Somebody else did the same meanwhile.
      if (!isAgentContainersError(error, 'process-not-found')) throw error;
    });
    return start();
  }

  async function start(): Promise<CommandProcess> {
    const tty = sizeOf(query, DEFAULT_SIZE);
    try {
      return await runtime.spawn(
        { ...(command === undefined ? { argv: LOGIN_SHELL } : { command }), user, tty, key, overflow: 'drop' },
        signal,
      );
    } catch (error) {
      // Somebody else started it meanwhile, with another command.
      const other = isAgentContainersError(error, 'command-refused') ? await find() : undefined;
      if (other) return other;
      throw error;
    }
  }
  const known = await find();
  const isOver = known?.tty && !known.running && query.offset === undefined;
  const process = isOver ? await replace(known) : (known ?? (await start()));
  if (process.tty) return process;
  throw new AgentContainersError(
    'command-refused',
    'Opening the terminal failed: the value of reconnect is the key of a command without a terminal. Give another one.',
  );
}

function listen(
  socket: LiveSocket,
  runtime: DevcontainerRuntime,
  attached: AttachedProcess,
  logger: Logger,
  onWrite: (written: Promise<void>) => void,
): void {
  const debug = (error: unknown): void => logger.debug({ reason: errorMessage(error) }, 'a terminal took no input');
  const resize = createResizer((size) => runtime.resize(attached.process.id, size), debug);
  let size = attached.process.tty ?? DEFAULT_SIZE;

  // Some clients send the same JSON in binary frames.
  socket.listen(({ bytes }) => {
    const frame = readJsonFrame(ptyFrame, bytes, LIMITS.socketFrameBytes);
    if (frame.width !== undefined || frame.height !== undefined) {
      size = sizeOf(frame, attached.process.tty ?? size);
      resize(size);
    }
    // Of what has ended nobody reads input any more; its viewer is told by the end of the connection.
    if (!frame.data) return undefined;
    const written = attached.write(frame.data).catch(debug);
    onWrite(written);
    return written;
  });
}

/** Sends what is on the screen and what comes, as long as the viewer keeps up. */
async function show(
  socket: LiveSocket,
  attached: AttachedProcess,
  /** Who gives offsets counts bytes, and would go wrong where some are missing. */
  { from, isCounting }: { readonly from: number; readonly isCounting: boolean },
  logger: Logger,
): Promise<void> {
  let next = from;
  try {
    for await (const { offset, bytes } of attached.output) {
      if (socket.over.aborted) return;
      if (isCounting && offset > next) {
        socket.close(CLOSE.tooSlow, `Output was not kept until it came here. Come back with offset=${offset}.`);
        return;
      }
      socket.sendBytes(bytes);
      next = offset + bytes.length;
      if (socket.backlog <= LIMITS.viewerBytes) continue;
      logger.info({ waitingBytes: socket.backlog }, 'dropped a viewer of a terminal that does not keep up');
      socket.close(CLOSE.tooSlow, `Too slow for the terminal. Come back with offset=${next}.`);
      return;
    }
  } catch (error) {
    if (!socket.over.aborted) socket.close(CLOSE.failed, errorMessage(error));
    return;
  }
  if (socket.over.aborted) return;
  const { code, signal, reason } = await attached.exited;
  const how = code === null ? (signal ?? reason) : `exit code ${code}`;
  socket.close(CLOSE.normal, `The terminal has ended: ${how}.`);
}

function sizeOf(
  { width, height }: { readonly width?: number | undefined; readonly height?: number | undefined },
  fallback: TerminalSize,
): TerminalSize {
  return { width: width ?? fallback.width, height: height ?? fallback.height };
}
