import { expandVariables, type Lookup } from './expand-variables.ts';
import { createExpansionBudget, type ExpansionBudget } from './expansion-budget.ts';
import { shellWords, type Instruction } from './dockerfile.ts';

/** What a Dockerfile takes from elsewhere. */
export interface DockerfileFacts {
  /** Images of FROM and `COPY --from`, without those that cannot be told. */
  readonly images: readonly string[];
  /** Paths and patterns below the build context, as written, variables replaced; `.` is all of it. */
  readonly sources: readonly string[];
  /** What cannot be told, as parts of a sentence. */
  readonly unknown: readonly string[];
}

export interface BuildSettings {
  /** A value of `undefined` is not known. */
  readonly args: ReadonlyMap<string, string | undefined>;
  readonly target?: string | undefined;
  /** Further contexts by name: they are no images. */
  readonly contexts: ReadonlySet<string>;
}

/** ARG values that the builder sets; which platform is built for is not in any file. */
const SET_BY_BUILDER = /^(?:TARGET|BUILD)(?:PLATFORM|OS|ARCH|VARIANT)$/;
const ELSEWHERE = /^(?:[a-z][a-z0-9+.-]*:\/\/|git@)/i;

/** Reads the stages up to the target, as they stand: stages that nothing needs count too. */
export function dockerfileFacts(
  instructions: readonly Instruction[],
  settings: BuildSettings,
  budget: ExpansionBudget = createExpansionBudget(() => {}),
): DockerfileFacts {
  const images = new Set<string>();
  const sources = new Set<string>();
  const unknown = new Set<string>();
  const stages = new Set<string>();
  const globals = new Map<string, string | null | undefined>();
  let stage: Map<string, string | null | undefined> | undefined;
  let stageCount = 0;
  let isTarget = false;
  const target = settings.target?.toLowerCase();

  const globalLookup: Lookup = (name) => {
    if (globals.has(name)) return globals.get(name);
    return SET_BY_BUILDER.test(name) ? undefined : null;
  };
  // What is declared nowhere in the stage may come from the image that it is made from.
  const stageLookup: Lookup = (name) => stage?.get(name);
  const tell = (text: string, lookup: Lookup, what: string): string | undefined => {
    const value = expandVariables(text, lookup, 'dockerfile', budget);
    if (value === undefined) unknown.add(`${what} ${text}`);
    return value;
  };
  const addImage = (reference: string): void => {
    if (reference === '' || reference === 'scratch' || stages.has(reference.toLowerCase())) return;
    if (/^\d+$/.test(reference) || settings.contexts.has(reference)) return;
    images.add(reference);
  };

  for (const { keyword, text } of instructions) {
    const { flags, words } = splitFlags(text);
    switch (keyword) {
      case 'FROM': {
        if (isTarget) return result();
        const image = tell(words[0] ?? '', globalLookup, 'FROM');
        if (image !== undefined) addImage(image);
        const name = words[1]?.toLowerCase() === 'as' ? words[2]?.toLowerCase() : undefined;
        isTarget = target !== undefined && [name, String(stageCount)].includes(target);
        if (name !== undefined) stages.add(name);
        stageCount++;
        stage = new Map();
        break;
      }
      case 'ARG':
        for (const word of words) declare(word);
        break;
      case 'ENV':
        setEnvironment(words);
        break;
      case 'COPY':
      case 'ADD': {
        const from = flagOf(flags, 'from');
        if (from !== undefined) {
          const image = tell(from, globalLookup, `${keyword} --from`);
          if (image !== undefined) addImage(image);
          break;
        }
        for (const source of sourceWords(text, words)) {
          if (source.startsWith('<<')) continue;
          const path = tell(source, stageLookup, keyword);
          if (path !== undefined && !ELSEWHERE.test(path)) sources.add(path);
        }
        break;
      }
      case 'RUN':
        for (const [name, value] of flags) if (name === 'mount') addMount(value);
        break;
      default:
    }
  }
  return result();

  function result(): DockerfileFacts {
    return { images: [...images], sources: [...sources], unknown: [...unknown] };
  }

  function declare(word: string): void {
    const [, name, , value] = /^([A-Za-z_][A-Za-z0-9_]*)(=([^]*))?$/.exec(word) ?? [];
    if (name === undefined) return;
    const lookup = stage ? stageLookup : globalLookup;
    const fallback = value === undefined ? undefined : expandVariables(value, lookup, 'dockerfile', budget);
    if (settings.args.has(name)) (stage ?? globals).set(name, settings.args.get(name));
    else if (SET_BY_BUILDER.test(name)) (stage ?? globals).set(name, undefined);
    else if (value !== undefined) (stage ?? globals).set(name, fallback);
    else if (stage) stage.set(name, globals.has(name) ? globals.get(name) : null);
    else globals.set(name, null);
  }

  function setEnvironment(words: readonly string[]): void {
    if (!stage) return;
    // `ENV NAME some text` is the old form. All of one instruction see the values from before it.
    const pairs = words[0]?.includes('=') === true ? words : [`${words[0] ?? ''}=${words.slice(1).join(' ')}`];
    const values = pairs.map((word) => {
      const at = word.indexOf('=');
      return [word.slice(0, at), expandVariables(word.slice(at + 1), stageLookup, 'dockerfile', budget)] as const;
    });
    for (const [name, value] of values) stage.set(name, value);
  }

  function addMount(mount: string): void {
    const fields = new Map(mount.split(',').map((field) => [field.split('=')[0], field.split('=').slice(1).join('=')]));
    if ((fields.get('type') ?? 'bind') !== 'bind') return;
    const from = fields.get('from');
    if (from !== undefined) {
      const image = tell(from, globalLookup, 'RUN --mount from');
      if (image !== undefined) addImage(image);
      return;
    }
    const source = tell(fields.get('source') ?? fields.get('src') ?? '.', stageLookup, 'RUN --mount source');
    if (source !== undefined) sources.add(source);
  }
}

type Flags = readonly (readonly [name: string, value: string])[];

function flagOf(flags: Flags, wanted: string): string | undefined {
  return flags.findLast(([name]) => name === wanted)?.[1];
}

function splitFlags(text: string): { flags: Flags; words: string[] } {
  const words = shellWords(text);
  const flags: (readonly [string, string])[] = [];
  let at = 0;
  for (; words[at]?.startsWith('--') === true; at++) {
    const [, name, value] = /^--([a-z-]+)(?:=([^]*))?$/.exec(words[at] ?? '') ?? [];
    if (name !== undefined) flags.push([name, value ?? '']);
  }
  return { flags, words: words.slice(at) };
}

/** Everything but the last one; also in the form of a JSON array. */
function sourceWords(text: string, words: readonly string[]): readonly string[] {
  // From the first bracket: what stands before it are flags.
  const array = words[0]?.startsWith('[') === true ? text.trimEnd() : '';
  if (array.endsWith(']')) {
    try {
      const list: unknown = JSON.parse(array.slice(array.indexOf('[')));
      if (Array.isArray(list) && list.every((one) => typeof one === 'string')) return list.slice(0, -1) as string[];
    } catch {
      // Then it is no array but names with brackets.
    }
  }
  return words.slice(0, -1);
}
