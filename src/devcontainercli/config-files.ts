import { realpath, stat } from 'node:fs/promises';

import type { ConfigFiles } from '../agentcontainers/ports.ts';
import { canonicalConfigPath, configDirectories, findConfigs, realPathOfExistingPart } from './config-paths.ts';
import { readConfigFile } from './config-snapshot.ts';

/** devcontainer.json files on this machine's file system. */
export function createConfigFiles(): ConfigFiles {
  const realDirectory = async (path: string): Promise<string | undefined> => {
    try {
      const real = await realpath(path);
      return (await stat(real)).isDirectory() ? real : undefined;
    } catch {
      return undefined;
    }
  };

  return {
    async canonicalKey(workspaceFolder, configPath) {
      const real = await realDirectory(workspaceFolder);
      const folder = real ?? (await realPathOfExistingPart(workspaceFolder));
      if (configPath !== undefined) {
        return { workspaceFolder: folder, configPath: await canonicalConfigPath(workspaceFolder, folder, configPath) };
      }
      const configPaths = await findConfigs(folder);
      const [only] = configPaths;
      return only !== undefined && configPaths.length === 1
        ? { workspaceFolder: folder, configPath: only }
        : { configPaths, folderExists: real !== undefined };
    },
    realDirectory,
    read: readConfigFile,
    watchDirectories: configDirectories,
  };
}
