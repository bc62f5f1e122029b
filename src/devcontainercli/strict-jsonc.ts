import { createScanner, parseTree, printParseErrorCode, type Node, type ParseError } from 'jsonc-parser';

import type { ConfigError } from '../agentcontainers/model/devcontainer.ts';

export type StrictJsonc =
  | { readonly ok: true; readonly value: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly error: ConfigError };

/** Deeper nesting is refused before it can exhaust the stack. */
const MAX_DEPTH = 200;

// Token kinds of jsonc-parser's scanner, which are a `const enum` and so not importable here.
const OPEN = new Set([1, 3]);
const CLOSE = new Set([2, 4]);
const END_OF_FILE = 17;

/** Parses a JSON object in which comments and trailing commas are allowed and every other fault is an error. */
export function parseStrictJsonc(text: string): StrictJsonc {
  const source = text.startsWith('\ufeff') ? text.slice(1) : text;
  const tooDeep = depthFault(source);
  if (tooDeep !== undefined) return fail(source, tooDeep, 'nested too deeply');
  const errors: ParseError[] = [];
  const root = parseTree(source, errors, { allowTrailingComma: true, disallowComments: false });
  const first = errors.reduce<ParseError | undefined>(
    (least, error) => (least === undefined || error.offset < least.offset ? error : least),
    undefined,
  );
  if (first !== undefined) return fail(source, first.offset, describe(first));
  if (root === undefined) return fail(source, source.length, 'value expected');
  if (root.type !== 'object') return fail(source, root.offset, 'must be an object');
  return { ok: true, value: toValue(root) as Readonly<Record<string, unknown>> };
}

function depthFault(source: string): number | undefined {
  const scanner = createScanner(source, true);
  let depth = 0;
  for (let token: number = scanner.scan(); token !== END_OF_FILE; token = scanner.scan()) {
    if (OPEN.has(token) && ++depth > MAX_DEPTH) return scanner.getTokenOffset();
    if (CLOSE.has(token)) depth--;
  }
  return undefined;
}

/** Builds the value itself, since the parser's own would take a property named `__proto__` for the prototype. */
function toValue(node: Node): unknown {
  if (node.type === 'array') return (node.children ?? []).map(toValue);
  if (node.type !== 'object') return node.value as unknown;
  const result: Record<string, unknown> = {};
  for (const property of node.children ?? []) {
    const [name, value] = property.children ?? [];
    if (name === undefined || value === undefined) continue;
    Object.defineProperty(result, String(name.value), {
      value: toValue(value),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return result;
}

/** `CloseBraceExpected` -> `close brace expected`. */
function describe(error: ParseError): string {
  return printParseErrorCode(error.error)
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase();
}

function fail(source: string, offset: number, message: string): StrictJsonc {
  const before = source.slice(0, offset).split(/\r\n|\n|\r/);
  return { ok: false, error: { message, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 } };
}
