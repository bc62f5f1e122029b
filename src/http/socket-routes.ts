import { HttpRefusal } from './error-status.ts';
import type { Route } from './route.ts';
import { defineRoute } from './route.ts';
import { attachQuery, ptyQuery, wireSocketFrame } from './socket-schemas.ts';

const ERRORS = [404, 409, 502, 504];
const TEXT_FRAMES = { 'application/json': wireSocketFrame };

const CONTROLS =
  'Text frames of the client are `SocketControl`. The server sends `SocketFrame`s as text, and output as binary frames: ' +
  'one byte, 1 for stdout and 2 for stderr, then the bytes. After all of the output comes `exit`, and the close code 1000. ' +
  'An `error` that no close follows (1008 for what was refused, else 1011) is about the last control only. ' +
  'Frames have at most 1 MiB, text frames after the first 64 KiB; malformed ones are answered with the close codes 1007 to 1009.';

/** Upgrades never come here. */
function refuse(): Promise<never> {
  return Promise.reject(new HttpRefusal('upgrade-failed', 'This address speaks WebSocket only.'));
}

/** WebSockets of what runs in a container, as far as they are documented and what plain HTTP is answered there. */
export const SOCKET_ROUTES: readonly Route[] = [
  defineRoute('get', '/devcontainers/:id/exec', 'execSocket', {
    summary: 'WebSocket: run a command with streams in both directions',
    answers: {
      101: {
        description:
          'Upgraded to a WebSocket. The first frame of the client is text: a `StartRequest`. Its binary frames are ' +
          `standard input, an empty one is the end of it. ${CONTROLS} No output is lost: who reads slowly slows the ` +
          'command down. Closing the connection ends the whole tree, unless `detach` was sent before; when the server ' +
          'closes (1001), the command runs on.',
        content: TEXT_FRAMES,
      },
    },
    errors: ERRORS,
    streams: true,
    run: refuse,
  }),
  defineRoute('get', '/devcontainers/:id/processes/:process/attach', 'attachSocket', {
    summary: 'WebSocket: output of a process from an offset on, and its standard input',
    query: attachQuery,
    answers: {
      101: {
        description:
          'Upgraded to a WebSocket. The server begins with `started`, which says at which `offset` output begins. ' +
          `Binary frames of the client are standard input, an empty one is the end of it. ${CONTROLS} Of output that ` +
          'was not kept `skipped` tells. Closing the connection ends nothing.',
        content: TEXT_FRAMES,
      },
    },
    errors: ERRORS,
    streams: true,
    run: refuse,
  }),
  defineRoute('get', '/devcontainers/:id/pty', 'ptySocket', {
    summary: 'WebSocket: a terminal that outlives its viewers; the same `reconnect` comes back to the same one',
    query: ptyQuery,
    answers: {
      101: {
        description:
          'Upgraded to a WebSocket. Frames of the client are `TerminalInput` as text, at most 1 MiB. The server sends ' +
          'what the terminal writes as binary frames, raw, first what is kept of it; the header `agentcontainers-offset` ' +
          'says where that begins, `agentcontainers-process` which process it is. Several can view one terminal; the last ' +
          'size wins. Closing the connection leaves the terminal as it is; its end closes with 1000. A viewer that more ' +
          'than 4 MiB wait for is dropped: 1013, with the offset to come back with in the reason. So is one that gave an ' +
          '`offset`, and therefore counts bytes, where output was not kept until it came; others go on without it.',
      },
    },
    errors: ERRORS,
    streams: true,
    run: refuse,
  }),
];
