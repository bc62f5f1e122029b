import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  cliFor,
  featureFiles,
  neverAborted,
  runBuild,
  runUp,
  successOf,
  writeWorkspace,
} from './support/devcontainer-cli.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';

const exec = promisify(execFile);
const engine = testEngine();
afterAll(() => engine.cleanup());

let calls: string;
let cli: ReturnType<typeof cliFor>;
beforeAll(async () => {
  const bin = await engine.makeFolder('bin');
  calls = join(bin, 'calls');
  await writeFile(calls, '');
  await writeFile(join(bin, 'git'), `#!/bin/sh\necho "$@" >> '${calls}'\nexit 1\n`);
  await chmod(join(bin, 'git'), 0o755);
  cli = cliFor(engine, { env: { ...process.env, PATH: `${bin}:${process.env['PATH']}` } });
});

async function git(folder: string, ...args: string[]): Promise<void> {
  const identity = ['-c', 'user.name=x', '-c', 'user.email=x@example.com'];
  await exec('git', [...identity, ...args], { cwd: folder });
}

/** A repository whose configuration names a program that must not run. */
async function repository(): Promise<string> {
  const root = await engine.makeFolder('repository');
  await git(root, 'init', '-q');
  await git(root, 'config', 'core.fsmonitor', `touch '${join(root, 'hook-ran')}'`);
  await writeFile(join(root, 'file-of-root'), 'root');
  return root;
}

describe('a workspace in a git repository', () => {
  it('is mounted with the root of the repository, without git being run', async () => {
    const root = await repository();
    const folder = join(root, 'packages/app');
    await mkdir(folder, { recursive: true });
    const name = root.split('/').at(-1);
    const key = await writeWorkspace(
      folder,
      {
        image: BASE_IMAGE,
        features: { './my-feature': {} },
        postCreateCommand: 'cat ../../file-of-root',
      },
      featureFiles('true'),
    );
    successOf(await runBuild(cli, key));
    const run = runUp(cli, key);
    const outcome = successOf(await run.done);
    expect(outcome.remoteWorkspaceFolder).toBe(`/workspaces/${name}/packages/app`);
    expect(run.progress.map(({ text }) => text)).toContain('root');
    const mounts = await engine.docker(
      'inspect',
      '-f',
      '{{range .Mounts}}{{.Source}}:{{.Destination}};{{end}}',
      outcome.containerId,
    );
    expect(mounts).toBe(`${root}:/workspaces/${name};`);
    const merged = await cli.readConfiguration({ key, containerId: outcome.containerId, signal: neverAborted });
    expect(merged.workspaceFolder).toBe(outcome.remoteWorkspaceFolder);
    expect((await cli.readConfiguration({ key, signal: neverAborted })).workspaceFolder).toBe(
      outcome.remoteWorkspaceFolder,
    );
    expect(successOf(await runUp(cli, key, { mode: 'find' }).done).remoteWorkspaceFolder).toBe(
      outcome.remoteWorkspaceFolder,
    );
    expect(await readFile(calls, 'utf8')).toBe('');
    await expect(readFile(join(root, 'hook-ran'))).rejects.toThrow('ENOENT');
  });

  it('is mounted as the CLI would mount it, where that was let run git', async () => {
    const root = await repository();
    await git(root, 'commit', '-q', '--allow-empty', '-m', 'x');
    const worktree = join(await engine.makeFolder('trees'), 'tree');
    await git(root, 'worktree', 'add', '-q', worktree);
    const config = { image: BASE_IMAGE };
    for (const [folder, properties] of [
      [root, {}],
      [join(root, 'sub'), {}],
      [join(root, 'own-folder'), { workspaceFolder: '/elsewhere' }],
      [join(root, 'own-mount'), { workspaceMount: `type=bind,source=${root},target=/m`, workspaceFolder: '/m' }],
      [join(worktree, 'sub'), {}],
      [join(root, '.git/modules'), {}],
      [join(root, '..', 'outside'), {}],
    ] as const) {
      const key = await writeWorkspace(folder, { ...config, ...properties });
      const script = join(import.meta.dirname, '../../node_modules/@devcontainers/cli/devcontainer.js');
      const args = ['read-configuration', '--workspace-folder', folder, '--config', key.configPath];
      const { stdout } = await exec(process.execPath, [script, ...args], {
        env: { ...process.env, DOCKER_HOST: engine.dockerHost },
      });
      const { workspace } = JSON.parse(stdout) as { workspace: { workspaceFolder: string } };
      const { workspaceFolder } = await cli.readConfiguration({ key, signal: neverAborted });
      expect({ folder, workspaceFolder }).toEqual({ folder, workspaceFolder: workspace.workspaceFolder });
    }
    expect(await readFile(calls, 'utf8')).toBe('');
  });
});
