import type { ExecExit, ExecSession, ExecSpec } from '../agentcontainers/ports.ts';
import { AgentContainersError } from '../errors.ts';
import { createQueue } from './queue.ts';
import type { Queue } from './queue.ts';

/** What a script sees of the command that it plays. */
export interface ScriptedExec {
  readonly spec: ExecSpec;
  /** Aborts when the session is dropped or the container ends. */
  readonly signal: AbortSignal;
  stdout(text: string | Uint8Array): void;
  stderr(text: string | Uint8Array): void;
  /** What is written to the command, piece by piece; ends when its standard input is closed. */
  readonly stdin: AsyncIterable<string>;
}

type ExecResult = number | ExecExit;

/** Either what the command prints and how it ends, or a function that plays it and returns its exit code. */
export type ExecBehaviour =
  | {
      readonly stdout?: string;
      readonly stderr?: string;
      /** Default 0. */
      readonly exitCode?: number;
      readonly outputHeld?: boolean;
    }
  | ((exec: ScriptedExec) => ExecResult | Promise<ExecResult>);

/** Which commands a behaviour is for: those whose argv begins so, whose joined argv matches, or that the function picks. */
export type ExecMatcher = readonly string[] | RegExp | ((spec: ExecSpec) => boolean);

export interface FakeExecSession extends ExecSession {
  readonly spec: ExecSpec;
  /** Ends the command from outside. `null`: the engine cannot tell how. */
  end(exitCode: number | null): void;
}

export function matchesExec(matcher: ExecMatcher, spec: ExecSpec): boolean {
  if (typeof matcher === 'function') return matcher(spec);
  if (matcher instanceof RegExp) return matcher.test(spec.argv.join(' '));
  return matcher.every((word, index) => spec.argv[index] === word);
}

/** @param report is told of a script that throws although its command was not ended */
export function createFakeExecSession(
  id: string,
  spec: ExecSpec,
  behaviour: ExecBehaviour,
  report: (problem: string) => void,
): FakeExecSession {
  const stdout = createQueue<Uint8Array>();
  const stderr = createQueue<Uint8Array>();
  const stdin = createQueue<string>();
  const stopped = new AbortController();
  let settle: ((exit: ExecExit) => void) | undefined;
  const exited = new Promise<ExecExit>((resolve) => {
    settle = resolve;
  });

  function finish(exit: ExecExit): void {
    if (!settle) return;
    settle(exit);
    settle = undefined;
    spec.signal?.removeEventListener('abort', drop);
    for (const queue of [stdout, stderr, stdin]) queue.end();
    stopped.abort(new AgentContainersError('cancelled', 'Cancelled: the command has ended.'));
  }

  const drop = () => finish({ exitCode: null, outputHeld: false });
  const print = (queue: Queue<Uint8Array>) => (text: string | Uint8Array) => queue.push(Buffer.from(text));

  async function play(): Promise<void> {
    const exec = { spec, signal: stopped.signal, stdin, stdout: print(stdout), stderr: print(stderr) };
    try {
      const result = await (typeof behaviour === 'function' ? behaviour(exec) : replay(exec, behaviour));
      finish(typeof result === 'number' ? { exitCode: result, outputHeld: false } : result);
    } catch (error) {
      if (!stopped.signal.aborted) report(`The script of ${describeExec(spec)} threw: ${String(error)}`);
      drop();
    }
  }

  spec.signal?.addEventListener('abort', drop, { once: true });
  void play();

  return {
    id,
    spec,
    stdout,
    stderr,
    exited,
    async write(text) {
      if (!spec.stdin || !settle) {
        const reason = settle ? 'its standard input was not asked for' : 'it has ended';
        throw new AgentContainersError('engine-conflict', `Writing to ${describeExec(spec)} failed: ${reason}.`);
      }
      stdin.push(Buffer.from(text).toString());
    },
    closeStdin: () => stdin.end(),
    close: drop,
    end: (exitCode) => finish({ exitCode, outputHeld: false }),
  };
}

/** The command as an error shows it. */
export function describeExec(spec: ExecSpec): string {
  return `\`${spec.argv.join(' ')}\``;
}

function replay(exec: ScriptedExec, behaviour: Exclude<ExecBehaviour, (...args: never[]) => unknown>): ExecExit {
  if (behaviour.stdout) exec.stdout(behaviour.stdout);
  if (behaviour.stderr) exec.stderr(behaviour.stderr);
  return { exitCode: behaviour.exitCode ?? 0, outputHeld: behaviour.outputHeld ?? false };
}
