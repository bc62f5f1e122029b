import { posix } from 'node:path';
import { parse, printParseErrorCode } from 'jsonc-parser';
import type { ParseError } from 'jsonc-parser';
import type { ConfigError } from '../agentcontainers/model/devcontainer.ts';
import type { ConfigFiles, ConfigSnapshot } from '../agentcontainers/ports.ts';
import type { Clock, Instant } from '../clock/clock.ts';
import { canonicalFingerprint } from './canonical-fingerprint.ts';
import type { LeakSource } from './leak-guard.ts';
import { createScriptedCalls } from './scripted-calls.ts';
import type { CallControls } from './scripted-calls.ts';

type ConfigFilesCall = 'canonicalKey' | 'realDirectory' | 'read' | 'watchDirectories';

const MAX_BYTES = 1024 * 1024;
/** Symlinks are followed this often, as by Linux. */
const MAX_LINKS = 40;

/** How a change is made: `quietly` means that no watcher notices it. */
export interface ChangeOptions {
  readonly quietly?: boolean;
}

export interface FakeConfigFiles extends ConfigFiles, CallControls<ConfigFilesCall>, LeakSource {
  /** Writes a file, and makes the directories above it. An object becomes JSON; text is taken as it is. Returns its path. */
  write(folder: string, configPath: string, content: object | string, options?: ChangeOptions): string;
  /** Makes the file one that cannot be parsed, with this error. */
  breakAt(folder: string, configPath: string, error?: Partial<ConfigError>, options?: ChangeOptions): void;
  remove(folder: string, configPath: string, options?: ChangeOptions): void;
  addDirectory(path: string): void;
  /** A symlink at `link` that leads to `target`. */
  alias(link: string, target: string): void;
}

interface StoredFile {
  readonly content: string | ConfigError;
  readonly modifiedAt: Instant;
}

/**
 * Configuration files in memory, on POSIX paths.
 *
 * @param world.onChange is told of the directory of each change, unless made quietly; a test world tells its watcher
 */
export function createFakeConfigFiles(world: {
  clock: Clock;
  onChange?: (directory: string) => void;
}): FakeConfigFiles {
  const calls = createScriptedCalls<ConfigFilesCall>('configFiles', [
    'canonicalKey',
    'realDirectory',
    'read',
    'watchDirectories',
  ]);
  const files = new Map<string, StoredFile>();
  const directories = new Set<string>(['/']);
  const links = new Map<string, string>();

  function realPath(path: string): string {
    let real = posix.resolve('/', path);
    for (let followed = 0; followed < MAX_LINKS; followed++) {
      const found = [...links].find(([at]) => real === at || real.startsWith(`${at}/`));
      if (!found) break;
      const [link, target] = found;
      real = posix.resolve(posix.dirname(link), target, `.${real.slice(link.length)}`);
    }
    return real;
  }

  function addDirectory(path: string): void {
    for (let at = realPath(path); !directories.has(at); at = posix.dirname(at)) directories.add(at);
  }

  function change(path: string, content: string | ConfigError | undefined, options: ChangeOptions = {}): string {
    const real = realPath(path);
    addDirectory(posix.dirname(real));
    if (content === undefined) files.delete(real);
    else files.set(real, { content, modifiedAt: world.clock.now() });
    if (!options.quietly) world.onChange?.(posix.dirname(real));
    return real;
  }

  function findConfigs(folder: string): string[] {
    const nested = posix.join(folder, '.devcontainer');
    return [...files.keys()]
      .filter((path) => {
        if (path === posix.join(folder, '.devcontainer.json')) return true;
        if (posix.basename(path) !== 'devcontainer.json') return false;
        return posix.dirname(path) === nested || posix.dirname(posix.dirname(path)) === nested;
      })
      .sort();
  }

  return {
    calls: calls.calls,
    failNext: calls.failNext,
    hang: calls.hang,
    leaks: calls.leaks,

    write: (folder, configPath, content, options) =>
      change(
        posix.resolve(folder, configPath),
        typeof content === 'string' ? content : JSON.stringify(content, null, 2),
        options,
      ),
    breakAt(folder, configPath, error = {}, options) {
      const full = { message: 'CloseBraceExpected', line: 1, column: 1, ...error };
      change(posix.resolve(folder, configPath), full, options);
    },
    remove(folder, configPath, options) {
      change(posix.resolve(folder, configPath), undefined, options);
    },
    addDirectory,
    alias: (link, target) => void links.set(posix.resolve('/', link), target),

    canonicalKey: (workspaceFolder, configPath) =>
      calls.perform('canonicalKey', undefined, () => {
        const folder = realPath(workspaceFolder);
        if (configPath !== undefined) {
          return { workspaceFolder: folder, configPath: realPath(posix.resolve(folder, configPath)) };
        }
        const found = findConfigs(folder);
        const [only, ...others] = found;
        if (only !== undefined && others.length === 0) return { workspaceFolder: folder, configPath: only };
        return { configPaths: found, folderExists: directories.has(folder) };
      }),
    realDirectory: (path) =>
      calls.perform('realDirectory', undefined, () => {
        const real = realPath(path);
        return directories.has(real) ? real : undefined;
      }),
    read: (configPath) =>
      calls.perform('read', undefined, () => {
        const file = files.get(realPath(configPath));
        return file ? parseStrictly(file) : { kind: 'missing' };
      }),
    watchDirectories: ({ configPath }) =>
      calls.perform('watchDirectories', undefined, () => {
        const real = realPath(configPath);
        const through = [...links.keys()].filter((link) => {
          const target = realPath(link);
          return real === target || real.startsWith(`${target}/`);
        });
        return [...new Set([real, ...through].map((path) => posix.dirname(path)))];
      }),
  };
}

function parseStrictly({ content, modifiedAt }: StoredFile): ConfigSnapshot {
  if (typeof content !== 'string') return { kind: 'invalid', error: content };
  if (Buffer.byteLength(content) > MAX_BYTES) return invalid('the file is larger than 1 MiB', content, 0);
  const errors: ParseError[] = [];
  const value: unknown = parse(content, errors, { allowTrailingComma: true });
  if (errors[0]) return invalid(printParseErrorCode(errors[0].error), content, errors[0].offset);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return invalid('the file does not hold an object', content, 0);
  }
  const config = value as Readonly<Record<string, unknown>>;
  const properties = Object.entries(config).map(([name, part]) => [name, canonicalFingerprint(part)]);
  return {
    kind: 'valid',
    fingerprint: canonicalFingerprint(config),
    properties: Object.fromEntries(properties) as Record<string, string>,
    config,
    modifiedAt,
  };
}

function invalid(message: string, content: string, offset: number): ConfigSnapshot {
  const before = content.slice(0, offset);
  const line = before.split('\n').length;
  return { kind: 'invalid', error: { message, line, column: offset - before.lastIndexOf('\n') } };
}
