import { createHash } from 'node:crypto';

import {
  isAlias,
  isCollection,
  isNode,
  isPair,
  isScalar,
  Lexer,
  LineCounter,
  parseAllDocuments,
  visit,
  type Document,
} from 'yaml';

import type { ConfigError } from '../../agentcontainers/model/devcontainer.ts';
import { errorMessage } from '../../errors.ts';
import { shorten } from '../../text/plain-text.ts';
import { canonicalJson } from '../canonical-json.ts';

export interface ParsedYaml {
  /** SHA-256, hex: formatting, comments and key order do not count. */
  readonly value: string;
  /** What each document of the file says. */
  readonly documents: readonly unknown[];
}

/** How much may still be read, of all files that are read with it. */
export interface YamlBudget {
  tokens: number;
  /** What aliases and merges make of it. */
  nodes: number;
  /** The same, as characters of canonical JSON. */
  characters: number;
}

export const YAML_BUDGET: Readonly<YamlBudget> = { tokens: 150_000, nodes: 150_000, characters: 4 * 1024 * 1024 };

/** The library takes quadratic time for some of these. */
const MAX_TOKENS = 100_000;
const MAX_ANCHORS_AND_ALIASES = 1_000;
const MAX_DOCUMENTS = 20;

const TOO_LARGE = 'too large with its aliases';

/**
 * Control characters, and what one version of YAML takes for the end of a line and another does not: what is a comment
 * for us would be a key for compose.
 */
const STRANGE = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]|\r(?!\n)|(?!^)\ufeff/;

/**
 * Parses YAML from a workspace strictly, in bounded time.
 *
 * @param budget is counted down; default one for this text alone
 */
export function parseYaml(
  text: string,
  budget: YamlBudget = { ...YAML_BUDGET },
): ParsedYaml | { readonly error: ConfigError } {
  const lineCounter = new LineCounter();
  const fail = (message: string, offset = 0): { readonly error: ConfigError } => {
    const { line, col } = lineCounter.linePos(offset);
    return { error: { message, line: Math.max(1, line), column: Math.max(1, col) } };
  };
  const strange = STRANGE.exec(text);
  if (strange) {
    const before = text.slice(0, strange.index).split('\n');
    const message = `a character that ends a line for some and not for others (U+${codeOf(strange[0])})`;
    return { error: { message, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 } };
  }
  const bound = exceededBound(text, budget);
  if (bound !== undefined) return fail(bound);
  try {
    const documents = parse(text, 'core', lineCounter);
    const fault = documents.flatMap(({ errors }) => errors).sort((a, b) => a.pos[0] - b.pos[0])[0];
    if (fault) return fail(describe(fault.message), fault.pos[0]);
    const strange = documents.map(strangeTag).find((found) => found !== undefined);
    if (strange) return fail(`the tag ${shorten(strange.tag, 80)} is not known`, strange.offset);
    const twice = documents.map(repeatedKey).find((found) => found !== undefined);
    if (twice) return fail(`the key "${twice.key}" is there twice`, twice.offset);
    if (documents.some(({ contents }) => contents === null) && documents.length > 1) return fail('an empty document');
    for (const document of documents) budget.nodes -= expandedNodes(document);
    if (budget.nodes < 0) return fail(TOO_LARGE);
    const values = documents.map((document) => document.toJS({ maxAliasCount: MAX_ANCHORS_AND_ALIASES }) as unknown);
    for (const value of values) spend(value, budget);
    if (budget.characters < 0) return fail(TOO_LARGE);
    // As it is understood, and as it is written: `1.0` and `1` are the same number, but not the same text.
    const written = parse(text, 'failsafe').map(
      (document) => document.toJS({ maxAliasCount: MAX_ANCHORS_AND_ALIASES }) as unknown,
    );
    const hash = createHash('sha256').update(canonicalJson(values)).update('\n').update(canonicalJson(written));
    // A tag such as `!reset` means something to compose that the values do not tell.
    if (documents.some(({ warnings }) => warnings.length > 0)) hash.update('\n').update(text);
    return { value: hash.digest('hex'), documents: values };
  } catch (error) {
    return fail(describe(errorMessage(error)));
  }
}

function parse(text: string, schema: 'core' | 'failsafe', lineCounter?: LineCounter): Document.Parsed[] {
  const documents = parseAllDocuments(text, {
    schema,
    ...(lineCounter ? { lineCounter } : {}),
    prettyErrors: false,
    logLevel: 'silent',
    // In quadratic time; see `repeatedKey`.
    uniqueKeys: false,
    stringKeys: true,
    merge: true,
  });
  return 'empty' in documents ? [] : (documents as Document.Parsed[]);
}

const PLAIN_TAGS = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
);
/** They mean something to compose, which the values do not tell; see below. */
const COMPOSE_TAGS = new Set(['!reset', '!override']);

/** Another reader may take a value with such a tag for something else than we do, e.g. decode it. */
function strangeTag(document: Document.Parsed): { readonly tag: string; readonly offset: number } | undefined {
  let found: { tag: string; offset: number } | undefined;
  visit(document, {
    Node(_key, node) {
      const tag = 'tag' in node ? node.tag : undefined;
      if (typeof tag !== 'string' || PLAIN_TAGS.has(tag) || COMPOSE_TAGS.has(tag)) return undefined;
      found = { tag, offset: node.range?.[0] ?? 0 };
      return visit.BREAK;
    },
  });
  return found;
}

function exceededBound(text: string, budget: YamlBudget): string | undefined {
  let tokens = 0;
  let names = 0;
  let documents = 1;
  for (const token of new Lexer().lex(text)) {
    if (++tokens > MAX_TOKENS || --budget.tokens < 0) return 'too many parts';
    if ((token.startsWith('&') || token.startsWith('*')) && ++names > MAX_ANCHORS_AND_ALIASES) {
      return 'too many anchors and aliases';
    }
    if (token === '---' && ++documents > MAX_DOCUMENTS) return 'too many documents';
  }
  return undefined;
}

function repeatedKey(document: Document.Parsed): { readonly key: string; readonly offset: number } | undefined {
  let found: { key: string; offset: number } | undefined;
  visit(document, {
    Map(_key, map) {
      const keys = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        if (keys.has(name) && name !== '<<') {
          found = { key: name.slice(0, 80).replace(/\p{C}/gu, '?'), offset: key.range?.[0] ?? 0 };
          return visit.BREAK;
        }
        keys.add(name);
      }
      return undefined;
    },
  });
  return found;
}

/** How many nodes there are with every alias in full: the library looks at all that is merged, each time. */
function expandedNodes(document: Document.Parsed): number {
  const sizes = new Map<string, number>();
  const count = (node: unknown): number => {
    if (isPair(node)) return count(node.key) + count(node.value);
    // One within what it stands for is a circle, which is refused elsewhere.
    if (isAlias(node)) return sizes.get(node.source) ?? 1;
    const size = isCollection(node) ? node.items.reduce<number>((sum, item) => sum + count(item), 1) : 1;
    if (isNode(node) && node.anchor !== undefined) sizes.set(node.anchor, size);
    return size;
  };
  return count(document.contents);
}

/** Aliases make one text many: whoever looks at all of the value must not take for ever. */
function spend(value: unknown, budget: YamlBudget): void {
  if (budget.characters < 0) return;
  if (typeof value !== 'object' || value === null) {
    budget.characters -= typeof value === 'string' ? value.length + 2 : 8;
    return;
  }
  budget.characters -= 2;
  for (const [name, field] of Object.entries(value)) {
    budget.characters -= name.length + 4;
    spend(field, budget);
    if (budget.characters < 0) return;
  }
}

function codeOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}

function describe(message: string): string {
  if (message.startsWith('Maximum call stack')) return 'nested too deeply';
  if (message.startsWith('Excessive alias count')) return TOO_LARGE;
  if (message.startsWith('With stringKeys')) return 'all keys must be strings';
  const line = message.split('\n')[0] ?? '';
  return (line.slice(0, 1).toLowerCase() + line.slice(1)).slice(0, 200).replace(/\p{C}/gu, '?');
}
