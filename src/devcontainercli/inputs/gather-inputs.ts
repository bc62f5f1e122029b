import type { ConfigError, EntryKey } from '../../agentcontainers/model/devcontainer.ts';
import type { Finding } from '../../agentcontainers/model/verdict.ts';
import { errorMessage } from '../../errors.ts';
import { canonicalHash, canonicalJson, prettyJson } from '../canonical-json.ts';
import { collectCompose, type ComposeInputs } from '../compose/collect-compose.ts';
import { configDirectories } from '../config-paths.ts';
import { lockfilePath } from '../lockfile.ts';
import { parseStrictJsonc } from '../strict-jsonc.ts';
import { collectBuild } from './collect-build.ts';
import { collectFeatures } from './collect-features.ts';
import { collectWatched } from './collect-watched.ts';
import { commandFileFindings } from './command-files.ts';
import { configBuild, localVariables } from './config-build.ts';
import type { FileReader } from './file-reader.ts';
import { createInputCollector, valueOf, type InputCollector, type Wanted } from './input-collector.ts';
import { MAX_SHOWN_BYTES } from './input-bounds.ts';
import { InvalidInput } from './invalid-input.ts';
import { createKnownWays } from './known-ways.ts';
import type { ParsedInputs } from './parsed-inputs.ts';

/** What a configuration is made from, as it is now. */
export interface GatheredInputs {
  readonly outcome:
    | {
        readonly kind: 'valid';
        readonly inputs: Readonly<Record<string, string>>;
        readonly images: readonly string[];
        readonly modifiedAt: number;
        /** Of files; see `ValidConfig`. */
        readonly written: Readonly<Record<string, string>>;
        readonly parsed: ParsedInputs;
        /** Where it names compose files. */
        readonly project: ComposeInputs['project'];
        /** Of what was not seen, and of what only those know who have looked at files. */
        readonly unseen: readonly Finding[];
        readonly problems: readonly string[];
      }
    | { readonly kind: 'invalid'; readonly error: ConfigError }
    | { readonly kind: 'missing' };
  /** To watch; also of what is missing or broken. */
  readonly directories: readonly string[];
  /** Empty unless asked for. */
  readonly contents: Readonly<Record<string, string>>;
}

const UNREADABLE = {
  'not-regular': 'not a regular file',
  'too-large': 'larger than 1 MiB',
  'not-text': 'not valid UTF-8',
  unreadable: 'it cannot be read',
} as const;

/**
 * Looks at everything that a configuration is made from, once. Never rejects.
 *
 * @param wants for `directories` the values of inputs are not meaningful
 */
export async function gatherInputs(key: EntryKey, reader: FileReader, wants: Wanted): Promise<GatheredInputs> {
  const ways = createKnownWays();
  const directories = configDirectories(key, await ways.to(key.configPath));
  const collector = createInputCollector({ key, reader, ways, wants, directories });
  try {
    const config = await readConfig(collector);
    const outcome = config === undefined ? ({ kind: 'missing' } as const) : await gather(collector, config);
    return { outcome, directories: collector.result().directories, contents: collector.shown.all() };
  } catch (error) {
    const { configError } = error instanceof InvalidInput ? error : unexpected(error);
    const { directories } = collector.result();
    return { outcome: { kind: 'invalid', error: configError }, directories, contents: {} };
  }
}

/** Whatever it is, the configuration cannot be used, and may be mended: what is watched stays watched. */
export function unexpected(error: unknown): InvalidInput {
  return new InvalidInput({ message: `it cannot be worked out (${errorMessage(error)})`, line: 1, column: 1 });
}

type Config = Readonly<Record<string, unknown>>;

async function readConfig(
  collector: InputCollector,
): Promise<{ readonly config: Config; readonly realPath: string } | undefined> {
  const file = await collector.readText(collector.key.configPath);
  if (file.kind === 'missing') return undefined;
  if (file.kind !== 'text') throw new InvalidInput({ message: UNREADABLE[file.kind], line: 1, column: 1 });
  const parsed = parseStrictJsonc(file.text);
  if (!parsed.ok) throw new InvalidInput(parsed.error);
  // Who put a link in its place must not get to show what lies elsewhere; a path elsewhere was given by a person.
  const isShown = file.isInside || file.realPath === collector.key.configPath;
  for (const [name, value] of Object.entries(parsed.value)) {
    // A property that is called like a file must not stand in for one.
    const input = /^(?:\.?\/|image |")/.test(name) ? JSON.stringify(name) : name;
    const json = canonicalJson(value);
    const hash = valueOf(json);
    collector.add(input, hash);
    if (!isShown) collector.shown.addHash(input, hash);
    // Indented it can be very much longer.
    else if (collector.shown.wanted && json.length <= MAX_SHOWN_BYTES) collector.shown.add(input, prettyJson(value));
  }
  return { config: parsed.value, realPath: file.realPath };
}

async function gather(
  collector: InputCollector,
  { config, realPath }: { readonly config: Config; readonly realPath: string },
): Promise<GatheredInputs['outcome']> {
  const { key } = collector;
  const localPath = (text: string): string | undefined => localVariables(text, key);
  // Files that count by what they mean come first: as parts of a directory they do not count again.
  await addLockfile(collector);
  const compose = await collectCompose(collector, config, localPath);
  const features = await collectFeatures(collector, config);
  const build = configBuild(config, key, (sentence) => collector.problem(sentence));
  if (build !== undefined) await collectBuild(collector, build);
  const image = config['image'];
  if (typeof image === 'string') {
    const reference = localPath(image);
    if (reference !== undefined && reference !== '') collector.image(reference);
    else collector.problem(`The image "${image}" is not looked at: it depends on a variable.`);
  }
  await collectWatched(collector, config);
  const unseen = [...compose.unseen, ...(await commandFileFindings(collector, config))];
  const { inputs, images, modifiedAt, written, problems } = collector.result();
  const parsed = parsedInputs(key, { config, realPath }, compose, features);
  const { project } = compose;
  return { kind: 'valid', inputs, images, modifiedAt, written, problems, parsed, project, unseen };
}

/** An empty one asks the CLI to fill it, and counts as none. */
async function addLockfile(collector: InputCollector): Promise<void> {
  const path = lockfilePath(collector.key.configPath);
  const file = await collector.readText(path);
  if (file.kind === 'missing' || (file.kind === 'text' && file.text.trim() === '')) return;
  const name = collector.nameOf(path);
  if (file.kind !== 'text') return collector.addAbsence(name, file.kind);
  const parsed = parseStrictJsonc(file.text);
  const value = parsed.ok ? canonicalHash(parsed.value) : valueOf(file.text);
  collector.add(name, value);
  if (file.isInside) collector.shown.add(name, file.text);
  else collector.shown.addHash(name, value);
}

function parsedInputs(
  { workspaceFolder, configPath }: EntryKey,
  { config, realPath }: { readonly config: Config; readonly realPath: string },
  compose: ComposeInputs,
  features: { readonly local: ParsedInputs['localFeatures']; readonly remote: readonly string[] },
): ParsedInputs {
  return {
    workspaceFolder,
    configPath,
    realConfigPath: realPath,
    config,
    compose: compose.files,
    localFeatures: features.local,
    remoteFeatures: features.remote,
    composeVariables: compose.variables,
  };
}
