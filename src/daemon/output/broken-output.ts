import { errorMessage } from '../../errors.ts';

interface Streams {
  readonly stdout: NodeJS.EventEmitter;
  readonly stderr: NodeJS.EventEmitter & { write(text: string): unknown };
}

type Exit = (code: number) => void;

let remove = (): void => {};
let install = (): void => {};

/**
 * What happens when standard output cannot be written. `end`: a reader that has seen enough (`… | head`) is no failure,
 * anything else (a full disk) is one, in a line on standard error. `go on`: for a daemon, which nobody has to read.
 * What standard error does not take is lost. The latest call counts; what is returned brings the one before back.
 */
export function onBrokenOutput(
  policy: 'end' | 'go on',
  { stdout, stderr }: Streams = process,
  exit: Exit = (code) => process.exit(code),
): () => void {
  const before = install;
  const onStdout = (error: NodeJS.ErrnoException): void => {
    if (policy === 'go on') return;
    if (error.code !== 'EPIPE') stderr.write(`error: Writing the output failed: ${errorMessage(error)}.\n`);
    exit(error.code === 'EPIPE' ? 0 : 1);
  };
  const onStderr = (): void => {};
  install = () => {
    remove();
    stdout.on('error', onStdout);
    stderr.on('error', onStderr);
    remove = () => {
      stdout.removeListener('error', onStdout);
      stderr.removeListener('error', onStderr);
    };
  };
  install();
  return () => {
    remove();
    remove = () => {};
    install = before;
    install();
  };
}
