import { formatDuration } from '../duration.ts';
import { truncateToWidth } from './display-width.ts';
import type { Output } from './output.ts';
import { plainText } from './plain-text.ts';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
/** Without a terminal silence is broken this often, so that whoever reads a build log sees that it lives. */
const STILL_MS = 30_000;

/** A step as whoever does it tells of it; times in ms since the epoch. */
export interface ProgressStep {
  readonly name: string;
  readonly startedAt: number;
  readonly endedAt?: number | undefined;
}

/** Steps of long work on stderr: one line that is drawn over on a terminal, plain lines elsewhere, nothing with --json. */
export interface Progress {
  /** A step begins now; the one before has ended. The same step again changes nothing. */
  phase(name: string): void;
  /**
   * All steps so far, oldest first, with their own times; called again when there are more. Each is shown once.
   * @param isFailed the last of them ended badly
   */
  steps(steps: readonly ProgressStep[], isFailed?: boolean): void;
  /** What the step says now. Only its last line is shown. */
  text(text: string): void;
  /** Stops drawing. Idempotent. */
  end(): void;
}

export function createProgress(output: Output, title: string, now: () => number = Date.now): Progress {
  const label = plainText(title);
  const shown = new Set<string>();
  let current: { readonly name: string; readonly began: number; readonly key?: string } | undefined;
  let detail = '';
  let frame = 0;
  let ended = false;

  // The clock that step times come from may be a little ahead.
  const elapsed = (began: number, until = now()): string => formatDuration(Math.max(0, until - began));
  const draw = (): void => {
    if (current === undefined) return;
    frame = (frame + 1) % FRAMES.length;
    const columns = process.stderr.columns || 80;
    const text = `${FRAMES[frame]} ${label}: ${current.name} ${elapsed(current.began)}${detail === '' ? '' : `  ${detail}`}`;
    output.raw(`\r\u001b[K${truncateToWidth(text, columns - 1)}`);
  };
  const say = (): void => {
    if (current !== undefined) output.note(`${label}: still at ${current.name} (${elapsed(current.began)})`);
  };
  const timer = setInterval(output.interactive ? draw : say, output.interactive ? FRAME_MS : STILL_MS);
  timer.unref();

  const begin = (step: NonNullable<typeof current>): void => {
    finish(now());
    current = step;
    detail = '';
    if (output.interactive) draw();
    else output.note(`${label}: ${step.name}`);
  };
  const finish = (at: number, isFailed = false): void => {
    if (current === undefined) return;
    const { green, red } = output.errorColors;
    const { name, began } = current;
    const mark = isFailed ? red('✘') : green('✔');
    if (output.interactive) output.raw(`\r\u001b[K${mark} ${label}: ${name} ${elapsed(began, at)}\n`);
    else output.note(`${label}: ${name} ${isFailed ? 'failed' : 'done'} (${elapsed(began, at)})`);
    current = undefined;
  };

  return {
    phase(name) {
      const next = plainText(name);
      if (!ended && next !== '' && next !== current?.name) begin({ name: next, began: now() });
    },
    steps(steps, isFailed = false) {
      for (const [index, { name: text, startedAt, endedAt }] of steps.entries()) {
        const name = plainText(text);
        const key = `${startedAt} ${name}`;
        if (ended || name === '' || shown.has(key)) continue;
        if (current?.key !== key && endedAt === undefined) begin({ name, began: startedAt, key });
        if (endedAt === undefined) continue;
        // One that was over before it was seen is told in one line.
        if (current?.key !== key) {
          finish(startedAt);
          current = { name, began: startedAt, key };
        }
        finish(endedAt, isFailed && index === steps.length - 1);
        shown.add(key);
      }
    },
    text(text) {
      const last = text.trimEnd().split('\n').at(-1) ?? '';
      if (last !== '') detail = plainText(last);
    },
    end() {
      if (ended) return;
      ended = true;
      clearInterval(timer);
      if (output.interactive && current !== undefined) output.raw('\r\u001b[K');
    },
  };
}
