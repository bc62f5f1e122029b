import { asRecord } from './records.ts';

export interface CommandWords {
  /** What may name a file, as written, without repetition; variables that are known are replaced. */
  readonly words: readonly string[];
  /** There are more than are looked at. */
  readonly isCut: boolean;
}

/** Most words of one command. */
export const MAX_WORDS = 100;
const MAX_LENGTH = 1_024;
const MAX_COMMANDS = 50;

/** Programs that do nothing with what a file says, so that the files that they name do not matter. */
const HEEDLESS: ReadonlySet<string> = new Set(['[', 'echo', 'mkdir', 'printf', 'rm', 'test', 'touch', 'true']);
// Nothing in it has two meanings, so that what is taken for a command here is one for the shell.
const PLAIN = /^[\w\s./:;&|>=@%+,[\]-]*$/;
const SEPARATOR = /[\s;&|<>()`{}'"$]+/;

/**
 * The words of `initializeCommand` that may name files, in whichever of its three forms. More rather than fewer: a word
 * that names nothing does no harm. What is only written, made or removed by a plain command is none of them, since a file
 * that the command makes would change by being made.
 */
export function commandWords(command: unknown, workspaceFolder: string): CommandWords {
  const words = new Set<string>();
  let isCut = false;
  const take = (word: string): void => {
    if (word === '' || word.includes('\0') || words.has(word)) return;
    if (words.size < MAX_WORDS && word.length <= MAX_LENGTH) words.add(word);
    else isCut = true;
  };
  const { commands, isCut: hasMore } = commandsOf(command);
  for (const one of commands) {
    const known = one.map((text) => withFolder(text, workspaceFolder));
    if (known.length > 1 && HEEDLESS.has(known[0] ?? '')) continue;
    for (const text of known) {
      // An argument of a program can be a name with spaces.
      if (known.length > 1) take(text);
      for (const word of wordsOf(text)) take(word);
    }
  }
  return { words: [...words], isCut: isCut || hasMore };
}

/** Programs with their arguments; a line for the shell is a single one. */
function commandsOf(command: unknown): { commands: readonly (readonly string[])[]; isCut: boolean } {
  const parts = asRecord(command) ? Object.values(command as object).slice(0, MAX_COMMANDS) : [command];
  const commands = parts.map((part: unknown) =>
    (Array.isArray(part) ? (part as unknown[]) : [part]).filter((text) => typeof text === 'string'),
  );
  const isCut = asRecord(command) !== undefined && Object.keys(command as object).length > MAX_COMMANDS;
  return { commands, isCut };
}

function withFolder(text: string, folder: string): string {
  return text.replace(/\$\{localWorkspaceFolder\}|\$\{PWD\}|\$PWD\b|\$\(pwd\)/g, () => folder);
}

function wordsOf(text: string): string[] {
  // The folder itself may have a name that is not plain; then nothing is left out.
  if (PLAIN.test(text)) return text.split(/[\n;&|]+/).flatMap(plainWords);
  // With and without what the shell takes away: `"$PWD"/a`, `./a\ b`, `'a b'`.
  const quoted = [...text.matchAll(/'([^']*)'|"([^"]*)"/g)].map(([, single, double]) => single ?? double ?? '');
  const bare = text.replaceAll(/['"\\]/g, '');
  return [...text.split(SEPARATOR), ...bare.split(SEPARATOR), ...quoted].flatMap(withValue);
}

function plainWords(command: string): string[] {
  const read = command.replaceAll(/>\s*[^\s>]+/g, ' ');
  const words = read.split(/[\s>]+/).filter((word) => word !== '');
  return HEEDLESS.has(words[0] ?? '') ? [] : words.flatMap(withValue);
}

/** `--file=x` names x, and `A=x` does. */
function withValue(word: string): string[] {
  const at = word.indexOf('=');
  return at === -1 ? [word] : [word, word.slice(at + 1)];
}
