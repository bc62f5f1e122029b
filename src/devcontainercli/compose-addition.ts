import { dirname, resolve } from 'node:path';

import type { EntryKey } from '../agentcontainers/model/devcontainer.ts';
import type { ReadOnlyMount } from '../agentcontainers/ports.ts';
import { readRegularFile } from '../files/read-regular-file.ts';
import { MAX_PATH } from './inputs/input-bounds.ts';

const MAX_FILE = 1024 * 1024;

/**
 * A compose file that adds labels and read-only mounts to a service. The CLI itself cannot: it drops `readonly` from
 * the mounts of a compose configuration. It is JSON, which is YAML too.
 *
 * @param version of the project's first file; compose 1 wants the same one in all of them
 */
export function composeAddition(
  service: string,
  version: string | undefined,
  labels: Readonly<Record<string, string>>,
  mounts: readonly ReadOnlyMount[],
): string {
  return JSON.stringify({
    ...(version === undefined ? {} : { version }),
    services: {
      [service]: {
        labels: Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, literal(value)])),
        volumes: volumesOf(mounts),
      },
    },
  });
}

/**
 * The short form is known to all versions of the format, but cannot tell the colons of a path from its own; compose 2
 * uses it inside for the long form too. Such a mount is left out: it saves a copy, nothing depends on it.
 */
function volumesOf(mounts: readonly ReadOnlyMount[]): string[] {
  return mounts
    .filter(({ source, target }) => !`${source}${target}`.includes(':'))
    .map(({ source, target }) => `${literal(source)}:${literal(target)}:ro`);
}

/** Compose fills in variables everywhere. */
function literal(text: string): string {
  return text.replaceAll('$', '$$$$');
}

/**
 * The compose files of a configuration as the CLI finds them, those named in the configuration as they stand there; a
 * list without any means those in the workspace folder.
 */
export async function composeFilesOf(
  config: Readonly<Record<string, unknown>>,
  { workspaceFolder }: EntryKey,
): Promise<readonly string[]> {
  const named = config['dockerComposeFile'];
  if (typeof named === 'string') return [named];
  if (Array.isArray(named) && named.length > 0) return named as string[];
  const env = await textOf(resolve(workspaceFolder, '.env'));
  const listed = /^COMPOSE_FILE=(.+)$/m.exec(env ?? '')?.[1]?.trim();
  if (listed !== undefined && listed !== '') return listed.split(':').map((path) => resolve(workspaceFolder, path));
  const override = resolve(workspaceFolder, 'docker-compose.override.yml');
  const hasOverride = (await textOf(override)) !== undefined;
  return [resolve(workspaceFolder, 'docker-compose.yml'), ...(hasOverride ? [override] : [])];
}

/** What the first compose file says of its version; `undefined` when it says nothing that is one. */
export async function composeVersionOf(
  files: readonly string[],
  { workspaceFolder, configPath }: EntryKey,
  env: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const [first] = files;
  if (typeof first !== 'string') return undefined;
  const text = await textOf(resolve(dirname(configPath), substituted(first, workspaceFolder, env)));
  return /^[ \t]*version:\s*(["']?)(\d[\d.]*)\1\s*(?:#.*)?$/m.exec(text ?? '')?.[2];
}

/** The variables of the specification that a path of a compose file can contain. */
function substituted(text: string, workspaceFolder: string, env: Readonly<Record<string, string>>): string {
  // No path is longer, and a text of beginnings alone would take long.
  if (text.length > MAX_PATH) return text;
  return text.replaceAll(/\$\{(.*?)\}/g, (all, inner: string) => {
    const [name, variable = '', fallback = ''] = inner.split(':');
    if (name === 'localWorkspaceFolder') return workspaceFolder;
    if (name === 'localWorkspaceFolderBasename') return workspaceFolder.split('/').at(-1) ?? '';
    return name === 'localEnv' || name === 'env' ? (env[variable] ?? fallback) : all;
  });
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    const file = await readRegularFile(path, MAX_FILE);
    return file.kind === 'read' ? file.bytes.toString('utf8') : undefined;
  } catch {
    return undefined;
  }
}
