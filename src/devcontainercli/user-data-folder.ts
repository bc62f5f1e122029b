import { createHash } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { EntryKey } from '../agentcontainers/model/devcontainer.ts';

/** How many of the files that the CLI never removes are left to it: those of this container and the ones before. */
const KEPT_FILES = 10;

/** Where the CLI finds the compose files again that it made for this configuration. */
export function userDataFolder(stateDirectory: string, { workspaceFolder, configPath }: EntryKey): string {
  const name = createHash('sha256')
    .update(JSON.stringify([workspaceFolder, configPath]))
    .digest('hex')
    .slice(0, 16);
  return join(stateDirectory, 'devcontainer-cli', name);
}

/** Removes all but the newest files of a {@link userDataFolder}. Never rejects. */
export async function pruneUserData(folder: string): Promise<void> {
  const files = join(folder, 'docker-compose');
  try {
    const found = await Promise.all(
      (await readdir(files)).map(async (name) => ({ name, at: (await stat(join(files, name))).mtimeMs })),
    );
    const old = found.sort((a, b) => b.at - a.at).slice(KEPT_FILES);
    await Promise.all(old.map(({ name }) => rm(join(files, name), { force: true })));
  } catch {
    // There is nothing, or it is none of ours any more.
  }
}
