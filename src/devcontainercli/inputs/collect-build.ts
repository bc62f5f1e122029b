import { lstat, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { addFile, addTree } from './copied-files.ts';
import { dockerfileFacts, type BuildSettings } from './dockerfile-facts.ts';
import { parseDockerfile, type Dockerfile } from './dockerfile.ts';
import { NEVER_ENTERED } from './input-bounds.ts';
import { valueOf, type InputCollector } from './input-collector.ts';
import { InvalidInput, quotable } from './invalid-input.ts';
import { dockerIgnore, gitPatterns, type PathPatterns } from './path-patterns.ts';

export interface Build extends BuildSettings {
  /** Absolute path, or the text itself; `undefined` when it cannot be told. */
  readonly dockerfile: string | { readonly inline: string } | undefined;
  /** Absolute path; `undefined` when it is not a directory here, or cannot be told. */
  readonly context: string | undefined;
}

const MAX_SOURCES = 200;

/** What an image is built from: the Dockerfile, what it copies from its context, and the images it begins with. */
export async function collectBuild(collector: InputCollector, build: Build): Promise<void> {
  const name = typeof build.dockerfile === 'string' ? collector.nameOf(build.dockerfile) : 'dockerfile_inline';
  const dockerfile = await readDockerfile(collector, build, name);
  if (dockerfile === undefined) return;
  if (dockerfile.instructions === undefined) {
    collector.problem(`${name} is written in another syntax: what it copies and begins with is not looked at.`);
    return;
  }
  const { images, sources, unknown } = dockerfileFacts(dockerfile.instructions, build, collector.expansion);
  for (const image of images) collector.image(image);
  for (const what of unknown) collector.problem(`${name}: "${what}" is not looked at: it depends on a variable.`);
  if (sources.length === 0) return;
  if (build.context === undefined) {
    collector.problem(`${name}: what it copies is not looked at: its build context is not a directory here.`);
    return;
  }
  if (sources.length > MAX_SOURCES) {
    collector.problem(`${name} copies from more than ${MAX_SOURCES} places: the others are not looked at.`);
  }
  const leftOut = await readDockerIgnore(collector, build, build.context);
  for (const source of sources.slice(0, MAX_SOURCES)) await addSource(collector, build.context, source, leftOut);
}

async function readDockerfile(collector: InputCollector, build: Build, name: string): Promise<Dockerfile | undefined> {
  if (build.dockerfile === undefined) return undefined;
  if (typeof build.dockerfile !== 'string') {
    const inline = parseDockerfile(build.dockerfile.inline);
    // It is a part of a compose file, which counts as a whole. The fault is found when it is built.
    return 'error' in inline ? undefined : inline;
  }
  const file = await collector.readText(build.dockerfile);
  if (file.kind !== 'text') {
    if (file.kind !== 'missing') collector.problem(`${name} cannot be read (${file.kind}).`);
    collector.addAbsence(name, file.kind);
    return undefined;
  }
  const parsed = parseDockerfile(file.text);
  if ('error' in parsed) throw new InvalidInput(quotable(file, parsed.error), name);
  const value = valueOf(parsed.canonical);
  collector.add(name, value);
  if (file.isInside) collector.shown.add(name, file.text);
  else collector.shown.addHash(name, value);
  return parsed;
}

/** What is not sent to the builder. One beside the Dockerfile with its name goes before that of the context. */
async function readDockerIgnore(
  collector: InputCollector,
  { dockerfile }: Build,
  context: string,
): Promise<PathPatterns | undefined> {
  const places = [
    ...(typeof dockerfile === 'string' ? [`${dockerfile}.dockerignore`] : []),
    join(context, '.dockerignore'),
  ];
  for (const place of places) {
    const file = await collector.readText(place);
    if (file.kind !== 'text') continue;
    const patterns = dockerIgnore(file.text);
    if (patterns === undefined) {
      collector.problem(`${collector.nameOf(place)} is not followed: what it leaves out counts all the same.`);
    }
    return patterns;
  }
  return undefined;
}

async function addSource(
  collector: InputCollector,
  context: string,
  source: string,
  leftOut: PathPatterns | undefined,
): Promise<void> {
  // `..` does not lead out of the context: the builder takes it for its root.
  const below = join('/', source).slice(1).replace(/\/$/, '');
  const path = join(context, below);
  if (below.split('/').some((part) => NEVER_ENTERED.has(part))) {
    collector.problem(`${collector.nameOf(path)} is copied, but is not looked at: such directories are not entered.`);
    return;
  }
  const isPattern = /[*?[\\]/.test(below) && (await lstat(path).catch(() => undefined)) === undefined;
  if (isPattern) return addPattern(collector, context, below, leftOut);
  if (!(await stat(path).catch(() => undefined))?.isDirectory()) return addFile(collector, path);
  if (!(await collector.named(path))) return;
  await addTree(collector, {
    path,
    wants: sentToBuilder(leftOut, below === '' ? '' : `${below}/`),
    effort: leftOut?.effort,
  });
}

async function addPattern(
  collector: InputCollector,
  context: string,
  pattern: string,
  leftOut: PathPatterns | undefined,
): Promise<void> {
  const name = collector.nameOf(join(context, pattern));
  const matches = gitPatterns([`/${pattern}`]);
  if (matches === undefined) {
    collector.problem(`${name} is copied, but is not looked at: there are too many * in it.`);
    return;
  }
  const isSent = sentToBuilder(leftOut, '');
  await addTree(collector, {
    path: context,
    name,
    effort: matches.effort + (leftOut?.effort ?? 0),
    wants: (path) => (path.endsWith('/') ? matches.enters(path) : matches.takes(path)) && isSent(path),
  });
}

function sentToBuilder(leftOut: PathPatterns | undefined, prefix: string): (name: string) => boolean {
  if (leftOut === undefined) return () => true;
  return (name) => (name.endsWith('/') ? leftOut.enters(prefix + name) : !leftOut.takes(prefix + name));
}
