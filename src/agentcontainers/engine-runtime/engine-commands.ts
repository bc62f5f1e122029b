// INVARIANTS
// - A key starts one command; ended commands are kept until they are forgotten, the newest 256 of them.
// - Of what those have written the newest 32 MiB are kept, and all that was kept of the last one.
import { DEFAULT_GRACE_MS } from '../default-grace.ts';
import type { CommandKind, CommandProcess, CommandSpec, OutputChunk, OutputQuery, RunningCommand } from '../ports.ts';
import { deadlineScope, raceAbort } from '../../async/abort.ts';
import type { Clock } from '../../clock/clock.ts';
import { AgentContainersError } from '../../errors.ts';
import { createItemPipe } from '../../async/item-pipe.ts';
import { startEngineProcess } from './engine-process.ts';
import type { EngineProcess, EngineWorld } from './engine-process.ts';
import { needsResident } from './needs-resident.ts';

/** The commands of one container that this daemon runs through the engine. */
export interface EngineCommands {
  start(spec: CommandSpec, kind: CommandKind, signal?: AbortSignal): Promise<EngineProcess>;
  run(spec: CommandSpec, signal?: AbortSignal): Promise<RunningCommand>;
  /** `process-not-found`. */
  find(id: string): EngineProcess;
  /** The same, and `invalid-request` for an offset beyond the end of its output. */
  readable(id: string, offset: number | undefined): EngineProcess;
  list(): CommandProcess[];
  forget(id: string): void;
  wait(id: string, ms: number, signal?: AbortSignal): Promise<CommandProcess>;
  output(id: string, query: OutputQuery): AsyncGenerator<OutputChunk>;
}

const MAX_ENDED = 256;
/** The same as in a resident. */
const MAX_ENDED_BYTES = 33_554_432;

export function createEngineCommands(world: EngineWorld): EngineCommands {
  const { clock } = world;
  const processes = new Map<string, EngineProcess>();
  /** Those of them that have ended and said all, the first one first. */
  const ended = new Map<string, EngineProcess>();
  const byKey = new Map<string, { readonly what: string; readonly starting: Promise<EngineProcess> }>();
  let count = 0;

  function onEnd(id: string, process: EngineProcess): void {
    if (!processes.has(id)) return;
    ended.set(id, process);
    for (const [oldest, its] of ended) {
      if (ended.size <= MAX_ENDED) break;
      drop(oldest, its);
    }
    const logs = [...ended.values()].map(({ log }) => log);
    let over = logs.reduce((sum, { held }) => sum + held, -MAX_ENDED_BYTES);
    for (const log of logs.slice(0, -1)) {
      if (over <= 0) return;
      const before = log.held;
      log.shrink(before - over);
      over -= before - log.held;
    }
  }
  function drop(id: string, process: EngineProcess): void {
    processes.delete(id);
    ended.delete(id);
    const { key } = process.describe();
    if (key !== undefined) byKey.delete(key);
  }

  function start(spec: CommandSpec, kind: CommandKind, signal?: AbortSignal): Promise<EngineProcess> {
    const { key } = spec;
    const known = key === undefined ? undefined : byKey.get(key);
    if (known) return known.what === whatOf(spec) ? known.starting : Promise.reject(otherCommand(key));
    const id = `engine-${++count}`;
    const starting = startEngineProcess(world, spec, { id, kind, signal }).then((process) => {
      processes.set(id, process);
      void process.log.closed.then(() => onEnd(id, process));
      return process;
    });
    if (key !== undefined) {
      byKey.set(key, { what: whatOf(spec), starting });
      starting.catch(() => byKey.delete(key));
    }
    return starting;
  }

  function find(id: string): EngineProcess {
    const process = processes.get(id);
    if (process) return process;
    throw new AgentContainersError(
      'process-not-found',
      `Finding process ${JSON.stringify(id.slice(0, 40))} failed: this daemon runs none with this id through the engine.`,
    );
  }

  function readable(id: string, offset = 0): EngineProcess {
    const process = find(id);
    if (offset <= process.log.end) return process;
    throw new AgentContainersError(
      'invalid-request',
      `Reading the output of process ${id} failed: the offset lies after the end of the output.`,
    );
  }

  async function run(spec: CommandSpec, signal?: AbortSignal): Promise<RunningCommand> {
    const process = await start(spec, 'exec', signal);
    const pipe = createItemPipe<OutputChunk>(() => reader.hasRoom());
    for (const chunk of process.log.from(0)) pipe.push(chunk, chunk.bytes.length);
    const reader = process.addReader((chunk) => pipe.push(chunk, chunk.bytes.length));
    void process.log.closed.then(() => pipe.end());
    const onAbort = (): void => void process.endOrLeave(spec.graceMs ?? DEFAULT_GRACE_MS, 'killed');
    signal?.addEventListener('abort', onAbort, { once: true });
    const unlisten = (): void => signal?.removeEventListener('abort', onAbort);
    void process.exited.then(unlisten);
    if (signal?.aborted) onAbort();
    return {
      get process() {
        return process.describe();
      },
      via: 'engine',
      output: pipe,
      write: (bytes) => process.write(bytes),
      closeStdin: () => process.closeStdin(),
      resize: () => Promise.reject(needsResident('Resizing a command', 'it has no terminal')),
      kill: (graceMs = spec.graceMs ?? DEFAULT_GRACE_MS) => process.kill(graceMs),
      detach() {
        unlisten();
        reader.remove();
        pipe.discard();
      },
      exited: process.exited,
    };
  }

  return {
    start,
    run,
    find,
    readable,
    list: () => [...processes.values()].map((process) => process.describe()),
    forget(id) {
      const process = find(id);
      if (process.describe().running) {
        throw new AgentContainersError('command-refused', `Forgetting process ${id} failed: it runs. End it first.`);
      }
      drop(id, process);
    },
    async wait(id, ms, signal) {
      const process = find(id);
      if (ms > 0) await within(clock, ms, (limited) => raceAbort(process.exited, limited), signal);
      return process.describe();
    },
    output: (id, query) => readLog(readable(id, query.offset), query, clock),
  };
}

const whatOf = ({ argv, command }: CommandSpec): string => JSON.stringify([argv, command]);

function otherCommand(key: string | undefined): AgentContainersError {
  return new AgentContainersError(
    'command-refused',
    `Starting a command failed: the key ${JSON.stringify(key?.slice(0, 40))} is another command's. Give a new one.`,
  );
}

/** Waits for it, at most so long; rejects only with the signal's reason. */
async function within(
  clock: Clock,
  ms: number,
  wait: (limited: AbortSignal) => Promise<unknown>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const scope = deadlineScope(clock, ms, 'Waiting', signal);
  try {
    await wait(scope.signal).catch(() => {});
    signal?.throwIfAborted();
  } finally {
    scope.release();
  }
}

async function* readLog(process: EngineProcess, query: OutputQuery, clock: Clock): AsyncGenerator<OutputChunk> {
  const { log } = process;
  const { offset = 0, follow = false, waitMs = 0, limit = Infinity, signal } = query;
  let at = offset;
  let left = limit;
  if (!follow && waitMs > 0 && log.end <= at && !log.isClosed) {
    await within(clock, waitMs, (limited) => log.changed(limited), signal);
  }
  for (;;) {
    for (const chunk of log.from(at)) {
      if (left <= 0) return;
      const bytes = chunk.bytes.subarray(0, left);
      left -= bytes.length;
      at = chunk.offset + bytes.length;
      yield { ...chunk, bytes };
    }
    if (!follow || left <= 0) return;
    signal?.throwIfAborted();
    // What came while the reader was busy has woken nobody: waiting begins only where there is nothing more.
    if (log.end > Math.max(at, log.start)) continue;
    if (log.isClosed) return;
    await log.changed(signal);
  }
}
