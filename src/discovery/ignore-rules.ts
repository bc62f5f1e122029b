import ignore, { type Ignore } from 'ignore';

/** What git ignores in one directory that is not ignored itself. */
export interface IgnoreRules {
  ignores(name: string, isDirectory: boolean): boolean;
  /** The rules in a directory of this one that is not ignored. */
  enter(name: string, gitignore: string | undefined): IgnoreRules;
}

/** Patterns of one file, and the way from its directory down to the present one, with a slash at its end. */
interface Level {
  readonly patterns: Ignore;
  readonly prefix: string;
}

/** More rules, and longer ones, than any that a person wrote: what is above is not read. */
const MAX_RULES = 2_000;
const MAX_RULE_LENGTH = 1_000;
/** Of one file: each name is compared with all of it. */
const MAX_LENGTH = 64 * 1024;
/** Means as much as one of them, and would be tried in every way to share directories out among them. */
const REPEATED_GLOBSTAR = /(^!?|\/)(?:\*{2,}\/){2,}/g;

/**
 * The rules at the top of a repository, or of a folder that lies in none.
 *
 * @param texts contents of ignore files for this directory, those of the least weight first
 */
export function ignoreRules(texts: readonly (string | undefined)[]): IgnoreRules {
  return rulesOf(texts.flatMap((text) => levelOf(text, '')));
}

function rulesOf(levels: readonly Level[]): IgnoreRules {
  return {
    ignores(name, isDirectory) {
      const path = isDirectory ? `${name}/` : name;
      // The file nearest to the path decides, if it says anything about it.
      for (const { patterns, prefix } of levels.toReversed()) {
        const { ignored, unignored } = patterns.test(prefix + path);
        if (ignored || unignored) return ignored;
      }
      return false;
    },
    enter(name, gitignore) {
      const outer = levels.map(({ patterns, prefix }) => {
        const path = `${prefix}${name}/`;
        return { patterns: patterns.test(path).ignored ? reopened(patterns, path) : patterns, prefix: path };
      });
      return rulesOf([...outer, ...levelOf(gitignore, '')]);
    },
  };
}

function levelOf(text: string | undefined, prefix: string): readonly Level[] {
  // As git does: a mark of the byte order is no part of the first rule.
  const lines = (text ?? '').replace(/^\uFEFF/, '').split(/\r?\n/);
  const rules: string[] = [];
  let length = 0;
  for (const line of lines) {
    if (line === '' || line.length > MAX_RULE_LENGTH) continue;
    length += line.length;
    if (rules.length === MAX_RULES || length > MAX_LENGTH) break;
    rules.push(line.replaceAll(REPEATED_GLOBSTAR, '$1**/'));
  }
  if (rules.length === 0) return [];
  return [{ patterns: ignore({ ignorecase: false }).add(rules), prefix }];
}

/**
 * A file nearer by took back that this directory is ignored. What lies in it is judged by rules that match it itself,
 * while these patterns would go on from their own verdict about the directory.
 */
function reopened(patterns: Ignore, path: string): Ignore {
  const literal = path.replace(/[\\*?[\] !#]/g, '\\$&');
  return ignore({ ignorecase: false })
    .add(patterns)
    .add([`!/${literal}`]);
}
