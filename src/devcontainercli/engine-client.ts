import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * The client through which the CLI speaks to the engine, when it is not the CLI's own choice. That is `docker`, also where
 * the engine is Podman; `podman` is taken where only that is on PATH. For it the CLI makes containers with other options,
 * with which Podman, run by root, refuses a remote user other than root.
 */
export function engineClient(path: string | undefined): 'podman' | undefined {
  const directories = (path ?? '').split(delimiter).filter((directory) => directory.startsWith('/'));
  const has = (name: string): boolean => directories.some((directory) => isProgram(join(directory, name)));
  return !has('docker') && has('podman') ? 'podman' : undefined;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
