/** A folder with a dev container, and a daemon as a process of its own that brings it up. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { WireDevcontainer } from '../../../src/http/wire-schemas.ts';
import { buildDaemon, type DaemonProcess, isInjected, startDaemon } from './daemon.ts';

export const ENGINE = process.env['AGENTCONTAINERS_TEST_DOCKER_HOST'] ?? '';

export interface OneFolder {
  /** What is run by node. */
  readonly main: string;
  /** Everything below it goes in the end. */
  readonly base: string;
  readonly folder: string;
  readonly stateDir: string;
  /** Starts a daemon; the one before it has to have ended. */
  serve(): Promise<DaemonProcess>;
  /** Brings the folder up, and waits for its sub-agent. */
  bringUp(daemon: DaemonProcess): Promise<WireDevcontainer>;
  /** Removes all that was made, and the containers of these folders as well. */
  remove(...others: string[]): Promise<void>;
}

export async function makeOneFolder(prefix: string): Promise<OneFolder> {
  if (ENGINE === '') throw new Error('AGENTCONTAINERS_TEST_DOCKER_HOST is not set.');
  const build = await buildDaemon();
  const base = await realpath(await mkdtemp(join(tmpdir(), prefix)));
  const folder = join(base, `work-${basename(base).slice(-6).toLowerCase()}`);
  await mkdir(folder);
  await writeFile(join(folder, '.devcontainer.json'), '{ "image": "agentcontainers-base:1" }\n');
  const stateDir = join(base, 'state');
  const args = ['--log-level', 'warn', '--listen', 'off', folder];
  return {
    main: build.main,
    base,
    folder,
    stateDir,
    serve: () => startDaemon({ main: build.main, dockerHost: ENGINE, stateDir, args }),
    async bringUp(daemon) {
      const receipt = await daemon.create(folder);
      return daemon.until(receipt.devcontainer_id, 'a container with its resident', isInjected);
    },
    async remove(...others) {
      await removeContainersOf(folder, ...others);
      await rm(base, { recursive: true, force: true });
      await build.remove();
    },
  };
}

/** Removes the dev containers of these folders. */
export async function removeContainersOf(...folders: string[]): Promise<void> {
  for (const folder of folders) {
    const ids = await docker('ps', '-aq', '--filter', `label=devcontainer.local_folder=${folder}`);
    if (ids !== '') await docker('rm', '-f', ...ids.split('\n'));
  }
}

/** What the engine's client prints. Rejects when it fails. */
export async function docker(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', ['--host', ENGINE, ...args]);
  return stdout.trim();
}
