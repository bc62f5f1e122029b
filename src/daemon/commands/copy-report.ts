import { AgentContainersError, errorMessage, isAgentContainersError } from '../../errors.ts';
import { truncateToWidth } from '../output/display-width.ts';
import type { Output } from '../output/output.ts';
import { plainText } from '../output/plain-text.ts';

/** What a copy did, for people and for programs. */
export interface CopyReport {
  /** A file begins; what is counted belongs to it. */
  begin(path: string, bytes: number | undefined): void;
  /** The same bytes, counted on their way. */
  count(content: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  fileDone(): void;
  folderDone(): void;
  /** Left out on purpose. */
  skip(path: string, reason: string): void;
  /** Runs one part of it; its failure is noted and the others go on, unless none of them can. */
  part(path: string, work: () => Promise<void>): Promise<void>;
  /** Stops drawing. */
  end(): void;
  readonly result: {
    readonly files: number;
    readonly folders: number;
    readonly bytes: number;
    readonly skipped: readonly { readonly path: string; readonly reason: string }[];
    readonly failed: readonly { readonly path: string; readonly message: string }[];
  };
}

const DRAW_MS = 100;
/** After one of these nothing else can be copied either. */
const FATAL = [
  'cancelled',
  'daemon-unreachable',
  'api-closed',
  'runtime-unavailable',
  'devcontainer-not-running',
  'devcontainer-not-found',
  'unauthorized',
] as const;

export function createCopyReport(output: Output, now: () => number = Date.now): CopyReport {
  const result = {
    files: 0,
    folders: 0,
    bytes: 0,
    skipped: [] as { path: string; reason: string }[],
    failed: [] as { path: string; message: string }[],
  };
  let current = { path: '', total: undefined as number | undefined, bytes: 0 };
  let drawnAt = -Infinity;
  let isDrawn = false;

  const clear = (): void => {
    if (isDrawn) output.raw('\r\u001b[K');
    isDrawn = false;
  };
  const draw = (): void => {
    if (!output.interactive || now() - drawnAt < DRAW_MS) return;
    drawnAt = now();
    isDrawn = true;
    const of = current.total === undefined || current.total < current.bytes ? '' : ` of ${sizeText(current.total)}`;
    const text = `${plainText(current.path)}: ${sizeText(current.bytes)}${of}`;
    output.raw(`\r\u001b[K${truncateToWidth(text, (process.stderr.columns || 80) - 1)}`);
  };
  const say = (text: string): void => {
    clear();
    output.note(text);
  };

  return {
    result,
    begin(path, total) {
      current = { path, total, bytes: 0 };
      draw();
    },
    async *count(content) {
      for await (const bytes of content) {
        current.bytes += bytes.length;
        result.bytes += bytes.length;
        draw();
        yield bytes;
      }
    },
    fileDone: () => void result.files++,
    folderDone: () => void result.folders++,
    skip(path, reason) {
      result.skipped.push({ path, reason });
      say(`Skipped ${plainText(path)}: ${reason}.`);
    },
    async part(path, work) {
      try {
        await work();
      } catch (error) {
        if (isAgentContainersError(error, ...FATAL)) throw error;
        const message = messageOf(error);
        result.failed.push({ path, message });
        say(`${output.errorColors.red('error:')} Copying ${plainText(path)} failed: ${plainText(message)}`);
      }
    },
    end: clear,
  };
}

/** The reason alone, where the message begins with what was done. */
function messageOf(error: unknown): string {
  const detail = error instanceof AgentContainersError ? error.details.detail : undefined;
  const text = typeof detail === 'string' && detail !== '' ? detail : errorMessage(error);
  return /^[^:]{1,300}? failed: (.+)$/s.exec(text)?.[1] ?? text;
}

/** E.g. `0 bytes`, `12.3 KiB`. */
export function sizeText(bytes: number): string {
  if (bytes < 1_024) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  let size = bytes;
  let unit = -1;
  for (; size >= 1_024 && unit < 3; unit++) size /= 1_024;
  return `${size.toFixed(1)} ${['KiB', 'MiB', 'GiB', 'TiB'][unit]}`;
}
