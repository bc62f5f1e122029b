import { formatDuration } from '../duration.ts';
import { truncateToWidth } from './display-width.ts';
import type { Output } from './output.ts';
import { plainText } from './plain-text.ts';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
/** Without a terminal silence is broken this often, so that whoever reads a build log sees that it lives. */
const STILL_MS = 30_000;

/** Steps of long work on stderr: one line that is drawn over on a terminal, plain lines elsewhere, nothing with --json. */
export interface Progress {
  /** A step begins; the one before has ended. The same step again changes nothing. */
  phase(name: string): void;
  /** What the step says now. Only its last line is shown. */
  text(text: string): void;
  /** Stops drawing. Idempotent. */
  end(): void;
}

export function createProgress(output: Output, title: string, now: () => number = Date.now): Progress {
  const label = plainText(title);
  let current: string | undefined;
  let began = now();
  let detail = '';
  let frame = 0;
  let ended = false;

  const draw = (): void => {
    if (current === undefined) return;
    frame = (frame + 1) % FRAMES.length;
    const columns = process.stderr.columns || 80;
    const text = `${FRAMES[frame]} ${label}: ${current} ${formatDuration(now() - began)}${detail === '' ? '' : `  ${detail}`}`;
    output.raw(`\r\u001b[K${truncateToWidth(text, columns - 1)}`);
  };
  const say = (): void => {
    if (current !== undefined) output.note(`${label}: still at ${current} (${formatDuration(now() - began)})`);
  };
  const timer = setInterval(output.interactive ? draw : say, output.interactive ? FRAME_MS : STILL_MS);
  timer.unref();

  const finishStep = (): void => {
    if (current === undefined || !output.interactive) return;
    output.raw(`\r\u001b[K${output.errorColors.green('✔')} ${label}: ${current} ${formatDuration(now() - began)}\n`);
  };

  return {
    phase(name) {
      const next = plainText(name);
      if (ended || next === '' || next === current) return;
      finishStep();
      current = next;
      began = now();
      detail = '';
      if (output.interactive) draw();
      else output.note(`${label}: ${next}`);
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
