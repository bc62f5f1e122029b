import ignore from 'ignore';

/** A path is relative, with `/`; that of a directory ends with `/`. */
export interface PathPatterns {
  /** It is meant, or lies in a directory that is. */
  takes(path: string): boolean;
  /** Something in this directory may be meant. */
  enters(directory: string): boolean;
  /** What it takes at most to compare a path with all of them, per character of the path. */
  readonly effort: number;
}

const MAX_PATTERNS = 1_000;
const MAX_LENGTH = 300;
/** More `*` in one name, or `**` in one pattern, could take for ever on a name that was made for it. */
const MAX_STARS_IN_NAME = 2;
const MAX_DOUBLE_STARS = 2;

/** Patterns come from a workspace: one that could take too long to match is told from others before it is used. */
export function isBoundedPattern(pattern: string): boolean {
  if (pattern.length > MAX_LENGTH) return false;
  const names = pattern.split('/');
  const singles = names.filter((name) => name !== '**');
  return (
    names.length - singles.length <= MAX_DOUBLE_STARS &&
    singles.every((name) => name.split('*').length - 1 <= MAX_STARS_IN_NAME)
  );
}

/**
 * After a star, what follows is looked for at each character, since a name may almost fit everywhere; with two `**`, in
 * each pair of directories.
 */
function effortOf(patterns: readonly string[]): number {
  const effortOfOne = (pattern: string): number => {
    const afterStar = pattern.length - (pattern.split('*', 1)[0] ?? '').length;
    return (1 + afterStar) * (pattern.split('**').length > 2 ? 8 : 1);
  };
  return patterns.reduce((sum, pattern) => sum + effortOfOne(pattern), 0);
}

/**
 * Patterns in the syntax of `.gitignore`, relative to one directory; `!` takes back what an earlier one took.
 *
 * @returns `undefined` when one of them is not bounded, or there are too many
 */
export function gitPatterns(patterns: readonly string[]): PathPatterns | undefined {
  if (patterns.length > MAX_PATTERNS || !patterns.every(isBoundedPattern)) return undefined;
  const matcher = ignore({ ignorecase: false }).add(patterns);
  const prefixes = patterns.filter((pattern) => /^(?![!#])./.test(pattern.trim())).map(anchoredNames);
  return {
    effort: effortOf(patterns),
    takes: (path) => matcher.ignores(path),
    enters: (directory) => {
      const names = directory.slice(0, -1).split('/');
      return prefixes.some((prefix) => prefix === undefined || couldLead(names, prefix)) || matcher.ignores(directory);
    },
  };
}

/**
 * Patterns in the syntax of `.dockerignore`: each is anchored, and the last one that fits a path or a directory above it
 * decides.
 *
 * @returns what they leave out; `undefined` when they cannot be followed
 */
export function dockerIgnore(text: string): PathPatterns | undefined {
  const groups: { readonly negated: boolean; readonly patterns: string[] }[] = [];
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim();
    if (trimmed === '' || line.startsWith('#')) continue;
    const negated = trimmed.startsWith('!');
    const names = cleanNames(negated ? trimmed.slice(1).trim() : trimmed);
    if (names === undefined) return undefined;
    if (names.length === 0) continue;
    const pattern = `/${names.join('/')}`;
    if (!isBoundedPattern(pattern)) return undefined;
    const last = groups.at(-1);
    if (last?.negated === negated) last.patterns.push(pattern);
    else groups.push({ negated, patterns: [pattern] });
  }
  if (groups.reduce((count, { patterns }) => count + patterns.length, 0) > MAX_PATTERNS) return undefined;
  const matchers = groups
    .map(({ negated, patterns }) => ({ negated, matcher: ignore({ ignorecase: false }).add(patterns) }))
    .toReversed();
  const takes = (path: string): boolean => {
    const decisive = matchers.find(({ matcher }) => matcher.ignores(path));
    return decisive !== undefined && !decisive.negated;
  };
  const takesBack = groups.some(({ negated }) => negated);
  const effort = effortOf(groups.flatMap(({ patterns }) => patterns));
  return { effort, takes, enters: (directory) => takesBack || !takes(directory) };
}

/** Names of a path without `.` and empty ones, `..` resolved; `undefined` when it leads out. */
function cleanNames(path: string): string[] | undefined {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') names.push(name);
    else if (names.pop() === undefined) return undefined;
  }
  return names;
}

/** The names that a path must have from the root on, `undefined` when the pattern fits at any depth. */
function anchoredNames(pattern: string): readonly string[] | undefined {
  const names = pattern.trim().replace(/\/$/, '').split('/');
  if (names.length === 1) return undefined;
  const prefix = names[0] === '' ? names.slice(1) : names;
  const doubleStar = prefix.indexOf('**');
  if (doubleStar === 0) return undefined;
  return doubleStar < 0 ? prefix : [...prefix.slice(0, doubleStar), '**'];
}

function couldLead(names: readonly string[], prefix: readonly string[]): boolean {
  for (const [index, name] of names.entries()) {
    const wanted = prefix[index];
    if (wanted === '**') return true;
    if (wanted === undefined) return false;
    if (!/[*?[\\]/.test(wanted) && wanted !== name) return false;
  }
  return names.length < prefix.length;
}
