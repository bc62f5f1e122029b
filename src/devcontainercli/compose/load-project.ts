import { dirname, join } from 'node:path';

import { expandVariables } from '../inputs/expand-variables.ts';
import { MAX_COMPOSE_FILES } from '../inputs/input-bounds.ts';
import { pathFrom, type InputCollector } from '../inputs/input-collector.ts';
import { InvalidInput, quotable } from '../inputs/invalid-input.ts';
import { addEnvironmentFile, type ComposeVariables } from './compose-variables.ts';
import type { YamlBudget } from './parse-yaml.ts';
import { isRecord, own, recordOf, textsOf } from './untrusted-record.ts';

/** One document of a compose file, in one role: what is relative in it is so to `base`. */
export interface ComposeDocument {
  readonly path: string;
  readonly name: string;
  readonly base: string;
  readonly variables: ComposeVariables;
  readonly content: Readonly<Record<string, unknown>>;
}

export interface ComposeProject {
  /** In the order in which they are laid over one another, then those that are included. */
  readonly documents: readonly ComposeDocument[];
  /** Those of a file that `document` extends. */
  extended(path: string, document: ComposeDocument): readonly ComposeDocument[];
  /** Every document once: those named first, then what they take in. */
  readonly all: readonly ComposeDocument[];
}

export interface ComposeReader {
  readonly collector: InputCollector;
  /** A file that compose may read and that was not seen: it can ask for anything. */
  unseen(reference: string, source: string): void;
}

/** Where a path leads that stands in a compose file; `undefined` when it cannot be told. */
export function composePath(
  { collector }: Pick<ComposeReader, 'collector'>,
  { base, variables }: Pick<ComposeDocument, 'base' | 'variables'>,
  text: string,
): string | undefined {
  const path = expandVariables(text, variables.lookup, 'compose', collector.expansion);
  // The home directory is not known here, and what lies elsewhere is not read.
  return path === undefined || path === '' || /^~|^[a-z][a-z0-9+.-]*:|^git@/i.test(path) || path.includes('\0')
    ? undefined
    : pathFrom(base, path);
}

/** Reads compose files and every file that they take in by `extends` and `include`. Circles end. */
export async function loadProject(
  reader: ComposeReader,
  paths: readonly string[],
  project: { readonly base: string; readonly variables: ComposeVariables; readonly source: string },
): Promise<ComposeProject> {
  const { collector } = reader;
  const parsed = new Map<string, readonly Readonly<Record<string, unknown>>[]>();
  const loaded = new Map<string, readonly ComposeDocument[]>();
  const laid: ComposeDocument[] = [];
  const yaml: { budget?: YamlBudget } = {};
  type Place = Pick<ComposeDocument, 'path' | 'base' | 'variables'> & {
    readonly isLaid: boolean;
    readonly source: string;
  };
  const open: Place[] = paths.map((path) => ({ ...project, path, isLaid: true }));
  const scopes = new Map<ComposeVariables, number>();
  const included = new Map<string, Promise<ComposeVariables>>();
  /** Equal ones are the same, so that circles end. */
  const includedVariables = (outer: ComposeVariables, envFiles: readonly string[]): Promise<ComposeVariables> => {
    const id = `${scopes.get(outer) ?? 0}\0${envFiles.join('\0')}`;
    const known = included.get(id);
    if (known === undefined && included.size === MAX_COMPOSE_FILES) {
      throw invalid(`more than ${MAX_COMPOSE_FILES} projects are included`);
    }
    const variables = known ?? outer.including(envFiles);
    included.set(id, variables);
    return variables;
  };
  /** The same file in another place, or with other variables, says something else. */
  const placeId = ({ path, base, variables }: Pick<Place, 'path' | 'base' | 'variables'>): string => {
    const scope = scopes.get(variables) ?? scopes.size;
    scopes.set(variables, scope);
    return `${path}\0${base}\0${scope}`;
  };

  for (const place of open) {
    const id = placeId(place);
    if (loaded.has(id)) continue;
    if (loaded.size === MAX_COMPOSE_FILES) throw invalid(`more than ${MAX_COMPOSE_FILES} compose files`);
    const contents = parsed.get(place.path) ?? (await readCompose(reader, place.path, place.source, yaml));
    parsed.set(place.path, contents);
    const { path, base, variables } = place;
    const name = collector.nameOf(path);
    const documents = contents.map((content) => ({ path, base, variables, name, content }));
    loaded.set(id, documents);
    if (place.isLaid) laid.push(...documents);
    for (const document of documents) {
      for (const service of Object.values(recordOf(own(document.content, 'services')))) {
        await takeService(document, recordOf(service));
      }
      const includes = own(document.content, 'include');
      for (const include of Array.isArray(includes) ? includes : [includes]) await takeInclude(document, include);
    }
  }
  const all = [...new Map([...loaded.values()].flat().map((document) => [document.content, document])).values()];
  return {
    documents: laid,
    all,
    extended: (path, { variables }) => loaded.get(placeId({ path, base: dirname(path), variables })) ?? [],
  };

  async function takeService(document: ComposeDocument, service: Readonly<Record<string, unknown>>): Promise<void> {
    const extended = own(service, 'extends');
    const file = isRecord(extended) ? own(extended, 'file') : undefined;
    if (typeof file === 'string') {
      const path = composePath(reader, document, file);
      if (path === undefined) reader.unseen(file, document.name);
      else {
        const { name: source, variables } = document;
        open.push({ path, base: dirname(path), variables, isLaid: false, source });
      }
    }
    for (const property of ['env_file', 'label_file']) {
      const value = own(service, property);
      for (const one of Array.isArray(value) ? value : [value]) {
        const text = isRecord(one) ? own(one, 'path') : one;
        if (typeof text !== 'string') continue;
        const path = composePath(reader, document, text);
        if (path !== undefined && collector.has(collector.nameOf(path))) continue;
        if (path !== undefined) await addEnvironmentFile(collector, path);
        else
          collector.problem(`${document.name}: ${property} ${text} is not looked at: it cannot be told where it is.`);
      }
    }
  }

  async function takeInclude(document: ComposeDocument, include: unknown): Promise<void> {
    const settings = isRecord(include) ? include : { path: include };
    const taken: string[] = [];
    for (const text of textsOf(own(settings, 'path'))) {
      const path = composePath(reader, document, text);
      if (path === undefined) reader.unseen(text, document.name);
      else taken.push(path);
    }
    const [first] = taken;
    if (first === undefined) return;
    const directory = own(settings, 'project_directory');
    const projectDirectory = typeof directory === 'string' ? composePath(reader, document, directory) : dirname(first);
    if (projectDirectory === undefined) return reader.unseen(String(directory), document.name);
    const envFiles: string[] = [];
    for (const text of textsOf(own(settings, 'env_file'))) {
      const path = composePath(reader, document, text);
      if (path === undefined) return reader.unseen(text, document.name);
      envFiles.push(path);
    }
    if (envFiles.length === 0) envFiles.push(join(projectDirectory, '.env'));
    const variables = await includedVariables(document.variables, envFiles);
    for (const path of taken) {
      open.push({ path, base: projectDirectory, variables, isLaid: true, source: document.name });
    }
  }
}

async function readCompose(
  { collector, unseen }: ComposeReader,
  path: string,
  source: string,
  left: { budget?: YamlBudget },
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const name = collector.nameOf(path);
  const file = await collector.readText(path);
  if (file.kind === 'missing') {
    collector.addAbsence(name, file.kind);
    unseen(name, source);
    return [];
  }
  // What it asks for would not be known.
  if (file.kind !== 'text') throw invalid(`it cannot be read (${file.kind})`, name);
  // Most configurations have no compose file, and the parser is large.
  const { parseYaml, YAML_BUDGET } = await import('./parse-yaml.ts');
  left.budget ??= { ...YAML_BUDGET };
  const yaml = parseYaml(file.text, left.budget);
  if ('error' in yaml) throw new InvalidInput(quotable(file, yaml.error), name);
  const documents = yaml.documents.filter((document) => isRecord(document));
  if (documents.length === 0 || documents.length < yaml.documents.length) throw invalid('must be a mapping', name);
  collector.add(name, yaml.value);
  if (file.isInside) collector.shown.add(name, file.text);
  else collector.shown.addHash(name, yaml.value);
  return documents;
}

function invalid(message: string, name?: string): InvalidInput {
  return new InvalidInput({ message, line: 1, column: 1 }, name);
}
