/** Defaults of what one caller may cost. Sizes in bytes, times in milliseconds. */
export const LIMITS = {
  bodyBytes: 1024 * 1024,
  /** Of the program that an exec runs, in characters; no path is longer, and a much longer one wedges engines. */
  programChars: 4096,
  /** Time for the head of a request, and for all of it. A connection that says nothing at all counts as one. */
  headMs: 5_000,
  requestMs: 60_000,
  /** How often those times are looked at. */
  timesCheckMs: 1_000,
  /** Clients of `/watch` and `/events` together. */
  watchers: 100,
  /** Requests that stream a log or an exec, together. */
  streams: 100,
  /** Of one server. */
  connections: 1024,
  /** A client with more than this unsent when a further frame is due is dropped. */
  bufferedBytes: 8 * 1024 * 1024,
  /** Clients of `/watch` have nothing to say. */
  incomingFrameBytes: 1024,
  pingIntervalMs: 15_000,
  /** Changes within this time of a frame become one further frame. */
  coalesceMs: 10,
  /** What `Last-Event-ID` can go back to. */
  replayFrames: 64,
  replayBytes: 4 * 1024 * 1024,
  /** How long the feed goes on without clients, so that one that lost its connection finds its events. */
  lingerMs: 60_000,
  /** Time for the closing handshake of a WebSocket, and for open requests when a server closes. */
  closeGraceMs: 2_000,
  loginCodeTtlMs: 60 * 60 * 1000,
  sessionTtlMs: 12 * 60 * 60 * 1000,
  /** Outstanding login codes, and sessions; the oldest goes when there are more. */
  secrets: 100,
  validations: 20,
} as const;
