import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';

/** What can be on its way when a connection breaks off: less than the half of a ring that an agent keeps for that. */
const STREAM_WINDOW_BYTES = 655_360;
const CONNECTION_WINDOW_BYTES = 64 * 1_048_576;
const FRAME_BYTES = 262_144;
const HEADER_LIST_BYTES = 16_384;
const HEADER_PAIRS = 64;
const OUTSTANDING_PINGS = 4_096;
const SESSION_MEGABYTES = 64;

/** An HTTP/2 client over a stream, with bounds for what the other side may make us hold. */
export function openHttp2Session(stream: Duplex): ClientHttp2Session {
  const session = connect('http://resident', {
    createConnection: () => stream,
    settings: {
      enablePush: false,
      initialWindowSize: STREAM_WINDOW_BYTES,
      maxFrameSize: FRAME_BYTES,
      maxHeaderListSize: HEADER_LIST_BYTES,
    },
    maxHeaderListPairs: HEADER_PAIRS,
    maxReservedRemoteStreams: 0,
    maxOutstandingPings: OUTSTANDING_PINGS,
    maxSessionMemory: SESSION_MEGABYTES,
  });
  session.on('connect', () => {
    if (!session.destroyed) session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
  });
  return session;
}
