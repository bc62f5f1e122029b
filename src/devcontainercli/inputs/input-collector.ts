import { createHash } from 'node:crypto';
import { dirname, join, relative, sep } from 'node:path';

import type { EntryKey } from '../../agentcontainers/model/devcontainer.ts';
import { createExpansionBudget, type ExpansionBudget } from './expansion-budget.ts';
import type { Absence, FileHash, FileReader } from './file-reader.ts';
import {
  MAX_BYTES,
  MAX_DIRECTORIES,
  MAX_EFFORT,
  MAX_ENTRIES,
  MAX_EXPANDED_TEXT,
  MAX_INPUT_NAMES,
  MAX_INPUTS,
  MAX_FILES,
  MAX_IMAGES,
  MAX_NAMED,
  MAX_PATH,
  MAX_PROBLEMS,
  MAX_TEXT_BYTES,
} from './input-bounds.ts';
import type { KnownWays, Way } from './known-ways.ts';
import { createShownContents, type ShownContents } from './shown-contents.ts';

/** A file that was read as text. */
export interface TextFile {
  readonly kind: 'text';
  readonly text: string;
  /** Where it really lies. */
  readonly realPath: string;
  /** That is in the workspace folder: what it says may be shown. */
  readonly isInside: boolean;
  readonly executable: boolean;
  readonly modifiedAt: number;
}

/** What the inputs are gathered for. */
export type Wanted = 'values' | 'contents' | 'directories';

/** Gathers what one configuration is made from, in one pass. */
export interface InputCollector {
  readonly key: EntryKey;
  readonly reader: FileReader;
  readonly ways: KnownWays;
  readonly shown: ShownContents;
  /** For `directories` no file needs to be read that is not parsed. */
  readonly wants: Wanted;
  /** What may still be looked at. */
  readonly left: { files: number; bytes: number; entries: { left: number }; effort: { left: number } };
  readonly expansion: ExpansionBudget;
  /** How inputs name a path: `./…` below the workspace folder, else absolute. */
  nameOf(path: string): string;
  has(name: string): boolean;
  /** The first value of a name stays. */
  add(name: string, value: string, modifiedAt?: number): void;
  addAbsence(name: string, kind: Absence | 'not-text'): void;
  /** One sentence. */
  problem(sentence: string): void;
  image(reference: string): void;
  /** What is another text whenever a file was written that is called so; see {@link FileHash.identity}. */
  written(name: string, identity: string): void;
  /** A directory in which a change counts. */
  watch(directory: string): void;
  /** The same for those on the way to a path, and where links on it lead. False when too many paths were named. */
  named(path: string): Promise<boolean>;
  /** Its way is watched too. */
  readText(path: string): Promise<TextFile | { readonly kind: Absence | 'not-text' }>;
  result(): {
    readonly inputs: Readonly<Record<string, string>>;
    readonly modifiedAt: number;
    readonly written: Readonly<Record<string, string>>;
    readonly images: readonly string[];
    readonly problems: readonly string[];
    readonly directories: readonly string[];
  };
}

const TOO_LONG = `What variables stand for is not looked at where it is longer than ${MAX_EXPANDED_TEXT / 1024} KiB, or too much in all.`;
const REFERENCE = /^[A-Za-z0-9]+(?:(?:[._:@/]|__|-+)[A-Za-z0-9]+)*$/;

export function createInputCollector(options: {
  readonly key: EntryKey;
  readonly reader: FileReader;
  /** Of this one look. */
  readonly ways: KnownWays;
  readonly wants: Wanted;
  /** Those of the configuration itself, which are always watched. */
  readonly directories: readonly string[];
}): InputCollector {
  const { key, reader, ways, wants } = options;
  const inputs = new Map<string, string>();
  const problems = new Set<string>();
  const images = new Set<string>();
  const directories = new Set(options.directories);
  const named = new Set<string>();
  const written = new Map<string, string>();
  let modifiedAt = 0;

  const isInside = (path: string): boolean => {
    const below = relative(key.workspaceFolder, path);
    return below !== '..' && !below.startsWith(`..${sep}`);
  };
  const nameOf = (path: string): string =>
    isInside(path) ? `./${relative(key.workspaceFolder, path).split(sep).join('/')}` : path;
  const problem = (sentence: string): void => {
    if (problems.size < MAX_PROBLEMS) problems.add(sentence.slice(0, 400).replace(/\p{C}+/gu, ' '));
  };
  const touch = (at: number): void => void (modifiedAt = Math.max(modifiedAt, at));
  const watch = (directory: string): void => {
    if (directories.has(directory)) return;
    if (directories.size < MAX_DIRECTORIES) directories.add(directory);
    else problem(`More than ${MAX_DIRECTORIES} directories: changes in the others are not seen at once.`);
  };

  const collector: InputCollector = {
    key,
    reader,
    ways,
    wants,
    shown: createShownContents(wants === 'contents', (realPath) => isInside(realPath)),
    left: { files: MAX_FILES, bytes: MAX_BYTES, entries: { left: MAX_ENTRIES }, effort: { left: MAX_EFFORT } },
    expansion: createExpansionBudget(() => problem(TOO_LONG)),
    nameOf,
    has: (name) => inputs.has(name),
    add(name, value, at = 0) {
      if (!inputs.has(name)) inputs.set(name, value);
      touch(at);
    },
    addAbsence: (name, kind) => collector.add(name, valueOf(kind)),
    problem,
    image(reference) {
      // It becomes a part of the address of a call to the engine.
      if (reference.length > 512 || !REFERENCE.test(reference)) {
        return problem(`"${reference.slice(0, 80)}" is not looked at: it is no reference of an image.`);
      }
      if (images.size < MAX_IMAGES) images.add(reference);
      else problem(`More than ${MAX_IMAGES} images: the others are not looked at.`);
    },
    written: (name, identity) => void written.set(name, identity),
    watch,
    async named(path) {
      if (path.length > MAX_PATH) {
        problem(`"${path.slice(0, 80)}…" is not looked at: no path may be as long.`);
        return false;
      }
      if (named.has(path)) return true;
      if (named.size === MAX_NAMED) {
        problem(`More than ${MAX_NAMED} paths are named: the others are not looked at.`);
        return false;
      }
      named.add(path);
      const directory = dirname(path);
      watch(directory);
      // A directory above can be exchanged as well.
      if (isInside(directory)) {
        for (let at = directory; at !== key.workspaceFolder; at = dirname(at)) watch(at);
        watch(key.workspaceFolder);
      }
      const way = await ways.to(path);
      for (const link of way.links) {
        watch(link.directory);
        touch(link.modifiedAt);
      }
      if (way.directory !== undefined) watch(way.directory);
      return true;
    },
    async readText(path) {
      if (!(await collector.named(path))) return { kind: 'unreadable' };
      const way = await ways.to(path);
      if (way.isMissing) return { kind: 'missing' };
      const file = await reader.read(path, MAX_TEXT_BYTES, way);
      if (file.kind !== 'file') return file;
      touch(file.modifiedAt);
      if (path !== key.configPath) collector.written(nameOf(path), identityOn(way, file));
      let text: string;
      try {
        text = new TextDecoder('utf-8', { fatal: true }).decode(file.bytes);
      } catch {
        return { kind: 'not-text' };
      }
      const { executable, modifiedAt } = file;
      return { kind: 'text', text, realPath: file.realPath, isInside: isInside(file.realPath), executable, modifiedAt };
    },
    result() {
      if (isTooMuch(inputs)) problem(`There are too many inputs to list them: they count together as ${ALL}.`);
      return {
        inputs: bounded(inputs),
        modifiedAt: Math.floor(modifiedAt),
        written: bounded(written),
        images: [...images],
        problems: [...problems],
        directories: [...directories],
      };
    },
  };
  return collector;
}

const ALL = 'devcontainer.json';

/** They are sent and stored with each state, whoever wrote them. */
function isTooMuch(values: ReadonlyMap<string, string>): boolean {
  let length = 0;
  for (const name of values.keys()) length += name.length;
  return values.size > MAX_INPUTS || length > MAX_INPUT_NAMES;
}

/** By name, in order; one value for all when there are too many. */
function bounded(values: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const sorted = [...values].sort(([a], [b]) => (a < b ? -1 : 1));
  return isTooMuch(values) ? { [ALL]: valueOf(JSON.stringify(sorted)) } : Object.fromEntries(sorted);
}

/** SHA-256, hex. */
export function valueOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** What a file counts for that is copied as it is. */
export function fileValue(file: Pick<FileHash, 'sha256' | 'executable'>): string {
  return file.executable ? valueOf(`${file.sha256} x`) : file.sha256;
}

/** That of a file, and of the links that lead to it. */
export function identityOn({ links }: Way, { identity }: FileHash): string {
  return [identity, ...links.map(({ directory, modifiedAt }) => `${directory} ${modifiedAt}`)].join('\n');
}

/** A path below `base`, or absolute. */
export function pathFrom(base: string, path: string): string {
  return path.startsWith(sep) ? join(path) : join(base, path);
}
