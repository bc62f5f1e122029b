import { expandVariables } from '../inputs/expand-variables.ts';
import type { Build } from '../inputs/collect-build.ts';
import { pathFrom } from '../inputs/input-collector.ts';
import { composePath, type ComposeDocument, type ComposeProject, type ComposeReader } from './load-project.ts';
import { isRecord, own, recordOf } from './untrusted-record.ts';

/** What one service is made from, laid together from all files that speak of it. */
interface ServiceSource {
  readonly image?: string | undefined;
  readonly build?: BuildParts | undefined;
}

interface BuildParts {
  /** `null` when it is no directory here. */
  readonly context?: string | null | undefined;
  readonly dockerfile?: string | undefined;
  readonly inline?: string | undefined;
  readonly target?: string | undefined;
  readonly args: ReadonlyMap<string, string | undefined>;
  readonly contexts: ReadonlySet<string>;
}

/** How many definitions are laid together; circles end there. */
const MAX_DEFINITIONS = 200;
/** Of one definition: those of all are laid together again for each service that extends another. */
const MAX_ARGS = 1_000;

/** The image that a service runs, or what its image is built from. */
export function serviceBuild(
  reader: ComposeReader,
  project: ComposeProject,
  service: string,
): { readonly image: string } | Build | undefined {
  const left = { definitions: MAX_DEFINITIONS };
  const source = laidTogether(project.documents.map((document) => sourceIn(reader, project, document, service, left)));
  if (source.build === undefined) {
    return source.image === undefined || source.image === '' ? undefined : { image: source.image };
  }
  const { dockerfile, inline, target, args, contexts } = source.build;
  const context = source.build.context === undefined ? project.documents[0]?.base : source.build.context;
  const file = dockerfile ?? 'Dockerfile';
  return {
    context: context ?? undefined,
    dockerfile: inline === undefined ? (context ? pathFrom(context, file) : undefined) : { inline },
    args,
    target,
    contexts,
  };
}

function sourceIn(
  reader: ComposeReader,
  project: ComposeProject,
  document: ComposeDocument,
  name: string,
  left: { definitions: number },
): ServiceSource {
  const service = recordOf(own(recordOf(own(document.content, 'services')), name));
  const image = own(service, 'image');
  const source: ServiceSource = {
    image: typeof image === 'string' ? expand(reader, document, image, `the image "${image}"`) : undefined,
    build: buildParts(reader, document, own(service, 'build')),
  };
  const extended = own(service, 'extends');
  if (extended === undefined || left.definitions-- <= 0) return source;
  const base = recordOf(extended);
  const baseName = typeof extended === 'string' ? extended : own(base, 'service');
  const file = own(base, 'file');
  if (typeof baseName !== 'string') return source;
  const documents = typeof file === 'string' ? extendedFile(reader, project, document, file) : [document];
  return laidTogether([...documents.map((one) => sourceIn(reader, project, one, baseName, left)), source]);
}

function extendedFile(
  reader: ComposeReader,
  project: ComposeProject,
  document: ComposeDocument,
  file: string,
): readonly ComposeDocument[] {
  const path = composePath(reader, document, file);
  return path === undefined ? [] : project.extended(path, document);
}

function buildParts(reader: ComposeReader, document: ComposeDocument, build: unknown): BuildParts | undefined {
  if (typeof build !== 'string' && !isRecord(build)) return undefined;
  const parts = typeof build === 'string' ? { context: build } : build;
  const text = (property: string): string | undefined => {
    const value = own(parts, property);
    return typeof value === 'string' ? expand(reader, document, value, `build.${property}`) : undefined;
  };
  const context = own(parts, 'context');
  return {
    context: typeof context === 'string' ? (composePath(reader, document, context) ?? null) : undefined,
    dockerfile: text('dockerfile'),
    inline: text('dockerfile_inline'),
    target: text('target'),
    args: argsOf(reader, document, own(parts, 'args')),
    contexts: new Set(namesOf(own(parts, 'additional_contexts'))),
  };
}

/** A list of `NAME=value` and `NAME`, or an object; without a value it is that of the environment. */
function argsOf(
  { collector }: ComposeReader,
  { variables, name }: ComposeDocument,
  args: unknown,
): ReadonlyMap<string, string | undefined> {
  const pairs: readonly (readonly [string, unknown])[] = Array.isArray(args)
    ? args.filter((one) => typeof one === 'string').map(splitOnce)
    : Object.entries(recordOf(args));
  if (pairs.length > MAX_ARGS)
    collector.problem(`${name}: more than ${MAX_ARGS} build arguments: the others are not looked at.`);
  const valueOf = (value: unknown): string | undefined => {
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    return typeof value === 'string'
      ? expandVariables(value, variables.lookup, 'compose', collector.expansion)
      : undefined;
  };
  return new Map(pairs.slice(0, MAX_ARGS).map(([name, value]) => [name, valueOf(value)]));
}

function namesOf(list: unknown): readonly string[] {
  return Array.isArray(list)
    ? list.filter((one) => typeof one === 'string').map((one) => splitOnce(one)[0])
    : Object.keys(recordOf(list));
}

function splitOnce(text: string): [string, string | undefined] {
  const at = text.indexOf('=');
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function laidTogether(sources: readonly ServiceSource[]): ServiceSource {
  return sources.reduce<ServiceSource>(
    (under, over) => ({ image: over.image ?? under.image, build: builtTogether(under.build, over.build) }),
    {},
  );
}

function builtTogether(under: BuildParts | undefined, over: BuildParts | undefined): BuildParts | undefined {
  if (!under || !over) return over ?? under;
  return {
    context: over.context === undefined ? under.context : over.context,
    dockerfile: over.dockerfile ?? under.dockerfile,
    inline: over.inline ?? under.inline,
    target: over.target ?? under.target,
    args: new Map([...under.args, ...over.args]),
    contexts: new Set([...under.contexts, ...over.contexts]),
  };
}

function expand(
  { collector }: ComposeReader,
  { variables, name }: ComposeDocument,
  text: string,
  what: string,
): string | undefined {
  const expanded = expandVariables(text, variables.lookup, 'compose', collector.expansion);
  if (expanded === undefined) collector.problem(`${name}: ${what} is not looked at: it depends on a variable.`);
  return expanded;
}
