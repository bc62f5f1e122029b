import { AgentContainersError } from '../../errors.ts';
import type { EntryKey } from '../model/devcontainer.ts';
import type { ConfigFiles } from '../ports.ts';

/** The key of a folder that a person named. `folder-not-found`, `config-not-found`, `config-ambiguous`. */
export async function keyOf(
  configFiles: ConfigFiles,
  workspaceFolder: string,
  configPath: string | undefined,
): Promise<EntryKey> {
  const found = await configFiles.canonicalKey(workspaceFolder, configPath);
  if ('workspaceFolder' in found) {
    if ((await configFiles.realDirectory(found.workspaceFolder)) === undefined) throw noFolder(workspaceFolder);
    return found;
  }
  if (!found.folderExists) throw noFolder(workspaceFolder);
  if (found.configPaths.length === 0) throw noConfig(`${workspaceFolder}/.devcontainer/devcontainer.json`);
  throw new AgentContainersError('config-ambiguous', 'Several configurations in the folder', {
    details: { detail: `Name one of: ${found.configPaths.join(', ')}`, configPaths: found.configPaths },
  });
}

function noFolder(folder: string): AgentContainersError {
  return new AgentContainersError('folder-not-found', 'Workspace folder not found', {
    details: { detail: `There is no folder ${folder} on this machine.` },
  });
}

export function noConfig(path: string): AgentContainersError {
  return new AgentContainersError('config-not-found', 'No dev container configuration found', {
    details: { detail: `Add ${path} and try again.` },
  });
}

export function invalidConfig(
  path: string,
  error: { message: string; line: number; column: number },
): AgentContainersError {
  return new AgentContainersError('config-invalid', 'Dev container configuration is invalid', {
    details: { detail: `${path}:${error.line}:${error.column}: ${error.message}`, ...error, path },
  });
}
