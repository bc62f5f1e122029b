import { posix } from 'node:path';
import { parse, printParseErrorCode } from 'jsonc-parser';
import type { ParseError } from 'jsonc-parser';
import type { ConfigError } from '../agentcontainers/model/devcontainer.ts';
import type { Finding } from '../agentcontainers/model/verdict.ts';
import type { ConfigFiles, ConfigSnapshot } from '../agentcontainers/ports.ts';
import type { Clock, Instant } from '../clock/clock.ts';
import { canonicalFingerprint } from './canonical-fingerprint.ts';
import { fakeComposeProject } from './fake-compose.ts';
import type { LeakSource } from './leak-guard.ts';
import { createScriptedCalls } from './scripted-calls.ts';
import type { CallControls } from './scripted-calls.ts';

type ConfigFilesCall = 'canonicalKey' | 'realDirectory' | 'gitRoot' | 'read' | 'contents' | 'watchDirectories';

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
  /** From now on this folder is the root of a git working tree. */
  addGitRoot(path: string): void;
  /**
   * Another file that this configuration is made from, as its inputs name it (`./Dockerfile`), or an absolute path. It
   * counts as it is written. `undefined`: it is no input any more.
   */
  addInput(folder: string, configPath: string, input: string, text: string | undefined, options?: ChangeOptions): void;
  /** From now on reading this configuration finds this. */
  asks(folder: string, configPath: string, findings: readonly Finding[]): void;
  /** From now on a file of this configuration says this name of its compose project; `undefined`: none does. */
  namesProject(folder: string, configPath: string, name: string | undefined): void;
  /** From now on this image asks for this. */
  imageAsks(image: string, findings: readonly Finding[]): void;
  /** A symlink at `link` that leads to `target`. */
  alias(link: string, target: string): void;
}

interface StoredFile {
  readonly content: string | ConfigError;
  readonly modifiedAt: Instant;
}

/** A file that a configuration is made from besides its devcontainer.json. */
interface Input {
  readonly path: string;
  readonly text: string;
  readonly modifiedAt: Instant;
  /** Another number for each time that it was written. */
  readonly version: number;
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
    'gitRoot',
    'read',
    'contents',
    'watchDirectories',
  ]);
  const files = new Map<string, StoredFile>();
  const directories = new Set<string>(['/']);
  const gitRoots = new Set<string>();
  const links = new Map<string, string>();
  const found = new Map<string, readonly Finding[]>();
  const projectNames = new Map<string, string | undefined>();
  /** By the path of the configuration, then by input. */
  const furtherInputs = new Map<string, Map<string, Input>>();
  let versions = 0;
  const imagesFound = new Map<string, readonly Finding[]>();

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

  const inputsOf = (configPath: string): ReadonlyMap<string, Input> =>
    furtherInputs.get(realPath(configPath)) ?? new Map<string, Input>();

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
    addInput(folder, configPath, input, text, options = {}) {
      const at = realPath(posix.resolve(folder, configPath));
      const inputs = furtherInputs.get(at) ?? new Map<string, Input>();
      furtherInputs.set(at, inputs);
      const path = realPath(posix.resolve(folder, input));
      if (text === undefined) inputs.delete(input);
      else inputs.set(input, { path, text, modifiedAt: world.clock.now(), version: ++versions });
      if (!options.quietly) world.onChange?.(posix.dirname(path));
    },
    addDirectory,
    addGitRoot(path) {
      addDirectory(path);
      gitRoots.add(realPath(path));
    },
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
    gitRoot: (folder) =>
      calls.perform('gitRoot', undefined, () => {
        for (let at = folder; ; at = posix.dirname(at)) {
          if (gitRoots.has(at)) return at;
          if (at === posix.dirname(at)) return folder;
        }
      }),
    read: ({ workspaceFolder, configPath }) =>
      calls.perform('read', undefined, () => {
        const file = files.get(realPath(configPath));
        if (!file) return { kind: 'missing' };
        const parsed = parseStrictly(file);
        if (parsed.kind !== 'valid') return parsed;
        const { config } = parsed;
        const compose = fakeComposeProject(
          { workspaceFolder, configPath },
          config,
          projectNames.get(realPath(configPath)),
        );
        const further = [...inputsOf(configPath)];
        const inputs = Object.fromEntries([
          ...Object.entries(config).map(([name, value]) => [name, canonicalFingerprint(value)] as const),
          ...further.map(([input, { text }]) => [input, canonicalFingerprint(text)] as const),
        ]);
        return {
          kind: 'valid',
          fingerprint: canonicalFingerprint(inputs),
          inputs,
          images: typeof config['image'] === 'string' ? [config['image']] : [],
          config,
          modifiedAt: Math.max(file.modifiedAt, ...further.map(([, { modifiedAt }]) => modifiedAt)),
          written: Object.fromEntries(further.map(([input, { version }]) => [input, String(version)])),
          ...(compose ? { compose } : {}),
          findings: found.get(realPath(configPath)) ?? [],
          problems: [],
        };
      }),
    contents: ({ configPath }) =>
      calls.perform('contents', undefined, () => {
        const file = files.get(realPath(configPath));
        const parsed = file && parseStrictly(file);
        if (parsed?.kind !== 'valid') return {};
        return Object.fromEntries([
          ...Object.entries(parsed.config).map(([name, value]) => [name, JSON.stringify(value, null, 2)] as const),
          ...[...inputsOf(configPath)].map(([input, { text }]) => [input, text] as const),
        ]);
      }),
    imageFindings: (image) => imagesFound.get(image) ?? [],
    asks: (folder, configPath, findings) => void found.set(realPath(posix.resolve(folder, configPath)), findings),
    namesProject: (folder, configPath, name) =>
      void projectNames.set(realPath(posix.resolve(folder, configPath)), name),
    imageAsks: (image, findings) => void imagesFound.set(image, findings),
    watchDirectories: ({ configPath }) =>
      calls.perform('watchDirectories', undefined, () => {
        const real = realPath(configPath);
        const through = [...links.keys()].filter((link) => {
          const target = realPath(link);
          return real === target || real.startsWith(`${target}/`);
        });
        const inputs = [...inputsOf(configPath).values()].map(({ path }) => path);
        return [...new Set([real, ...through, ...inputs].map((path) => posix.dirname(path)))];
      }),
  };
}

function parseStrictly({
  content,
}: StoredFile):
  | { readonly kind: 'valid'; readonly config: Readonly<Record<string, unknown>> }
  | Extract<ConfigSnapshot, { kind: 'invalid' }> {
  if (typeof content !== 'string') return { kind: 'invalid', error: content };
  if (Buffer.byteLength(content) > MAX_BYTES) return invalid('the file is larger than 1 MiB', content, 0);
  const errors: ParseError[] = [];
  const value: unknown = parse(content, errors, { allowTrailingComma: true });
  if (errors[0]) return invalid(printParseErrorCode(errors[0].error), content, errors[0].offset);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return invalid('the file does not hold an object', content, 0);
  }
  return { kind: 'valid', config: value as Readonly<Record<string, unknown>> };
}

function invalid(message: string, content: string, offset: number): Extract<ConfigSnapshot, { kind: 'invalid' }> {
  const before = content.slice(0, offset);
  const line = before.split('\n').length;
  return { kind: 'invalid', error: { message, line, column: offset - before.lastIndexOf('\n') } };
}
