import { mkdir, mkdtemp, realpath, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ConfigFiles, ValidConfig } from '../../src/agentcontainers/ports.ts';
import { createConfigFiles } from '../../src/devcontainercli/config-files.ts';

/** A real folder with a configuration in it, read by the real adapter. */
export interface WorkspaceFolder {
  /** Holds the workspace, and what a test puts beside it. */
  readonly root: string;
  /** The workspace folder, `<root>/w`. */
  readonly folder: string;
  readonly key: { readonly workspaceFolder: string; readonly configPath: string };
  readonly files: ConfigFiles;
  path(name: string): string;
  /** An object becomes JSON; `undefined` takes the file away. Returns its path. */
  write(name: string, content: string | object | undefined): Promise<string>;
  /** Throws when the configuration is not valid. */
  read(): Promise<ValidConfig>;
  dispose(): Promise<void>;
}

export async function makeWorkspaceFolder(
  options: { readonly configPath?: string; readonly files?: ConfigFiles } = {},
): Promise<WorkspaceFolder> {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'workspace-')));
  const folder = join(root, 'w');
  await mkdir(folder);
  const files = options.files ?? createConfigFiles();
  const key = {
    workspaceFolder: folder,
    configPath: join(folder, options.configPath ?? '.devcontainer/devcontainer.json'),
  };
  const path = (name: string): string => join(folder, name);
  return {
    root,
    folder,
    key,
    files,
    path,
    async write(name, content) {
      const file = path(name);
      if (content === undefined) {
        await unlink(file).catch(() => {});
        return file;
      }
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content, null, 2));
      return file;
    },
    async read() {
      const snapshot = await files.read(key);
      if (snapshot.kind !== 'valid') throw new Error(JSON.stringify(snapshot));
      return snapshot;
    },
    dispose: () => rm(root, { recursive: true, force: true }),
  };
}

/** Names of inputs that are not the same in both, sorted. */
export function differences(before: ValidConfig, after: ValidConfig): string[] {
  const names = new Set([...Object.keys(before.inputs), ...Object.keys(after.inputs)]);
  return [...names].filter((name) => before.inputs[name] !== after.inputs[name]).sort();
}
