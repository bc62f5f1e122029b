import type {
  AttachedProcess,
  CommandExit,
  CommandProcess,
  OutputChunk,
  RunningCommand,
} from '../agentcontainers/ports.ts';
import { createDeferred } from '../async/deferred.ts';
import type { Deferred } from '../async/deferred.ts';
import { createItemPipe } from '../async/item-pipe.ts';
import { commandProcess, EXITED } from './test-runtime.ts';

// Support of the tests in this folder; not published.

/** A command or terminal that a test plays; its output waits for its reader as that of a resident does. */
export class FakeProcess {
  readonly #exited = createDeferred<CommandExit>();
  readonly #pipe = createItemPipe<OutputChunk>(() => {
    for (const resolve of this.#hasRoom.splice(0)) resolve();
  });
  readonly #hasRoom: (() => void)[] = [];
  readonly #part: Partial<CommandProcess>;
  readonly input: string[] = [];
  inputBytes = 0;
  detaches = 0;
  /** Set: what is written is not taken until it resolves. */
  gate: Deferred<void> | undefined;
  /** Where output begins. */
  at: number;
  #exit: CommandExit | undefined;

  constructor(part: Partial<CommandProcess> = {}) {
    this.#part = part;
    this.at = part.output?.start ?? 0;
  }

  get process(): CommandProcess {
    return commandProcess({
      id: 'abcd-1',
      pid: 7,
      argv: ['sh'],
      cwd: '/workspace',
      kind: 'exec',
      running: this.#exit === undefined,
      exit: this.#exit,
      output: { start: 0, end: this.at },
      stdin: { written: this.inputBytes, isOpen: true },
      ...this.#part,
    });
  }

  /** Prints; resolves when more may be printed. */
  print(content: string | Uint8Array, stream: OutputChunk['stream'] = 'stdout'): Promise<void> {
    const bytes = Buffer.from(content as string);
    const isFree = this.#pipe.push({ stream, offset: this.at, bytes }, bytes.length);
    this.at += bytes.length;
    return isFree ? Promise.resolve() : new Promise((resolve) => this.#hasRoom.push(resolve));
  }

  /** Loses output, as one does that nobody has read. */
  lose(bytes: number): void {
    this.at += bytes;
  }

  exit(how: Partial<CommandExit> = {}): void {
    this.#exit = { ...EXITED, ...how };
    this.#pipe.end();
    this.#exited.resolve(this.#exit);
  }

  fail(error: unknown): void {
    this.#pipe.fail(error);
  }

  /** Its end is known, its output is not complete. */
  lost(error: unknown): void {
    this.#pipe.fail(error);
    this.exit({ code: null, reason: 'lost' });
  }

  get running(): RunningCommand {
    return { ...this.attached, ...this.#fields(), via: 'resident', kill: () => Promise.reject(new Error('not used')) };
  }

  get attached(): AttachedProcess {
    return this.#fields();
  }

  #fields() {
    const describe = (): CommandProcess => this.process;
    return {
      get process() {
        return describe();
      },
      offset: this.at,
      output: this.#pipe,
      exited: this.#exited.promise,
      write: async (bytes: Uint8Array | string) => {
        this.inputBytes += bytes.length;
        await this.gate?.promise;
        this.input.push(Buffer.from(bytes as string).toString());
      },
      closeStdin: () => void this.input.push('<end>'),
      resize: () => Promise.reject(new Error('not used')),
      detach: () => {
        this.detaches++;
        this.#pipe.discard();
      },
    };
  }
}
