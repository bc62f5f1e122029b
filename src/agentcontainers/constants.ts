/** Defaults of the options, and limits that are not options. Times in ms unless said otherwise. */
export const DEFAULTS = {
  updateIntervalMs: 10_000,
  listTimeoutMs: 15_000,
  eventDebounceMs: 20,
  injectTimeoutMs: 15_000,
  maxInjections: 8,
  maxUps: 2,
  stopGraceSeconds: 10,
} as const;

/** Timers of the platform count in 32 bits. ms */
export const LONGEST_TIME = 2 ** 31 - 1;
/** The safety-net period is this many times longer while the event stream is healthy. */
export const QUIET_FACTOR = 6;
/** How long a new `up`, a stop or a delete waits for the later hooks of an earlier `up` to end. */
export const TAIL_TIMEOUT = 15_000;
/** How long a sub-agent may take to end after it was asked to. */
export const SUB_AGENT_GRACE = 5_000;
/** Deadline of control plane calls that nobody waits for: clean-up at start and at close. */
export const CLEANUP_TIMEOUT = 10_000;
/** No step of closing waits longer than this for what does not end. */
export const CLOSE_STEP_TIMEOUT = 15_000;
/** Deadline of one engine call that should be short. */
export const ENGINE_TIMEOUT = 30_000;
/** The deadline of a stop, which is its grace and one engine call, must be one that a timer can wait. Seconds */
export const LONGEST_GRACE = Math.floor((LONGEST_TIME - ENGINE_TIMEOUT) / 1000);
/** An event stream that said nothing for this long is opened anew. */
export const SILENT_STREAM = 300_000;
/** A new event stream asks for events this far back, so that none falls into the gap. */
export const EVENT_OVERLAP = 2_000;
/** An event is followed by a second pass after this much quiet. */
export const CONFIRM_AFTER = 1_000;
/** Waits between tries to open the event stream: doubled from the first to the last, with jitter. */
export const RECONNECT_FIRST = 500;
export const RECONNECT_LAST = 30_000;
/** Merged configurations kept. */
export const CONFIGURATIONS_KEPT = 500;
/** Deadline of one inspection within a listing. */
export const INSPECT_TIMEOUT = 5_000;
/** A container that could not be inspected is asked about again after this. */
export const INSPECT_AGAIN = 30_000;
/** Deadline of file system calls on one workspace folder: a network mount may hang for ever. */
export const FOLDER_TIMEOUT = 5_000;
/** The same for the files of a configuration that somebody waits for: a machine that builds is busy. */
export const CONFIG_TIMEOUT = 15_000;
/** How many configurations are looked at at the same time when watching them begins. */
export const FIRST_LOOKS_AT_ONCE = 8;
/** How many containers are inspected at the same time. */
export const INSPECTIONS_AT_ONCE = 8;
/** How long reading a configuration waits for the engine to tell what its images are; without an answer they count as unknown. */
export const IMAGE_TIMEOUT = 2_000;
/** While closing, an exchange of containers that is given up half way is undone within this; else within four times that. */
export const UNDO_TIMEOUT = 8_000;
/** Deadline of clean-up that the start waits for. */
export const SWEEP_TIMEOUT = 5_000;
/** Waits between looks at a container that the engine still copies for a job which is over. */
export const COPY_POLL = 250;
/** Waits between tries to bring an interrupted job to an end: doubled from the first to the last. */
export const RECOVER_FIRST = 1_000;
export const RECOVER_LAST = 30_000;
/** Deadline of one search below a root, which ends by itself well before that unless the file system hangs. */
export const DISCOVERY_TIMEOUT = 30_000;
/** Roots are searched anew this often, for what no watch told of. */
export const DISCOVERY_INTERVAL = 300_000;
/** Changes within this time lead to one search. */
export const DISCOVERY_DEBOUNCE = 200;
/** A search rests for at least this many times as long as it took. */
export const DISCOVERY_REST_FACTOR = 10;
/** Under changes that lead to nothing new a root is searched ever more seldom, down to once in this time. */
export const DISCOVERY_LONGEST_REST = 10_000;
/** What is not found is taken to be gone after this: a checkout removes files and makes them again. */
export const DISCOVERY_GONE_AFTER = 2_000;
/** Waits between tries to listen on the port of a forward: doubled from the first to the last. */
export const FORWARD_RETRY_FIRST = 1_000;
export const FORWARD_RETRY_LAST = 60_000;
/** Connections of one forward at the same time; further ones are closed. */
export const FORWARD_CONNECTIONS = 256;
/** How long the start waits for the first search, beside the first listing. */
export const DISCOVERY_FIRST_WAIT = 500;
