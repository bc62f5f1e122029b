import type { Argument, Command, Option } from 'commander';
import { plainText } from '../output/plain-text.ts';
import type { CandidateSource } from './complete-names.ts';

/** A word that can stand there, and what it means. */
export interface Candidate {
  readonly value: string;
  readonly description?: string | undefined;
}

interface Completion {
  readonly candidates: readonly Candidate[];
  /** What the shell is to add: files, folders only, or no space after the word. */
  readonly directives: readonly ('files' | 'folders' | 'nospace')[];
}

/** Of what a shell would otherwise have to quote, or evaluate, nothing is offered. */
const PLAIN_WORD = /^[\w@%+=:,./-]+$/;
const NOTHING: Completion = { candidates: [], directives: [] };
const FILE_OPTIONS = new Set(['--log-file', '--tls-cert', '--tls-key', '--sub-agent', '--config', '--socket']);
const FOLDER_OPTIONS = new Set(['--state-dir']);

/**
 * Prints what can come at the cursor, for completion scripts: lines of a word, a tab and its description, and at the end a
 * line of a colon and what the shell is to add (`files`, `folders`, `nospace`). Never fails, and starts no daemon.
 *
 * @param words after the program's name, the last being what is typed up to the cursor, perhaps empty
 */
export async function complete(
  program: Command,
  words: readonly string[],
  write: (text: string) => void = (text) => void process.stdout.write(text),
): Promise<number> {
  const typed = words.at(-1) ?? '';
  const { candidates, directives } = await find(program, words.slice(0, -1), typed).catch(() => NOTHING);
  const matching = candidates.filter(({ value }) => value.startsWith(typed) && PLAIN_WORD.test(value));
  const lines = matching.map(({ value, description = '' }) => `${value}\t${plainText(description)}\n`);
  write(`${lines.join('')}:${directives.join(',')}\n`);
  return 0;
}

async function find(program: Command, before: readonly string[], typed: string): Promise<Completion> {
  const [name, ...words] = before;
  if (name === undefined) return { candidates: [...commandsOf(program), ...optionsOf(program)], directives: [] };
  const command = program.commands.find((one) => one.name() === name || one.aliases().includes(name));
  if (command === undefined) return name === 'help' ? { candidates: commandsOf(program), directives: [] } : NOTHING;

  const given = readWords(command, words);
  if (given.isOver) return NOTHING;
  if (given.pending !== undefined) return valuesOf(given.pending);
  if (typed.startsWith('-') && !given.isPastOptions) return { candidates: optionsOf(command), directives: [] };
  const declared = command.registeredArguments;
  const argument = declared[given.values.length] ?? (declared.at(-1)?.variadic === true ? declared.at(-1) : undefined);
  return argument === undefined ? NOTHING : argumentValues(argument, command.name(), given);
}

interface Given {
  readonly values: readonly string[];
  readonly options: ReadonlyMap<string, string>;
  /** The option whose value comes next. */
  readonly pending: Option | undefined;
  readonly isPastOptions: boolean;
  /** What comes now belongs to another program. */
  readonly isOver: boolean;
}

function readWords(command: Command, words: readonly string[]): Given {
  const values: string[] = [];
  const options = new Map<string, string>();
  let pending: Option | undefined;
  let isPastOptions = false;
  const ownWords = command.registeredArguments.findIndex(({ variadic }) => variadic);
  const isPassing = command.name() === 'exec';
  for (const word of words) {
    if (pending !== undefined) {
      options.set(pending.long ?? '', word);
      pending = undefined;
    } else if (!isPastOptions && word === '--') isPastOptions = true;
    else if (!isPastOptions && word.startsWith('-') && word !== '-') {
      const [flag = '', value] = word.split(/=(.*)/s, 2);
      const option = command.options.find((one) => one.long === flag || one.short === flag);
      if (option?.required === true && value === undefined) pending = option;
      else if (option !== undefined && value !== undefined) options.set(option.long ?? '', value);
    } else values.push(word);
  }
  const isOver = isPassing && (isPastOptions || values.length > ownWords);
  return { values, options, pending, isPastOptions, isOver };
}

function commandsOf(program: Command): Candidate[] {
  const visible = program.createHelp().visibleCommands(program);
  return visible.map((command) => ({ value: command.name(), description: command.description() }));
}

function optionsOf(command: Command): Candidate[] {
  const visible = command.createHelp().visibleOptions(command);
  return visible.map((option) => ({ value: option.long ?? option.short ?? '', description: option.description }));
}

function valuesOf(option: Option): Completion {
  if (option.argChoices !== undefined)
    return { candidates: option.argChoices.map((value) => ({ value })), directives: [] };
  if (FOLDER_OPTIONS.has(option.long ?? '')) return { candidates: [], directives: ['folders'] };
  return { candidates: [], directives: FILE_OPTIONS.has(option.long ?? '') ? ['files'] : [] };
}

async function argumentValues(argument: Argument, command: string, given: Given): Promise<Completion> {
  if (argument.argChoices !== undefined) {
    return { candidates: argument.argChoices.map((value) => ({ value })), directives: [] };
  }
  const [name = ''] = given.values;
  const source = async (): Promise<CandidateSource> => {
    const { createCandidateSource } = await import('./complete-names.ts');
    return createCandidateSource({ stateDir: given.options.get('--state-dir'), socket: given.options.get('--socket') });
  };
  switch (argument.name()) {
    case 'name':
      return { candidates: await (await source()).names(), directives: [] };
    case 'folder|name':
      return { candidates: await (await source()).names(), directives: ['folders'] };
    case 'roots':
      return { candidates: [], directives: ['folders'] };
    case 'process':
      return { candidates: await (await source()).processes(name, command === 'kill'), directives: [] };
    case 'address':
      return {
        candidates: await (given.options.has('--end') ? [] : (await source()).ports(name)),
        directives: [],
      };
    case 'from':
    case 'to': {
      const names = await (await source()).names();
      const ends = names.map(({ value, description }) => ({ value: `${value}:`, description }));
      return { candidates: ends, directives: ['files', 'nospace'] };
    }
    default:
      return NOTHING;
  }
}
