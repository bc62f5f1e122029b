import { basename, dirname, join } from 'node:path';

import type { ComposeProject } from '../../agentcontainers/model/compose-project.ts';
import { expandVariables } from '../inputs/expand-variables.ts';
import type { ComposeVariables } from './compose-variables.ts';
import type { ComposeDocument, ComposeProject as LoadedProject } from './load-project.ts';
import { isRecord, own, recordOf } from './untrusted-record.ts';

/** More services than these are hardly in one project. */
const MAX_BUILDS = 50;

/**
 * The name that the dev container CLI and compose give to the project of a configuration when nothing in the environment
 * says another: that of `.env` in the workspace folder, that of `.env` beside the first compose file, that of the last
 * compose file which has one, and else one made from the folder.
 *
 * @param documents of the files that the configuration names, in their order
 */
export function projectName(project: {
  readonly workspaceFolder: string;
  /** What `.env` in the workspace folder says. */
  readonly inWorkspaceEnv: string | undefined;
  /** Of the first compose file. */
  readonly folder: string;
  readonly documents: readonly ComposeDocument[];
  readonly variables: ComposeVariables;
}): Pick<ComposeProject, 'name' | 'isExplicit'> {
  const { workspaceFolder, folder, documents, variables } = project;
  const said = [
    project.inWorkspaceEnv,
    variables.inFiles('COMPOSE_PROJECT_NAME'),
    ...documents.map((document) => nameIn(document)).toReversed(),
  ];
  for (const text of said) {
    const name = asName(text ?? '');
    if (name !== '') return { name, isExplicit: true };
  }
  const isBesideConfig = folder === join(workspaceFolder, '.devcontainer');
  const name = isBesideConfig ? `${basename(workspaceFolder)}_devcontainer` : basename(folder);
  return { name: asName(name), isExplicit: false };
}

/** Where the first compose file lies; `undefined` when that cannot be told. */
export function projectFolder(
  workspaceFolder: string,
  paths: readonly string[],
  composeFile: string | undefined,
): string | undefined {
  const [first] = paths;
  if (first !== undefined) return dirname(first);
  const [listed] = (composeFile ?? '').split(':');
  return listed ? dirname(join(listed.startsWith('/') ? '/' : workspaceFolder, listed)) : workspaceFolder;
}

/** Services that have no other name for the image that they build than the one that compose makes of the project. */
export function builtServices({ documents }: Pick<LoadedProject, 'documents'>): readonly string[] {
  const names = new Set<string>();
  for (const { content } of documents) {
    for (const [name, service] of Object.entries(recordOf(own(content, 'services')))) {
      const isBuilt = isRecord(service) && own(service, 'build') !== undefined && own(service, 'image') === undefined;
      if (isBuilt && names.size < MAX_BUILDS) names.add(name);
    }
  }
  return [...names].filter((name) => /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*$/.test(name)).sort();
}

/** As the CLI makes it of any text. */
function asName(text: string): string {
  return text.toLowerCase().replaceAll(/[^-_a-z0-9]/g, '');
}

/** One that depends on the name itself, e.g. `${COMPOSE_PROJECT_NAME:-app}`, is asked while there is none. */
function nameIn({ content, variables }: ComposeDocument): string | undefined {
  const text = own(content, 'name');
  if (typeof text !== 'string') return undefined;
  const lookup: typeof variables.lookup = (name) => (name === 'COMPOSE_PROJECT_NAME' ? null : variables.lookup(name));
  return expandVariables(text, lookup, 'compose');
}
