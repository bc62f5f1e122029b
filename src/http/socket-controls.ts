import type { DevcontainerRuntime } from '../agentcontainers/api.ts';
import type { CommandProcess, TerminalSize } from '../agentcontainers/ports.ts';
import type { Logger } from '../logger.ts';
import type { LiveSocket } from './live-socket.ts';
import { CLOSE, FrameRefusal } from './socket-frames.ts';
import type { ControlFrame } from './socket-schemas.ts';
import { sendError } from './socket-session.ts';

export interface ControlParts {
  readonly runtime: DevcontainerRuntime;
  /** As it is now. */
  readonly process: () => CommandProcess;
  readonly socket: LiveSocket;
  readonly logger: Logger;
  /** It may detach, and nothing else. */
  readonly isReadOnly?: boolean | undefined;
  readonly onDetach: () => void;
}

export const ONLY_WATCHES = 'This client only watches: it was opened with read_only.';

/**
 * Does what text frames of a client ask for, beside its input, which they overtake. What fails is told in an `error`
 * frame; the connection goes on.
 */
export function createControls(parts: ControlParts): (control: ControlFrame) => Promise<void> | void {
  const { runtime, process, socket, logger } = parts;
  const tell = (error: unknown): void => {
    // What has ended takes neither signals nor sizes, and that is no news.
    if (process().running && !socket.over.aborted) sendError(socket, error, logger);
  };
  const resize = createResizer((size) => runtime.resize(process().id, size), tell);

  return (control) => {
    if (parts.isReadOnly && control.type !== 'detach') throw new FrameRefusal(CLOSE.refused, ONLY_WATCHES);
    switch (control.type) {
      case 'resize':
        return resize({ width: control.width, height: control.height });
      case 'signal': {
        const { signal, tree } = control;
        // Counts as a frame that is not taken yet: many at once are bounded.
        return runtime.signal(process().id, signal, tree === undefined ? {} : { tree }).catch(tell);
      }
      case 'detach':
        return parts.onDetach();
    }
  };
}

/** Sizes on their way to a terminal, one at a time: of those that come meanwhile only the last one is used. */
export function createResizer(
  resize: (size: TerminalSize) => Promise<void>,
  onError: (error: unknown) => void,
): (size: TerminalSize) => void {
  let wanted: TerminalSize | undefined;
  let isResizing = false;

  async function work(): Promise<void> {
    isResizing = true;
    for (let size = wanted; size; size = wanted) {
      wanted = undefined;
      await resize(size).catch(onError);
    }
    isResizing = false;
  }
  return (size) => {
    wanted = size;
    if (!isResizing) void work();
  };
}
