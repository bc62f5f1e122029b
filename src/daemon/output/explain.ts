import type { Output } from './output.ts';
import { plainText } from './plain-text.ts';

/** Where words about an end go: what failed, and what is only good to know. */
export interface Explain {
  readonly error: (message: string) => void;
  readonly note: (message: string) => void;
}

/** Words on standard error, beside what a command in a container itself writes there. */
export function explainTo(output: Output): Explain {
  return {
    error: (message) => output.note(`${output.errorColors.red('error:')} ${plainText(message)}`),
    note: (message) => output.note(plainText(message)),
  };
}
