import { realpath, stat } from 'node:fs/promises';
import { relative, sep } from 'node:path';

import type { Finding } from '../../agentcontainers/model/verdict.ts';
import { commandWords } from '../findings/command-words.ts';
import { boundedLine, findingDetail } from '../findings/finding-detail.ts';
import { pathFrom, type InputCollector } from './input-collector.ts';

/** Files of one command that are looked at, and of each so many bytes. */
export const MAX_COMMAND_FILES = 20;
export const MAX_COMMAND_FILE_BYTES = 4 * 1024 * 1024;
/** Directories in which a word may name a file, since the command may have gone there. */
const MAX_PLACES = 5;
const MAX_LOOKUPS = 300;

const PROPERTY = 'initializeCommand uses';

/**
 * A finding for each file of the workspace that `initializeCommand` names, with its content: whoever accepts
 * `bash init.sh` accepts what that file says, and not what is written into it later. What such a file runs in turn, and
 * what a program looks for by itself, is not looked at.
 */
export async function commandFileFindings(
  collector: InputCollector,
  config: Readonly<Record<string, unknown>>,
): Promise<readonly Finding[]> {
  const { key } = collector;
  const { words, isCut } = commandWords(config['initializeCommand'], key.workspaceFolder);
  const source = boundedLine(collector.nameOf(key.configPath));
  const finding = (value: unknown): Finding => ({
    kind: 'initialize-command',
    detail: findingDetail(PROPERTY, value),
    source,
  });
  const { files, isMore } = await filesOf(collector, words);
  const found: Finding[] = [];
  for (const path of files.slice(0, MAX_COMMAND_FILES)) found.push(finding(await said(collector, path)));
  if (isCut || isMore || files.length > MAX_COMMAND_FILES) found.push(finding('more files than are looked at'));
  return found;
}

/** Regular files below the workspace folder, or what leads to one, in the order of the words. */
async function filesOf(
  { key, named }: InputCollector,
  words: readonly string[],
): Promise<{ readonly files: readonly string[]; readonly isMore: boolean }> {
  const files = new Set<string>();
  const places = [key.workspaceFolder];
  const seen = new Set<string>();
  let lookups = 0;
  // Directories first: a word can stand before the one that says where it lies.
  for (const wanted of ['directory', 'file'] as const) {
    for (const place of wanted === 'directory' ? [key.workspaceFolder] : places) {
      for (const word of words) {
        const path = pathFrom(place, word);
        if (!isBelow(path, key.workspaceFolder) || seen.has(`${wanted} ${path}`)) continue;
        seen.add(`${wanted} ${path}`);
        if (++lookups > MAX_LOOKUPS) return { files: [...files], isMore: true };
        const status = await stat(path).catch(() => undefined);
        if (wanted === 'directory') {
          if (status?.isDirectory() === true && places.length < MAX_PLACES) places.push(path);
          continue;
        }
        if (status?.isFile() === true) files.add(path);
        // It may come to be; a bare word is a program as a rule.
        if (status?.isFile() === true || word.includes(sep)) await named(path);
      }
    }
  }
  return { files: [...files], isMore: false };
}

/** What a file says, as far as that matters; two different ones never have the same. */
async function said({ key, ways, reader, nameOf, wants }: InputCollector, path: string): Promise<unknown> {
  const name = nameOf(path);
  if (wants === 'directories') return name;
  const real = await realpath(path).catch(() => path);
  // It is changed elsewhere, by whoever may do so there.
  if (!isBelow(real, key.workspaceFolder)) return { file: name, 'leads to': real };
  const file = await reader.hash(path, MAX_COMMAND_FILE_BYTES, await ways.to(path));
  return file.kind === 'file'
    ? `${name} (sha256 ${file.sha256.slice(0, 40)})`
    : `${name} (${file.kind}: not looked at)`;
}

/** Of two absolute paths, as text. */
function isBelow(path: string, folder: string): boolean {
  const below = relative(folder, path);
  return below !== '' && below !== '..' && !below.startsWith(`..${sep}`);
}
