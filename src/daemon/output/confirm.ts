import { createInterface } from 'node:readline/promises';

interface Terminal {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}

/** Asks whoever sits at the terminal. Only a clear yes is one: an empty line and the end of the input are a no. */
export async function confirm(
  question: string,
  { input, output }: Terminal = { input: process.stdin, output: process.stderr },
): Promise<boolean> {
  const reader = createInterface({ input, output, terminal: false });
  const closed = new Promise<undefined>((resolve) => reader.once('close', () => resolve(undefined)));
  try {
    const answer = await Promise.race([reader.question(`${question} [y/N] `), closed]);
    if (answer === undefined) output.write('\n');
    return /^(?:y|yes)$/i.test(answer?.trim() ?? '');
  } finally {
    reader.close();
  }
}

/** Somebody can be asked: both what is typed and what is shown is a terminal. */
export function canAsk({ input, output }: Terminal = { input: process.stdin, output: process.stderr }): boolean {
  return input.isTTY === true && output.isTTY === true;
}
