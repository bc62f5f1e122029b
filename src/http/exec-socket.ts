// INVARIANTS
// - The tree ends with the connection, unless it was let go of before: by the client, or because the server ends.
// - The client is told of the end after all of the output.
import type { DevcontainerRuntime } from '../agentcontainers/api.ts';
import type { CommandSpec, RunningCommand } from '../agentcontainers/ports.ts';
import { linkedScope } from '../async/abort.ts';
import { createDeferred } from '../async/deferred.ts';
import { cancelled, errorMessage } from '../errors.ts';
import { LIMITS } from './limits.ts';
import type { LiveSocket } from './live-socket.ts';
import { readBody } from './request-input.ts';
import { startBody } from './runtime-wire-schemas.ts';
import { toCommandSpec, toWireProcess } from './runtime-wire.ts';
import { createControls } from './socket-controls.ts';
import { CLOSE, FrameRefusal, parseJsonFrame, readJsonFrame } from './socket-frames.ts';
import type { ClientFrame } from './socket-frames.ts';
import type { ControlFrame } from './socket-schemas.ts';
import { controlFrame } from './socket-schemas.ts';
import { sendCommand, sendError, sendFrame } from './socket-session.ts';
import type { SocketPorts, SocketSession } from './socket-session.ts';
import { takenInput } from './taken-input.ts';
import type { TakenInput } from './taken-input.ts';

/** `/devcontainers/:id/exec`. Rejects with what the upgrade is to be answered with. */
export async function openExecSocket(ports: SocketPorts, id: string, signal: AbortSignal): Promise<SocketSession> {
  const runtime = ports.api.devcontainer(id);
  // Refuses what cannot be served as long as an answer can have a status.
  await runtime.via(signal);
  return execSession(ports, runtime);
}

function execSession({ clock, logger }: SocketPorts, runtime: DevcontainerRuntime): SocketSession {
  const tree = linkedScope();
  const started = createDeferred<RunningCommand>();
  let spec: CommandSpec | undefined;
  let isReleased = false;
  let isInputOver = false;
  let input: TakenInput | undefined;

  async function release(): Promise<void> {
    isReleased = true;
    const detached = started.promise.then(
      async (running) => {
        await input?.settle(clock);
        running.detach();
      },
      () => {},
    );
    // Its start may take longer than the server has.
    if (started.settled) await detached;
  }

  /** Throws at once what is no start, so that no later frame is taken for one. */
  function start(socket: LiveSocket, frame: ClientFrame): Promise<void> {
    if (frame.isBinary) throw new FrameRefusal(CLOSE.refused, 'The first frame must be text: what is to be started.');
    const json = parseJsonFrame(frame.bytes);
    try {
      spec = toCommandSpec(readBody(startBody, json));
    } catch (error) {
      refuse(socket, error);
      return Promise.resolve();
    }
    return runtime.exec(spec, tree.signal).then(started.resolve, (error: unknown) => {
      started.reject(error);
      if (!socket.over.aborted) refuse(socket, error);
    });
  }

  function refuse(socket: LiveSocket, error: unknown): void {
    const status = sendError(socket, error, logger);
    socket.close(status < 500 ? CLOSE.refused : CLOSE.failed, errorMessage(error));
  }

  function write(running: RunningCommand, bytes: Buffer): Promise<void> | void {
    const takesInput = spec?.stdin === true || spec?.tty !== undefined;
    if (bytes.length === 0) {
      if (takesInput && !isInputOver) void Promise.resolve(input?.last).then(() => running.closeStdin());
      isInputOver = true;
      return;
    }
    if (!takesInput) throw new FrameRefusal(CLOSE.refused, 'Standard input was not asked for: start with stdin true.');
    if (isInputOver) throw new FrameRefusal(CLOSE.refused, 'Standard input was at its end already.');
    input ??= takenInput(runtime, () => running.process);
    const written = running.write(bytes).catch((error: unknown) => {
      // A command may end without having read its input.
      logger.debug({ reason: errorMessage(error) }, 'standard input of a command was not taken');
    });
    return input.add(written, bytes.length);
  }

  function listen(socket: LiveSocket, onStart: () => void): void {
    let controls: ReturnType<typeof createControls> | undefined;

    function control(running: RunningCommand, frame: ControlFrame): Promise<void> | void {
      controls ??= createControls({
        runtime,
        process: () => running.process,
        socket,
        logger,
        onDetach() {
          // What was written before is written still.
          void Promise.resolve(input?.last).then(() => running.detach());
          socket.close(CLOSE.normal, 'Detached: the command runs on.');
        },
      });
      return controls(frame);
    }
    socket.listen((frame) => {
      onStart();
      if (!spec) return start(socket, frame);
      const said = frame.isBinary ? undefined : readJsonFrame(controlFrame, frame.bytes);
      // Counts from now on: its client need not stay until it is done.
      if (said?.type === 'detach') isReleased = true;
      // Held back until there is something to take it.
      return started.promise.then(
        (running) => (said ? control(running, said) : write(running, frame.bytes)),
        () => {},
      );
    });
  }

  return {
    mayStopReading: true,
    release,
    async serve(socket) {
      const late = (): void => socket.close(CLOSE.refused, 'No start came.');
      const timer = clock.afterFunc(LIMITS.startMs, late, 'http: start of a command');
      socket.over.addEventListener('abort', () => {
        timer.stop();
        if (!isReleased) tree.abort(cancelled('caller-left'));
        if (!spec) started.reject(cancelled('caller-left'));
      });
      listen(socket, () => void timer.stop());

      const running = await started.promise.catch(() => undefined);
      if (!running || socket.over.aborted) return;
      sendFrame(socket, { type: 'started', process: toWireProcess(running.process) });
      await sendCommand(socket, running, logger, () => {
        // From here on the connection is about its last frame only.
        isReleased = true;
      });
    },
  };
}
