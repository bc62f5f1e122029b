import type { ConfigError } from '../../agentcontainers/model/devcontainer.ts';

export interface Instruction {
  /** In upper case. */
  readonly keyword: string;
  /** Without line continuations, comments and heredocs. */
  readonly text: string;
}

export interface Dockerfile {
  /** Equal texts mean the same: without what is certainly without meaning. */
  readonly canonical: string;
  /** `undefined` when it is written for another syntax than Docker's own. */
  readonly instructions: readonly Instruction[] | undefined;
}

const KEYWORDS = new Set(
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR'.split(
    ' ',
  ),
);
const DIRECTIVE = /^#[ \t]*(syntax|escape|check)[ \t]*=(.*)$/i;
const OWN_SYNTAX = /^(?:docker\.io\/)?docker\/dockerfile(?:-upstream)?(?:[:@]|$)/;
const IGNORED_LINE = /^\s*(?:#|$)/;

/**
 * Reads a Dockerfile.
 *
 * Lines that are empty or a comment are taken off, outside of heredocs; everything else counts as it is written, also
 * white space. Where it is not sure what is a comment (another syntax, a heredoc without end) everything counts.
 */
export function parseDockerfile(text: string): Dockerfile | { readonly error: ConfigError } {
  const source = text.startsWith('\ufeff') ? text.slice(1) : text;
  const lines = source.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  const { directives, next } = readDirectives(lines);
  const syntax = directives.get('syntax');
  if (syntax !== undefined && !OWN_SYNTAX.test(syntax)) return { canonical: source, instructions: undefined };

  const escape = directives.get('escape') === '`' ? '`' : '\\';
  const continued = new RegExp(escape === '`' ? '(?:^|[^`])`[ \\t]*$' : '(?:^|[^\\\\])\\\\[ \\t]*$');
  const kept = [...directives].map(([name, value]) => `#${name}=${value}`);
  const instructions: Instruction[] = [];
  let isSure = true;
  for (let at = next; at < lines.length;) {
    if (IGNORED_LINE.test(lines[at] ?? '')) {
      at++;
      continue;
    }
    const first = at;
    const parts: string[] = [];
    for (; at < lines.length; at++) {
      const line = lines[at] ?? '';
      if (parts.length > 0 && IGNORED_LINE.test(line)) continue;
      kept.push(line);
      const goesOn = continued.test(line);
      parts.push(goesOn ? line.slice(0, line.lastIndexOf(escape)) : line);
      if (!goesOn) break;
    }
    at++;
    const instruction = toInstruction(parts.join(''));
    if (instruction === undefined || (syntax === undefined && !KEYWORDS.has(instruction.keyword))) {
      const word = (/^\s*(\S{1,40})/.exec(parts[0] ?? '')?.[1] ?? '').replace(/\p{C}/gu, '');
      return fail(`there is no instruction "${word}"`, first);
    }
    instructions.push(instruction);
    const after = isSure ? afterHeredocs(instruction, lines, at) : at;
    if (after === undefined) isSure = false;
    else {
      for (; at < after; at++) kept.push(lines[at] ?? '');
    }
  }
  if (!instructions.some(({ keyword }) => keyword === 'FROM')) {
    return fail('there is no FROM instruction', Math.max(0, lines.length - 1));
  }
  return { canonical: isSure ? kept.join('\n') : source, instructions };
}

function fail(message: string, line: number): { readonly error: ConfigError } {
  return { error: { message, line: line + 1, column: 1 } };
}

/** Only at the very top: after anything else, also an empty line, they are comments. */
function readDirectives(lines: readonly string[]): { directives: Map<string, string>; next: number } {
  const directives = new Map<string, string>();
  let next = 0;
  for (; next < lines.length; next++) {
    const [, name, value] = DIRECTIVE.exec(lines[next] ?? '') ?? [];
    if (name === undefined || value === undefined || directives.has(name.toLowerCase())) break;
    directives.set(name.toLowerCase(), value.trim());
  }
  return { directives, next };
}

function toInstruction(line: string): Instruction | undefined {
  const [, keyword, text] = /^\s*([A-Za-z]+)(?:\s+([^]*))?$/.exec(line) ?? [];
  return keyword === undefined ? undefined : { keyword: keyword.toUpperCase(), text: (text ?? '').trim() };
}

/** The line after the heredocs that this instruction begins; `undefined` when one of them does not end. */
function afterHeredocs(instruction: Instruction, lines: readonly string[], from: number): number | undefined {
  const inner = instruction.keyword === 'ONBUILD' ? toInstruction(instruction.text) : instruction;
  if (!inner || !['RUN', 'COPY', 'ADD'].includes(inner.keyword)) return from;
  let at = from;
  for (const word of shellWords(inner.text)) {
    const [, dash, rawName] = /^\d*<<(-?)([^<]+)$/.exec(word) ?? [];
    if (rawName === undefined) continue;
    const name = rawName.replace(/^(['"])(.*)\1$/, '$2');
    let end = at;
    while (end < lines.length && (dash === '-' ? lines[end]?.replace(/^\t+/, '') : lines[end]) !== name) end++;
    if (end >= lines.length) return undefined;
    at = end + 1;
  }
  return at;
}

/** Words as a shell splits them, with their quotes. */
export function shellWords(text: string): string[] {
  return text.match(/(?:[^\s'"\\]|\\[^]|'[^']*'?|"(?:[^"\\]|\\[^])*"?)+/g) ?? [];
}
