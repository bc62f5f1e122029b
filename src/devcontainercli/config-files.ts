import { realpath, stat } from 'node:fs/promises';

import type { ConfigFiles } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import { canonicalConfigPath, findConfigs, realPathOfExistingPart } from './config-paths.ts';
import { readConfigSnapshot } from './config-snapshot.ts';
import { imageFindings } from './findings/image-findings.ts';
import { createFileReader } from './inputs/file-reader.ts';
import { gitRootOf } from './git-root.ts';
import { gatherInputs } from './inputs/gather-inputs.ts';
import { ownUserId } from './process-group.ts';

/**
 * Dev container configurations on this machine's file system.
 *
 * @param options.clock must agree with the times that the file system gives to files; default the system's
 */
export function createConfigFiles(options: { readonly clock?: Clock | undefined } = {}): ConfigFiles {
  const reader = createFileReader(options.clock ?? systemClock);
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
    gitRoot: (folder) => gitRootOf(folder, ownUserId()),
    read: (key) => readConfigSnapshot(key, reader),
    contents: async (key) => (await gatherInputs(key, reader, 'contents')).contents,
    watchDirectories: async (key) => (await gatherInputs(key, reader, 'directories')).directories,
    imageFindings,
  };
}
