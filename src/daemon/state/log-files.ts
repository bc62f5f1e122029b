import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LogSink } from '../../agentcontainers/ports.ts';
import { errorMessage } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { createSegmentReader } from './log-reader.ts';

export interface Segment {
  /** Offset of its first byte in the whole log. */
  readonly start: number;
  readonly file: string;
  readonly size: number;
}

/** One devcontainer's log as this process knows it. */
export interface LogFile {
  readonly id: string;
  /** Oldest first; replaced as a whole, never changed in place. */
  segments: readonly Segment[];
  /** Set by `remove`; readers end. */
  removed: boolean;
  /** Called once after the next change. */
  readonly waiting: Set<() => void>;
}

export interface LogFilesOptions {
  /** A segment that has reached this is closed. Default 4 MiB. */
  readonly segmentBytes?: number | undefined;
  /** How many segments one log keeps. Default 4. */
  readonly maxSegments?: number | undefined;
  readonly logger: Logger;
}

/** A log sink whose writes can be waited for. */
export interface LogFiles extends LogSink {
  /** Resolves when everything that was appended before is in the files. */
  flush(): Promise<void>;
}

const SEGMENT_NAME = /^(.+)\.(\d{1,16})\.log$/;
const ID = /^[A-Za-z0-9_-]{1,128}$/;

/**
 * Build and lifecycle logs as files, append only. One log is a row of segments named `<devcontainer>.<start>.log`;
 * `<start>` is the offset of the segment's first byte, so offsets stay valid over restarts and when old text goes.
 * Bounded: when a segment is full the next one begins and the oldest beyond `maxSegments` is deleted (16 MiB a
 * devcontainer by default). Reading from an offset that is gone begins at the oldest text that is left; the chunk's
 * own offset says so. What cannot be written (full disk) is dropped, with one warning until writing succeeds again.
 */
export function createLogFiles(directory: string, options: LogFilesOptions): LogFiles {
  const { segmentBytes = 4 * 1_024 * 1_024, maxSegments = 4, logger } = options;
  const logs = new Map<string, Promise<LogFile>>();
  /** Per log: text that a write which is already in turn will take. */
  const pending = new Map<string, string[]>();
  const tails = new Map<string, Promise<void>>();
  let failing = false;

  const openLog = (id: string): Promise<LogFile> => {
    let log = logs.get(id);
    if (log === undefined) {
      log = findSegments(directory, id).then((segments) => ({ id, segments, removed: false, waiting: new Set() }));
      log.catch(() => logs.delete(id));
      logs.set(id, log);
    }
    return log;
  };

  const write = async (log: LogFile, content: Buffer): Promise<void> => {
    const last = log.segments.at(-1);
    const end = last === undefined ? 0 : last.start + last.size;
    const full = last === undefined || last.size >= segmentBytes;
    const target = full ? { start: end, file: join(directory, `${log.id}.${end}.log`), size: 0 } : last;
    const handle = await open(target.file, 'a', 0o600);
    try {
      await handle.appendFile(content);
      const { size } = await handle.stat();
      const kept = full ? log.segments : log.segments.slice(0, -1);
      log.segments = [...kept, { ...target, size }];
    } finally {
      await handle.close();
    }
    while (log.segments.length > maxSegments) {
      const [oldest, ...rest] = log.segments;
      log.segments = rest;
      if (oldest !== undefined) await rm(oldest.file, { force: true });
    }
  };

  const wake = (log: LogFile): void => {
    for (const callback of log.waiting) callback();
    log.waiting.clear();
  };

  /** Runs `work` after everything that was begun earlier for this log. */
  const inTurn = (id: string, work: () => Promise<void>): Promise<void> => {
    const run = (tails.get(id) ?? Promise.resolve()).then(work);
    const tail = run.catch(() => undefined);
    tails.set(id, tail);
    void tail.then(() => {
      if (tails.get(id) === tail) tails.delete(id);
    });
    return run;
  };

  const drain = async (id: string): Promise<void> => {
    const text = pending.get(id)?.join('') ?? '';
    pending.delete(id);
    try {
      const log = await openLog(id);
      const content = Buffer.from(text);
      for (let at = 0; at < content.length;) {
        const end = boundary(content, Math.min(content.length, at + segmentBytes));
        await write(log, content.subarray(at, end));
        at = end;
      }
      failing = false;
      wake(log);
    } catch (error) {
      if (!failing)
        logger.warn(
          { directory },
          `Writing a devcontainer log failed: ${errorMessage(error)}. Its text is lost; make room in ${directory}.`,
        );
      failing = true;
      // A write may have got half way: believe the files, not what was counted.
      const log = await openLog(id).catch(() => undefined);
      if (log !== undefined) log.segments = await findSegments(directory, id).catch(() => log.segments);
    }
  };

  const settled = (id: string): Promise<void> => tails.get(id) ?? Promise.resolve();

  return {
    async size(id) {
      if (!isId(id)) return 0;
      await settled(id);
      const last = (await openLog(id)).segments.at(-1);
      return last === undefined ? 0 : last.start + last.size;
    },

    append(id, text) {
      if (text === '') return;
      if (!isId(id)) {
        logger.warn(
          {},
          `Writing a devcontainer log failed: ${JSON.stringify(id.slice(0, 200))} is no id. Its text is lost.`,
        );
        return;
      }
      const waiting = pending.get(id);
      if (waiting !== undefined) {
        waiting.push(text);
        return;
      }
      pending.set(id, [text]);
      void inTurn(id, () => drain(id));
    },

    async *read(id, query) {
      if (!isId(id)) return;
      await settled(id);
      if (query.signal.aborted) return;
      yield* createSegmentReader(await openLog(id), query);
    },

    async remove(id) {
      if (!isId(id)) return;
      await inTurn(id, async () => {
        const log = await openLog(id);
        logs.delete(id);
        log.removed = true;
        const { segments } = log;
        log.segments = [];
        for (const { file } of segments) await rm(file, { force: true });
        wake(log);
      });
    },

    async flush() {
      while (tails.size > 0) await Promise.all(tails.values());
    },
  };
}

/** Ids become names of files. What can be none is the id of no devcontainer, and has no log. */
function isId(id: string): boolean {
  return ID.test(id);
}

/** The last position up to `end` at which no UTF-8 character is cut in two. */
function boundary(content: Buffer, end: number): number {
  let at = end;
  while (at < content.length && at > end - 4 && ((content[at] ?? 0) & 0xc0) === 0x80) at--;
  return at;
}

async function findSegments(directory: string, id: string): Promise<Segment[]> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const segments: Segment[] = [];
  for (const name of await readdir(directory)) {
    const match = SEGMENT_NAME.exec(name);
    if (match?.[1] !== id) continue;
    const file = join(directory, name);
    segments.push({ start: Number(match[2]), file, size: (await stat(file)).size });
  }
  return segments.toSorted((a, b) => a.start - b.start);
}
