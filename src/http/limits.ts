/** Defaults of what one caller may cost. Sizes in bytes, times in milliseconds. */
export const LIMITS = {
  bodyBytes: 1024 * 1024,
  /** Of the program that an exec runs, in characters; no path is longer, and a much longer one wedges engines. */
  programChars: 4096,
  /** Until a command is ended; the longest that a timer can wait is not much longer. */
  commandMs: 24 * 86_400_000,
  /** How long a request may ask to wait for a process. */
  waitMs: 300_000,
  /** Until a request is answered that nothing else bounds. */
  answerMs: 600_000,
  /** Output in one answer: by default, and at most. */
  outputBytes: 64 * 1024,
  maxOutputBytes: 1024 * 1024,
  /** Matches of a search: by default, and at most. */
  found: 1_000,
  maxFound: 10_000,
  /** Time for the head of a request, and for all of it. A connection that says nothing at all counts as one. */
  headMs: 5_000,
  requestMs: 60_000,
  /** Instead of that, between two pieces of a file that is uploaded. */
  uploadIdleMs: 60_000,
  /** How often those times are looked at. */
  timesCheckMs: 1_000,
  /** Clients of `/watch` and `/events` together. */
  watchers: 100,
  /** Requests that stream a log, output, a search or a file, together. */
  streams: 100,
  /** Of one server. */
  connections: 1024,
  /** A client with more than this unsent when a further frame is due is dropped. */
  bufferedBytes: 8 * 1024 * 1024,
  /** Clients of `/watch` have nothing to say. */
  incomingFrameBytes: 1024,
  pingIntervalMs: 15_000,
  /** WebSockets of commands, processes and terminals, together. */
  sockets: 256,
  /** A message of a client of these, and one of them that is text, but for starts and what is typed. */
  socketFrameBytes: 1024 * 1024,
  controlFrameBytes: 64 * 1024,
  /** More than the one waits in one direction: it is held up until it is less than the other. */
  socketHighBytes: 256 * 1024,
  socketLowBytes: 64 * 1024,
  /** A viewer of a terminal that more than this waits for is dropped. */
  viewerBytes: 4 * 1024 * 1024,
  /** Until the start of a command comes. */
  startMs: 10_000,
  /** How often it is looked whether the last input of a client has been written. */
  flushLookMs: 50,
  /** How often a WebSocket that is held up is looked at. */
  closeLookMs: 1_000,
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
