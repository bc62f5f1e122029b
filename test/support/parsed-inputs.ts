import type { ParsedFile, ParsedInputs } from '../../src/devcontainercli/inputs/parsed-inputs.ts';

/** Inputs of a configuration in a folder that does not exist. Only for tests. */
export function inputsOf(
  config: Readonly<Record<string, unknown>>,
  more: Partial<ParsedInputs> = {},
  workspaceFolder = '/ws',
): ParsedInputs {
  return {
    workspaceFolder,
    configPath: `${workspaceFolder}/.devcontainer/devcontainer.json`,
    config,
    compose: [],
    localFeatures: [],
    remoteFeatures: [],
    composeVariables: {},
    ...more,
  };
}

/** A configuration with one compose file beside it. */
export function composeOf(document: unknown, more: Partial<ParsedInputs> = {}): ParsedInputs {
  return inputsOf(
    { dockerComposeFile: 'compose.yml' },
    { compose: [fileAt('.devcontainer/compose.yml', document)], ...more },
  );
}

export function fileAt(path: string, document: unknown, workspaceFolder = '/ws'): ParsedFile {
  return { path: `${workspaceFolder}/${path}`, name: `./${path}`, document };
}
