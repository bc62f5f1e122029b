import { basename, join, posix, relative, sep } from 'node:path';

/** Properties of a devcontainer.json by which the workspace gets into the container. */
export interface WorkspaceMount {
  readonly workspaceFolder?: string | undefined;
  readonly workspaceMount?: string | undefined;
}

/**
 * What the CLI would choose for a folder in a git working tree, if it were let run git: the root is mounted at
 * `/workspaces/<its name>`, and the workspace folder lies below it. What the configuration says itself is left alone.
 *
 * @param root see `git-root.ts`; the folder itself when there is no repository
 * @param operatingSystem of this host, in Node's words
 */
export function workspaceMountOf(
  config: Readonly<Record<string, unknown>>,
  folder: string,
  root: string,
  operatingSystem: string,
): WorkspaceMount {
  if ('dockerComposeFile' in config) return {};
  // The folder alone is what the CLI chooses by itself.
  if (root === folder) return {};
  const target = posix.join('/workspaces', basename(root));
  const workspaceFolder = posix.join(target, relative(root, folder).split(sep).join('/'));
  // The CLI would take a part of the path for a variable; then the folder alone is mounted.
  if (join(root, workspaceFolder).includes('${')) return {};
  const consistency = operatingSystem === 'linux' ? '' : ',consistency=cached';
  return {
    ...(config['workspaceFolder'] ? {} : { workspaceFolder }),
    ...('workspaceMount' in config
      ? {}
      : { workspaceMount: `type=bind,${field('source', root)},${field('target', target)}${consistency}` }),
  };
}

/** One field of a mount, which is a line of comma-separated values. */
export function field(name: string, value: string): string {
  const text = `${name}=${value}`;
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
