import { linkedScope } from '../async/abort.ts';
import { errorMessage } from '../errors.ts';
import { invalid } from './request-input.ts';
import { toWireProcess } from './runtime-wire.ts';
import { createControls, ONLY_WATCHES } from './socket-controls.ts';
import { CLOSE, FrameRefusal, readJsonFrame } from './socket-frames.ts';
import type { AttachQuery } from './socket-schemas.ts';
import { controlFrame } from './socket-schemas.ts';
import { detachAfter, sendCommand, sendFrame } from './socket-session.ts';
import type { SocketPorts, SocketSession } from './socket-session.ts';
import { takenInput } from './taken-input.ts';

/** `/devcontainers/:id/processes/:process/attach`. Rejects with what the upgrade is to be answered with. */
export async function openAttachSocket(
  { api, clock, logger }: SocketPorts,
  { id, processId }: { readonly id: string; readonly processId: string },
  query: AttachQuery,
  signal: AbortSignal,
): Promise<SocketSession> {
  const runtime = api.devcontainer(id);
  const { offset = 0, read_only: readOnly = false, width, height } = query;
  const scope = linkedScope(signal);
  const size = width !== undefined && height !== undefined ? { width, height } : undefined;
  const attached = await runtime.attach(processId, { offset, readOnly, ...(size && { size }) }, scope.signal);
  // From now on its connection decides.
  scope.release();
  if (size && !attached.process.tty) {
    attached.detach();
    throw invalid([{ field: 'width', detail: 'The process has no terminal.' }]);
  }

  const input = takenInput(runtime, () => attached.process);
  let isInputOver = false;
  function write(bytes: Buffer): Promise<void> | void {
    const { running, stdin } = attached.process;
    const isEnd = bytes.length === 0;
    // What has ended is left alone: it may have done so just now.
    if (running && !isEnd) {
      if (!stdin) throw new FrameRefusal(CLOSE.refused, 'Standard input was not asked for when it was started.');
      if (isInputOver || !stdin.isOpen) {
        throw new FrameRefusal(CLOSE.refused, 'Standard input was at its end already.');
      }
    }
    if (isEnd && (!stdin || isInputOver)) return;
    if (isEnd) {
      isInputOver = true;
      void input.last.then(() => attached.closeStdin());
      return;
    }
    const done = attached.write(bytes).catch((error: unknown) => {
      logger.debug({ reason: errorMessage(error) }, 'standard input of a process was not taken');
    });
    return input.add(done, bytes.length);
  }

  return {
    mayStopReading: true,
    release: () => detachAfter(input, attached, clock),
    async serve(socket) {
      socket.over.addEventListener('abort', () => void detachAfter(input, attached, clock));
      const control = createControls({
        runtime,
        process: () => attached.process,
        socket,
        logger,
        isReadOnly: readOnly,
        onDetach: () => socket.close(CLOSE.normal, 'Detached: the process runs on.'),
      });
      socket.listen((frame) => {
        if (!frame.isBinary) return control(readJsonFrame(controlFrame, frame.bytes));
        if (readOnly) throw new FrameRefusal(CLOSE.refused, ONLY_WATCHES);
        return write(frame.bytes);
      });
      const { offset: from } = attached;
      sendFrame(socket, { type: 'started', process: toWireProcess(attached.process), offset: from });
      await sendCommand(socket, { output: attached.output, exited: attached.exited, from }, logger);
    },
  };
}
