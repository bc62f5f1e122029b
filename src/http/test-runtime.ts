import type { DevcontainerRuntime } from '../agentcontainers/api.ts';
import type {
  CommandExit,
  CommandProcess,
  ContainerFiles,
  FileStat,
  OutputChunk,
  RunningCommand,
  Via,
} from '../agentcontainers/ports.ts';
import { createItemPipe } from '../async/item-pipe.ts';
import { createDeferred } from '../async/deferred.ts';

// Support of the tests in this folder; not published.

/** A container with a resident, in which happens what the script says; any other call throws its name. */
export function scriptedRuntime(
  script: Partial<Omit<DevcontainerRuntime, 'files'>> & { readonly files?: Partial<ContainerFiles> } = {},
): DevcontainerRuntime {
  const { files = {}, ...rest } = script;
  const via = (): Promise<Via> => Promise.resolve('resident');
  return unscripted<DevcontainerRuntime>('', { via, ...rest, files: unscripted<ContainerFiles>('files.', files) });
}

function unscripted<T extends object>(prefix: string, script: object): T {
  return new Proxy(script, {
    get(target, name) {
      if (typeof name === 'symbol' || name === 'then' || name in target) return Reflect.get(target, name) as unknown;
      return () => {
        throw new Error(`unscripted call: ${prefix}${name}`);
      };
    },
  }) as T;
}

export const EXITED: CommandExit = {
  code: 0,
  signal: null,
  reason: 'exit',
  survivors: [],
  backgroundHeld: false,
  via: 'resident',
};

export function commandProcess(part: Partial<CommandProcess> = {}): CommandProcess {
  return {
    id: 'ab12-1',
    pid: 42,
    argv: ['sleep', '1000'],
    cwd: '/w',
    user: 'dev',
    tty: null,
    merged: false,
    kind: 'background',
    startedAt: '2025-01-31T12:00:00.000Z',
    running: true,
    output: { start: 0, end: 0 },
    via: 'resident',
    ...part,
  };
}

export function fileStat(part: Partial<FileStat> = {}): FileStat {
  return {
    path: '/w/a',
    type: 'file',
    size: 3,
    mode: '0644',
    modifiedAt: '2025-01-31T12:00:00.000Z',
    uid: 1000,
    gid: 1000,
    ...part,
  };
}

/** Calls with these answers, which write down what they were called with, but for signals. */
export function noted() {
  const calls: unknown[] = [];
  const note =
    <T>(name: string, answer: T) =>
    async (...args: unknown[]): Promise<T> => {
      calls.push([name, ...args.filter((arg) => !(arg instanceof AbortSignal))]);
      return answer;
    };
  return { calls, note };
}

export interface ScriptedCommand {
  readonly command: RunningCommand;
  /** What was written to it, and `<end>`. */
  readonly written: Buffer[];
  readonly calls: string[];
  /** Chunks that were taken from it. */
  readonly taken: () => number;
  say(text: string | Uint8Array, stream?: 'stdout' | 'stderr'): void;
  end(exit?: Partial<CommandExit>): void;
  fail(error: Error): void;
}

/** A running command that does what the test says. */
export function scriptedCommand(): ScriptedCommand {
  const exited = createDeferred<CommandExit>();
  const pipe = createItemPipe<OutputChunk>(() => {});
  const written: Buffer[] = [];
  const calls: string[] = [];
  let offset = 0;
  let taken = 0;
  async function* output(): AsyncGenerator<OutputChunk> {
    for await (const chunk of pipe) {
      taken++;
      yield chunk;
    }
  }
  const end = (exit: Partial<CommandExit> = {}): void => {
    pipe.end();
    exited.resolve({ ...EXITED, ...exit });
  };
  const command: RunningCommand = {
    process: commandProcess({ kind: 'exec' }),
    via: 'resident',
    output: output(),
    write: async (bytes) => void written.push(Buffer.from(bytes as Uint8Array)),
    closeStdin: () => void written.push(Buffer.from('<end>')),
    resize: () => Promise.reject(new Error('unscripted call: resize')),
    async kill() {
      calls.push('kill');
      end({ code: null, signal: 'SIGKILL', reason: 'killed' });
      return exited.promise;
    },
    detach() {
      calls.push('detach');
      pipe.discard();
    },
    exited: exited.promise,
  };
  return {
    command,
    written,
    calls,
    taken: () => taken,
    say(text, stream = 'stdout') {
      const bytes = Buffer.from(text as string);
      pipe.push({ stream, offset, bytes }, bytes.length);
      offset += bytes.length;
    },
    end,
    fail(error) {
      pipe.fail(error);
    },
  };
}
