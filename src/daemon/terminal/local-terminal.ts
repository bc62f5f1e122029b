import { spawnSync } from 'node:child_process';
import type { TerminalSize } from '../../agentcontainers/ports.ts';

export interface Stdio {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

const LARGEST = 10_000;
const STTY_MS = 2_000;

/** Somebody sits there: both what is typed and what is shown is a terminal. */
export function isInteractive({ stdin, stdout }: Stdio): boolean {
  return stdin.isTTY === true && stdout.isTTY === true;
}

/** Of the terminal on stdout, or else on stderr; 80 by 24 where there is none, or where it does not say. */
export function terminalSize({ stdout, stderr }: Stdio): TerminalSize {
  const of = (name: 'columns' | 'rows', fallback: number): number =>
    Math.min(stdout[name] || stderr[name] || fallback, LARGEST);
  return { width: of('columns', 80), height: of('rows', 24) };
}

/**
 * Every key goes to whoever reads, none to the local terminal. The returned function takes that back; it is called at
 * the end of the process as well, whatever ends it.
 */
export function enterRawMode(stdin: NodeJS.ReadStream): () => void {
  if (!stdin.isTTY || stdin.isRaw) return () => {};
  // Of a terminal that has gone whoever reads it hears; nobody else has to.
  stdin.on('error', () => {});
  stdin.setRawMode(true);
  // Node.js leaves it to the terminal to make two characters of a line feed, which is wrong on top of a terminal that has done
  // so, or has been told not to. Taken back with the rest.
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'], timeout: STTY_MS });
  const restore = (): void => {
    process.removeListener('exit', restore);
    try {
      stdin.setRawMode(false);
    } catch {
      // The terminal has gone.
    }
  };
  process.on('exit', restore);
  return restore;
}
