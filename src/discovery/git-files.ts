import { isAbsolute, join, resolve } from 'node:path';
import { readRegularFile } from '../files/read-regular-file.ts';

/** Larger than any ignore file that a person wrote. */
const MAX_IGNORE_BYTES = 256 * 1024;
const MAX_POINTER_BYTES = 4 * 1024;
const MAX_SETTINGS_BYTES = 256 * 1024;

/** `undefined` when there is none, or nothing that is a readable file of sensible size. */
export function readIgnoreFile(path: string): Promise<string | undefined> {
  return readText(path, MAX_IGNORE_BYTES);
}

/**
 * `info/exclude` of the repository that a folder is the top of. Its `.git` may be a file that says where the repository
 * is (a submodule), which may again say where what it shares with others is (a worktree). No program is run, and of the
 * repository's own settings none is read.
 */
export async function readInfoExclude(folder: string): Promise<string | undefined> {
  const inside = await readIgnoreFile(join(folder, '.git/info/exclude'));
  if (inside !== undefined) return inside;
  const pointer = /^gitdir: (.+?)\r?\n?$/.exec((await readText(join(folder, '.git'), MAX_POINTER_BYTES)) ?? '')?.[1];
  if (pointer === undefined) return undefined;
  const repository = resolve(folder, pointer);
  const shared = (await readText(join(repository, 'commondir'), MAX_POINTER_BYTES))?.replace(/\r?\n$/, '');
  return readIgnoreFile(join(shared ? resolve(repository, shared) : repository, 'info/exclude'));
}

/**
 * The excludes file of the user: the one that `core.excludesFile` in their own `~/.gitconfig` names, else the one in
 * their configuration directory.
 *
 * @param configHome `$XDG_CONFIG_HOME`; default `~/.config`
 */
export async function readUserExcludes(home: string, configHome?: string): Promise<string | undefined> {
  const settings = await readText(join(home, '.gitconfig'), MAX_SETTINGS_BYTES);
  const named = settings === undefined ? undefined : excludesFileOf(settings, home);
  const configured = configHome !== undefined && isAbsolute(configHome) ? configHome : join(home, '.config');
  return readIgnoreFile(named ?? join(configured, 'git/ignore'));
}

/** What the last `core.excludesFile` says, if that is a path which does not depend on where git is run. */
function excludesFileOf(settings: string, home: string): string | undefined {
  let section = '';
  let found: string | undefined;
  for (const line of settings.split(/\r?\n/)) {
    const header = /^\s*\[([^\]]*)\](.*)$/.exec(line);
    if (header) section = (header[1] ?? '').trim().toLowerCase();
    const setting = /^\s*excludesfile\s*=(.*)$/i.exec(header ? (header[2] ?? '') : line);
    if (setting && section === 'core') found = valueOf(setting[1] ?? '');
  }
  if (found === undefined || found === '') return undefined;
  const path = found.startsWith('~/') ? join(home, found.slice(2)) : found;
  return isAbsolute(path) ? path : undefined;
}

function valueOf(text: string): string {
  const trimmed = text.trim();
  const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(trimmed)?.[1];
  const value = quoted ?? trimmed.replace(/[#;].*$/, '').trimEnd();
  return value.replace(/\\(.)/g, '$1');
}

async function readText(path: string, maxBytes: number): Promise<string | undefined> {
  try {
    const file = await readRegularFile(path, maxBytes);
    return file.kind === 'read' ? file.bytes.toString('utf8') : undefined;
  } catch {
    return undefined;
  }
}
