import { posix } from 'node:path';
import type { ComposeProject } from '../agentcontainers/model/compose-project.ts';
import { LABEL } from '../agentcontainers/model/container.ts';
import type { EntryKey } from '../agentcontainers/model/devcontainer.ts';

/**
 * The compose project of a configuration that names compose files and no image, named after its folder as the CLI does.
 * Without reading any file: what services are built stands in the configuration, as `builds`.
 *
 * @param explicit a name that a file says
 */
export function fakeComposeProject(
  { workspaceFolder, configPath }: EntryKey,
  config: Readonly<Record<string, unknown>>,
  explicit?: string,
): ComposeProject | undefined {
  const { dockerComposeFile, service, builds } = config as { readonly builds?: readonly string[] } & typeof config;
  if (dockerComposeFile === undefined || 'image' in config) return undefined;
  const first: unknown = Array.isArray(dockerComposeFile) ? dockerComposeFile[0] : dockerComposeFile;
  const path = posix.resolve(posix.dirname(configPath), typeof first === 'string' ? first : '');
  const folder = typeof first === 'string' ? posix.dirname(path) : workspaceFolder;
  const isBeside = folder === posix.join(workspaceFolder, '.devcontainer');
  const name = isBeside ? `${posix.basename(workspaceFolder)}_devcontainer` : posix.basename(folder);
  return {
    name: explicit ?? name,
    isExplicit: explicit !== undefined,
    folder,
    service: typeof service === 'string' ? service : undefined,
    ...(builds ? { builds } : {}),
  };
}

/** Labels that compose gives to a container of a project. */
export function composeLabels(
  project: Pick<ComposeProject, 'name' | 'folder' | 'service'>,
  service = project.service,
): Readonly<Record<string, string>> {
  return {
    [LABEL.composeProject]: project.name,
    ...(project.folder === undefined ? {} : { [LABEL.composeFolder]: project.folder }),
    ...(service === undefined ? {} : { [LABEL.composeService]: service }),
  };
}
