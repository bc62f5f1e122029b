import { isAbsolute, normalize, sep } from 'node:path';
import { bounded } from '../../async/abort.ts';
import type { Clock } from '../../clock/clock.ts';
import { errorMessage } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { FOLDER_TIMEOUT } from '../constants.ts';
import { LABEL, type Container } from '../model/container.ts';
import type { EntryKey } from '../model/devcontainer.ts';
import type { Claim } from '../model/events.ts';
import type { ConfigFiles } from '../ports.ts';
import { devcontainerId } from './devcontainer-id.ts';
import type { LabelSigner } from './labels.ts';

/** Finds out which devcontainer a container claims to be, and whether its mounts bear the claim out. */
export interface ContainerClaims {
  resolve(containers: readonly Container[]): Promise<Claim[]>;
  /** Something happened to this container; without an id, to any. */
  forget(containerId?: string): void;
}

const LONGEST_LABEL = 4096;

export function createContainerClaims(
  configFiles: ConfigFiles,
  options: {
    readonly labels: readonly string[];
    readonly roots: readonly string[];
    readonly labelSigner: LabelSigner;
    readonly clock: Clock;
    readonly logger: Logger;
  },
): ContainerClaims {
  const known = new Map<string, Claim | undefined>();
  // Containers about which `known` is up to date. An event takes one out, also while it is being looked at.
  const fresh = new Set<string>();
  const outstanding = new Set<string>();
  const realRoots = new Map<string, string>();

  async function rootFolders(): Promise<string[]> {
    for (const root of options.roots) {
      if (realRoots.has(root)) continue;
      const real = await configFiles.realDirectory(root);
      // One that does not exist yet may come later.
      if (real !== undefined) realRoots.set(root, real);
    }
    return options.roots.map((root) => realRoots.get(root) ?? root);
  }

  async function claimOf(container: Container): Promise<Claim | undefined> {
    if (!counts(container, options.labels)) return undefined;
    const folder = container.labels[LABEL.localFolder] ?? '';
    const config = container.labels[LABEL.configFile] || undefined;
    if (!isAbsolute(folder) || folder.length > LONGEST_LABEL || (config?.length ?? 0) > LONGEST_LABEL) return undefined;
    const proven = await mounts(container, folder);
    const key = proven
      ? await realKey(folder, config)
      : { workspaceFolder: trimmed(normalize(folder)), configPath: config ?? '' };
    const roots = await rootFolders();
    const underRoot = proven && roots.some((root) => isInside(key.workspaceFolder, root));
    // Two spellings of one file are the same file: both name it exactly.
    const namesConfig = config !== undefined;
    const signed = options.labelSigner.signedBy(container.labels);
    return { containerId: container.id, entryId: devcontainerId(key), key, proven, underRoot, namesConfig, signed };
  }

  /**
   * A folder on a file system that hangs must not hold up the listing of all others: what was known of it stays, and
   * nobody waits for it again until it has answered.
   */
  async function look(container: Container): Promise<void> {
    const { id } = container;
    fresh.add(id);
    outstanding.add(id);
    const looking = claimOf(container).finally(() => outstanding.delete(id));
    try {
      const what = `Looking at the workspace folder of ${container.name}`;
      known.set(id, await bounded(options.clock, FOLDER_TIMEOUT, what, undefined, () => looking));
    } catch (error) {
      fresh.delete(id);
      options.logger.warn({ container: id }, errorMessage(error));
    }
  }

  /**
   * A label is a claim, an image can carry it: only a bind mount of the folder proves it, or of the git working tree in
   * which the folder lies, which is what the CLI mounts. Any other folder above it may be mounted for another reason.
   */
  async function mounts(container: Container, folder: string): Promise<boolean> {
    const binds = container.mounts.filter((mount) => mount.type === 'bind');
    if (binds.length === 0) return false;
    const real = await configFiles.realDirectory(folder);
    if (real === undefined) return binds.some((bind) => trimmed(normalize(bind.source)) === trimmed(normalize(folder)));
    let isAbove = false;
    const sources = new Set<string>();
    for (const bind of binds) {
      // Docker Desktop shows host paths below this folder of its virtual machine.
      const source = bind.source.replace(/^\/host_mnt(?=\/)/, '');
      const realSource = (await configFiles.realDirectory(source)) ?? trimmed(normalize(source));
      if (realSource === real) return true;
      sources.add(realSource);
      isAbove ||= isInside(real, realSource);
    }
    return isAbove && sources.has(await configFiles.gitRoot(real));
  }

  async function realKey(folder: string, config: string | undefined): Promise<EntryKey> {
    const found = await configFiles.canonicalKey(folder, config);
    if ('workspaceFolder' in found) return found;
    const workspaceFolder = (await configFiles.realDirectory(folder)) ?? trimmed(normalize(folder));
    return { workspaceFolder, configPath: found.configPaths[0] ?? '' };
  }

  return {
    async resolve(containers) {
      const present = new Set(containers.map((container) => container.id));
      for (const ids of [known, fresh]) for (const id of ids.keys()) if (!present.has(id)) ids.delete(id);
      const asked = containers.filter(({ id }) => !fresh.has(id) && !outstanding.has(id));
      await Promise.all(asked.map(look));
      return containers.flatMap(({ id }) => known.get(id) ?? []);
    },
    forget(containerId) {
      if (containerId === undefined) fresh.clear();
      else fresh.delete(containerId);
    },
  };
}

/** A candidate has the folder label, is no test run (unless a filter is set), and matches all labels of the filter. */
export function counts(container: Container, filter: readonly string[]): boolean {
  const { labels } = container;
  if (labels[LABEL.localFolder] === undefined || labels[LABEL.localFolder] === '') return false;
  if (filter.length === 0) return labels[LABEL.isTestRun] !== 'true';
  return matchesLabels(container, filter);
}

/** `k` or `k=v`, all of them. */
export function matchesLabels(container: Pick<Container, 'labels'>, filter: readonly string[]): boolean {
  return filter.every((wanted) => {
    const at = wanted.indexOf('=');
    if (at < 0) return Object.hasOwn(container.labels, wanted);
    return container.labels[wanted.slice(0, at)] === wanted.slice(at + 1);
  });
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function trimmed(path: string): string {
  return path.length > 1 ? path.replace(/(?<![/\\])[/\\]+$/, '') : path;
}
