import { mayBeInEnvironment } from '../child-environment.ts';
import type { Lookup } from '../inputs/expand-variables.ts';
import { valueOf, type InputCollector } from '../inputs/input-collector.ts';
import { MAX_ENV_VARIABLES } from '../inputs/input-bounds.ts';
import { InvalidInput } from '../inputs/invalid-input.ts';
import { readEnvFile, type EnvFile } from './env-file.ts';

/**
 * Variables by which compose replaces `${NAME}` in the files of one project. A project that is included sees those of the
 * one that includes it, and then its own; not the other way round.
 */
export interface ComposeVariables {
  /** Those of a project that is included, with the values of these files in addition. */
  including(paths: readonly string[]): Promise<ComposeVariables>;
  /** How much is known: one that includes no more is the same. */
  readonly size: number;
  readonly lookup: Lookup;
  /** What the files of this project say, whatever is in the environment. */
  inFiles(name: string): string | undefined;
  /**
   * What files say, of this project and of those it includes; one whose value cannot be told from them begins with
   * `${NAME}`.
   */
  all(): Readonly<Record<string, string>>;
}

/**
 * @param beside of a file that some versions of compose read in place of these, and others do not: where it says something
 *   else, it cannot be told what counts
 */
export async function readComposeVariables(
  collector: InputCollector,
  paths: readonly string[],
  beside: EnvFile['values'] = new Map<string, string | undefined>(),
): Promise<ComposeVariables> {
  const files = new Map<string, Promise<EnvFile>>();
  /** What any file says, to tell where two say different things. */
  const said = new Map([...beside].map(([name, value]) => [name, new Set([value])]));

  const read = (path: string): Promise<EnvFile> => {
    const reading = files.get(path) ?? readVariables(collector, path);
    files.set(path, reading);
    return reading;
  };

  async function scope(paths: readonly string[], outer: EnvFile): Promise<ComposeVariables> {
    const values = new Map(outer.values);
    let { isAmbiguous } = outer;
    for (const path of new Set(paths)) {
      const file = await read(path);
      isAmbiguous ||= file.isAmbiguous;
      for (const [name, value] of file.values) {
        if (!values.has(name)) values.set(name, value);
        said.set(name, (said.get(name) ?? new Set()).add(value));
      }
    }
    const self: ComposeVariables = {
      async including(inner) {
        const wider = await scope(inner, { values, isAmbiguous });
        // Nothing new: the same, so that circles end.
        return wider.size === self.size ? self : wider;
      },
      size: values.size + (isAmbiguous ? 1 : 0),
      lookup: (name) => {
        // What is in the environment goes before what is in a file.
        if (mayBeInEnvironment(name) || (beside.has(name) && beside.get(name) !== values.get(name))) return undefined;
        return values.has(name) ? values.get(name) : isAmbiguous ? undefined : null;
      },
      inFiles: (name) => values.get(name),
      all: () =>
        Object.fromEntries(
          [...said].map(([name, saidOf]) => {
            const texts = [...saidOf].filter((text) => text !== undefined);
            // What names a project is never replaced in a file, so its value misleads nobody.
            const isTold = saidOf.size === 1 && (values.has(name) || mayBeInEnvironment(name));
            const value = isTold ? texts[0] : undefined;
            return [name, value ?? [`\${${name}}`, ...texts].join(' or ')];
          }),
        ),
    };
    return self;
  }
  return scope(paths, { values: new Map(), isAmbiguous: false });
}

async function readVariables(collector: InputCollector, path: string): Promise<EnvFile> {
  const file = await addEnvironmentFile(collector, path);
  if (file.kind === 'missing') return { values: new Map(), isAmbiguous: false };
  if (file.kind !== 'text') {
    // What compose would make of its files is not known then, and so not what they ask for.
    const message = `it cannot be read (${file.kind})`;
    throw new InvalidInput({ message, line: 1, column: 1 }, collector.nameOf(path));
  }
  const read = readEnvFile(file.text);
  if (read.values.size > MAX_ENV_VARIABLES) {
    throw new InvalidInput(
      { message: `more than ${MAX_ENV_VARIABLES} variables`, line: 1, column: 1 },
      collector.nameOf(path),
    );
  }
  if (file.isInside) return read;
  // A value from outside of the workspace is never shown.
  return { ...read, values: new Map([...read.values.keys()].map((name) => [name, undefined])) };
}

/** An env file is an input; of its values only hashes are ever shown. */
export async function addEnvironmentFile(
  collector: InputCollector,
  path: string,
): ReturnType<InputCollector['readText']> {
  const name = collector.nameOf(path);
  const file = await collector.readText(path);
  if (file.kind !== 'text') {
    collector.addAbsence(name, file.kind);
    return file;
  }
  const value = valueOf(file.text);
  collector.add(name, value);
  if (file.isInside && collector.shown.wanted) collector.shown.add(name, withoutValues(file.text));
  else collector.shown.addHash(name, value);
  return file;
}

/** More lines are longer than what is shown of one input. */
const MAX_LINES = 4_000;

/** Each line with a hash in place of everything but a name. */
export function withoutValues(text: string): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, MAX_LINES)
    .map((line) => {
      const name = /^(?:export )?([A-Za-z_][A-Za-z0-9_]*)=/.exec(line)?.[1];
      return `${name === undefined ? '' : `${name} `}sha256 ${valueOf(line).slice(0, 12)}\n`;
    })
    .join('');
}
