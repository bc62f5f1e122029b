import type { LogSink } from '../ports.ts';

/** Kept per devcontainer unless told otherwise: 1 MiB. */
const DEFAULT_MAX_BYTES = 1024 * 1024;
/** Text is kept in blocks of about this size; the oldest are dropped as a whole. */
const BLOCK_BYTES = 16 * 1024;

interface Block {
  /** Where it begins in the log, in bytes. */
  readonly offset: number;
  readonly bytes: Buffer;
}

interface Log {
  readonly blocks: Block[];
  /** Bytes that were ever appended; also the offset at which the next text begins. */
  end: number;
  removed: boolean;
  /** Followers that wait for more. */
  readonly wakeUps: Set<() => void>;
}

/**
 * Build and lifecycle logs in memory. Of each, the newest `maxBytes` are kept; offsets count from the beginning all the
 * same, so a reader that asks for text which was dropped gets the oldest that is left, and sees the gap in its offset.
 * Text is never cut within a character.
 */
export function createMemoryLogSink(options: { maxBytes?: number } = {}): LogSink {
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  const blockBytes = Math.max(1, Math.min(BLOCK_BYTES, Math.floor(maxBytes / 4)));
  const logs = new Map<string, Log>();

  function logOf(devcontainerId: string): Log {
    const log = logs.get(devcontainerId) ?? { blocks: [], end: 0, removed: false, wakeUps: new Set() };
    logs.set(devcontainerId, log);
    return log;
  }

  function addBlock(log: Log, bytes: Buffer): void {
    const last = log.blocks.at(-1);
    if (last && last.bytes.length + bytes.length <= blockBytes) {
      log.blocks[log.blocks.length - 1] = { offset: last.offset, bytes: Buffer.concat([last.bytes, bytes]) };
    } else {
      log.blocks.push({ offset: log.end, bytes });
    }
    log.end += bytes.length;
  }

  function trim(log: Log): void {
    for (let [oldest, next] = log.blocks; oldest && next; [oldest, next] = log.blocks) {
      if (log.end - oldest.offset <= maxBytes) return;
      log.blocks.shift();
    }
  }

  return {
    size: async (devcontainerId) => logs.get(devcontainerId)?.end ?? 0,

    append(devcontainerId, text) {
      if (text === '') return;
      const log = logOf(devcontainerId);
      const bytes = Buffer.from(text);
      for (let from = 0; from < bytes.length;) {
        const to = characterStart(bytes, Math.min(from + blockBytes, bytes.length), from);
        // A copy, so that a small block does not keep a large text alive.
        addBlock(log, Buffer.from(bytes.subarray(from, to)));
        from = to;
      }
      trim(log);
      wake(log);
    },

    async *read(devcontainerId, { offset, follow, signal }) {
      // A follower may come before the first line.
      const log = follow ? logOf(devcontainerId) : logs.get(devcontainerId);
      if (!log) return;
      for (let at = offset; !signal.aborted;) {
        const block = log.blocks.find((candidate) => candidate.offset + candidate.bytes.length > at);
        if (block) {
          const from = nextCharacter(block.bytes, Math.max(0, at - block.offset));
          at = block.offset + block.bytes.length;
          if (from < block.bytes.length)
            yield { offset: block.offset + from, text: block.bytes.toString('utf8', from) };
        } else if (follow && !log.removed) {
          await appended(log, signal);
        } else {
          return;
        }
      }
    },

    async remove(devcontainerId) {
      const log = logs.get(devcontainerId);
      if (!log) return;
      logs.delete(devcontainerId);
      log.removed = true;
      wake(log);
    },
  };
}

function wake(log: Log): void {
  const wakeUps = [...log.wakeUps];
  log.wakeUps.clear();
  for (const wakeUp of wakeUps) wakeUp();
}

async function appended(log: Log, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done);
      log.wakeUps.delete(done);
      resolve();
    };
    log.wakeUps.add(done);
    signal.addEventListener('abort', done, { once: true });
  });
}

const isContinuation = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80;

/** The last start of a character at or before `index` that makes progress from `from`; else the next one after. */
function characterStart(bytes: Buffer, index: number, from: number): number {
  let start = index;
  while (start > from && isContinuation(bytes[start])) start--;
  return start > from ? start : nextCharacter(bytes, index);
}

function nextCharacter(bytes: Buffer, index: number): number {
  let start = index;
  while (isContinuation(bytes[start])) start++;
  return start;
}
