import pc from 'picocolors';
import { errorMessage, isAgentContainersError } from '../../errors.ts';
import { plainText } from './plain-text.ts';
import { refusalDetails, refusalLines, type RefusalDetails } from './refusal-lines.ts';

const INDENT = ' '.repeat('error: '.length);

/** Where a command writes. Results go to stdout; progress, hints and errors for people to stderr. */
export interface Output {
  readonly json: boolean;
  /** Columns of the terminal on stdout; `undefined` when it is none. */
  readonly width: number | undefined;
  /** True when progress may be drawn over: stderr is a terminal and the output is for people. */
  readonly interactive: boolean;
  /** Colours of stdout, or of stderr; all identity when colour is not wanted there. */
  readonly colors: ReturnType<typeof pc.createColors>;
  readonly errorColors: ReturnType<typeof pc.createColors>;
  /** One line of the result, for people. Nothing with --json. */
  line(text?: string): void;
  /** The result, with --json. Nothing otherwise. */
  result(value: unknown): void;
  /** One line on stderr, for people. Nothing with --json. */
  note(text: string): void;
  /** Bytes on stderr as they are, for drawing progress. */
  raw(text: string): void;
  error(error: unknown): void;
}

/** NO_COLOR (any value but empty) and TERM=dumb switch colour off, a terminal switches it on. */
export function wantsColor(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  if ((env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb') return false;
  return stream.isTTY === true;
}

export function createOutput(
  options: { readonly json: boolean },
  stdout: NodeJS.WriteStream = process.stdout,
  stderr: NodeJS.WriteStream = process.stderr,
): Output {
  const { json } = options;
  const colors = pc.createColors(!json && wantsColor(stdout));
  const errorColors = pc.createColors(!json && wantsColor(stderr));
  return {
    json,
    // Some terminals do not say how wide they are.
    width: stdout.isTTY ? stdout.columns || 80 : undefined,
    interactive: !json && stderr.isTTY === true && process.env['TERM'] !== 'dumb',
    colors,
    errorColors,
    line(text = '') {
      if (!json) stdout.write(`${text}\n`);
    },
    result(value) {
      if (json) stdout.write(`${JSON.stringify(value)}\n`);
    },
    note(text) {
      if (!json) stderr.write(`${text}\n`);
    },
    raw(text) {
      if (!json) stderr.write(text);
    },
    error(error) {
      if (json) {
        stdout.write(`${JSON.stringify(errorBody(error))}\n`);
        return;
      }
      stderr.write(`${errorColors.red('error:')} ${plainText(errorMessage(error))}\n`);
      if (!isAgentContainersError(error)) return;
      const shown = { errorColors, width: stderr.isTTY ? (stderr.columns || 80) - INDENT.length : undefined };
      for (const line of refusalLines(error, shown)) stderr.write(`${INDENT}${line}\n`);
    },
  };
}

/** The form of every error with --json. */
export function errorBody(error: unknown): {
  readonly error: RefusalDetails & { readonly code?: string; readonly message: string; readonly detail?: string };
} {
  const message = errorMessage(error);
  if (!isAgentContainersError(error)) return { error: { message } };
  const { detail } = error.details;
  const text = typeof detail === 'string' && detail !== '' ? { detail } : {};
  return { error: { code: error.code, message, ...text, ...refusalDetails(error) } };
}
