import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AgentContainersOptions, Devcontainer } from '../../src/index.ts';
import type { WireDevcontainer } from '../../src/http/wire-schemas.ts';
import { API, buildDaemon, startDaemon, type DaemonBuild } from './support/daemon.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import { eventually } from './support/eventually.ts';
import { CONFIG, hasAgent, startLibrary, type Library } from './support/library.ts';

// Real repositories, made by git, below a root that is watched for real.

const exec = promisify(execFile);
const engine = testEngine();
let root: string;
let library: Library | undefined;

beforeEach(async () => {
  root = await engine.makeFolder('root');
});
afterEach(async () => {
  await library?.api.close();
  library = undefined;
});
afterAll(() => engine.cleanup());

async function git(folder: string, ...args: string[]): Promise<void> {
  // Whatever the settings of the person are.
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' };
  const settings = ['-c', 'user.name=test', '-c', 'user.email=test@localhost', '-c', 'protocol.file.allow=always'];
  await exec('git', ['-C', folder, ...settings, ...args], { env, timeout: 30_000 });
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** A repository with a configuration, both committed. */
async function makeProject(folder: string, config: object = {}): Promise<string> {
  await write(join(folder, CONFIG), JSON.stringify({ image: BASE_IMAGE, init: true, ...config }, null, 2));
  await git(folder, 'init', '--quiet', '--initial-branch', 'main');
  await git(folder, 'add', '-A');
  await git(folder, 'commit', '--quiet', '-m', 'version');
  return folder;
}

async function discovering(options: AgentContainersOptions = {}): Promise<Library> {
  library = await startLibrary(engine, { roots: [root], discovery: true, ...options });
  return library;
}

/** Folders of all entries below the root, as paths below it. */
async function found({ api }: Library): Promise<string[]> {
  const { devcontainers } = await api.list();
  return devcontainers
    .filter(({ workspaceFolder }) => workspaceFolder.startsWith(`${root}/`))
    .map(({ workspaceFolder }) => workspaceFolder.slice(root.length + 1));
}

const finds = (seen: Library, folders: readonly string[]): Promise<unknown> =>
  eventually(`the projects ${folders.join(', ')}`, async () => {
    expect(await found(seen)).toEqual([...folders].sort());
    return true;
  });

describe('discovery', () => {
  it('sees repositories come and go, by clone, worktree, submodule, move and removal', async () => {
    const origin = await makeProject(join(await engine.makeFolder('origin'), 'app'));
    await makeProject(join(root, 'one'));
    await makeProject(join(root, 'group/two'));
    const seen = await discovering();
    await finds(seen, ['one', 'group/two']);

    await git(root, 'clone', '--quiet', origin, join(root, 'group/cloned'));
    await finds(seen, ['one', 'group/two', 'group/cloned']);
    await git(join(root, 'one'), 'worktree', 'add', '--quiet', join(root, 'new/tree'));
    await finds(seen, ['one', 'group/two', 'group/cloned', 'new/tree']);
    await git(join(root, 'group/two'), 'submodule', '--quiet', 'add', origin, 'modules/sub');
    await finds(seen, ['one', 'group/two', 'group/two/modules/sub', 'group/cloned', 'new/tree']);

    await rename(join(root, 'group/cloned'), join(root, 'moved'));
    await finds(seen, ['one', 'group/two', 'group/two/modules/sub', 'moved', 'new/tree']);
    await rm(join(root, 'group'), { recursive: true });
    await finds(seen, ['one', 'moved', 'new/tree']);
    // A root that goes, and comes back.
    await rename(root, `${root}-away`);
    await finds(seen, []);
    await rename(`${root}-away`, root);
    await finds(seen, ['one', 'moved', 'new/tree']);
  });

  it('leaves out what git ignores, and follows when that changes', async () => {
    await makeProject(join(root, 'repo'));
    for (const folder of ['build/a', 'kept/b', 'private/c']) await makeProject(join(root, 'repo', folder));
    await write(join(root, 'repo/.gitignore'), 'build/\n');
    await appendFile(join(root, 'repo/.git/info/exclude'), '\nprivate/\n');
    const seen = await discovering();
    await finds(seen, ['repo', 'repo/kept/b']);
    await writeFile(join(root, 'repo/.gitignore'), '');
    await finds(seen, ['repo', 'repo/build/a', 'repo/kept/b']);
  });

  it('finds a root that did not exist', async () => {
    const all = root;
    root = join(root, 'not/yet');
    const seen = await discovering();
    await makeProject(join(all, 'not/yet/app'));
    await finds(seen, ['app']);
  });

  it('keeps an entry, and what was trusted, through checkouts of branches without its configuration', async ({
    skip,
  }) => {
    const folder = await makeProject(join(root, 'app'), { initializeCommand: 'true' });
    await git(folder, 'checkout', '--quiet', '-b', 'bare');
    await git(folder, 'rm', '--quiet', '-r', '.devcontainer');
    await git(folder, 'commit', '--quiet', '-m', 'bare');
    await git(folder, 'checkout', '--quiet', 'main');
    const seen = await discovering();
    const { id, verdict } = await seen.until(folder, 'its verdict', (one) => one.verdict !== undefined);
    await seen.api.trust(id, verdict?.hash ?? '');
    for (let round = 0; round < 5; round++) {
      const began = performance.now();
      await git(folder, 'checkout', '--quiet', 'bare');
      await git(folder, 'checkout', '--quiet', 'main');
      // Away for longer than a moment it counts as gone: a machine this slow shows nothing here.
      if (performance.now() - began > 1_500) skip();
    }
    expect(await seen.until(folder, 'no error', (one) => one.configError === undefined)).toMatchObject({
      id,
      trusted: true,
    });
  });

  it('brings a discovered devcontainer up, and lists it as stopped when it was deleted', async () => {
    const folder = await makeProject(join(root, 'app'));
    const seen = await discovering();
    const { id } = await seen.until(folder, 'stopped', ({ status }) => status === 'stopped');
    const { done } = await seen.api.startDevcontainer(id);
    expect(await done).toMatchObject({ status: 'succeeded' });
    await seen.injected(folder);
    await seen.api.remove(id);
    expect(await seen.api.get(id)).toMatchObject({ id, status: 'stopped' });
    expect(await engine.docker('ps', '-aq', '--filter', `label=devcontainer.local_folder=${folder}`)).toBe('');
    await seen.api.refresh();
    await finds(seen, ['app']);
  });

  it('runs nothing that a repository names, and follows no link out of the root', async () => {
    const outside = await makeProject(join(await engine.makeFolder('outside'), 'secret'));
    const folder = await makeProject(join(root, 'hostile'));
    const canary = join(dirname(outside), 'canary');
    const script = join(folder, 'run.sh');
    await writeFile(script, `#!/bin/sh\ntouch ${canary}\n`);
    await chmod(script, 0o755);
    const settings = `[core]\n\tfsmonitor = ${script}\n\thooksPath = ${folder}\n\texcludesFile = ${folder}/all\n[alias]\n\tstatus = !${script}\n`;
    await appendFile(join(folder, '.git/config'), settings);
    await writeFile(join(folder, 'all'), '*\n');
    await symlink(dirname(outside), join(root, 'linked'));
    await symlink('.', join(root, 'hostile/round'));
    await mkdir(join(root, 'borrowed/.git'), { recursive: true });
    await symlink(join(outside, '.devcontainer'), join(root, 'borrowed/.devcontainer'));
    const seen = await discovering();
    await makeProject(join(root, 'last'));
    await finds(seen, ['hostile', 'last']);
    expect(existsSync(canary)).toBe(false);
  });
});

describe('starting by itself', () => {
  const wants = { customizations: { agentcontainers: { autoStart: true } } };

  it('happens to what asks for it and was accepted, and to nothing else, with its sub-agent', async () => {
    const wanted = await makeProject(join(root, 'wanted'), wants);
    const other = await makeProject(join(root, 'other'));
    const seen = await discovering({ autoStart: true });
    for (const folder of [other, wanted]) {
      const { id, verdict, status } = await seen.until(folder, 'its verdict', (one) => one.verdict !== undefined);
      expect([status, verdict?.findings]).toEqual(['stopped', []]);
      await seen.api.trust(id, verdict?.hash ?? '');
    }
    await seen.injected(wanted);
    expect(await seen.until(other, 'stopped', () => true)).toMatchObject({ status: 'stopped' });
  });

  it('waits for trust where the configuration can reach the host', async () => {
    const folder = await makeProject(join(root, 'app'), {
      ...wants,
      mounts: [{ type: 'bind', source: root, target: '/all' }],
    });
    const seen = await discovering({ autoStart: true });
    const { id, verdict } = await seen.until(folder, 'its verdict', (one) => one.verdict !== undefined);
    await seen.api.refresh();
    expect(await seen.api.get(id)).toMatchObject({ status: 'stopped', trusted: false });
    await seen.api.trust(id, verdict?.hash ?? '');
    expect(await seen.until(folder, 'running', hasAgent)).toMatchObject({
      id,
      trusted: true,
    } satisfies Partial<Devcontainer>);
  });
});

describe('the daemon', () => {
  let build: DaemonBuild;
  beforeAll(async () => {
    build = await buildDaemon();
  }, 90_000);
  afterAll(() => build?.remove());

  it.each([
    [[], ['app']],
    [['--no-discovery'], []],
  ])('with %j lists %j of what nobody brought up', async (args, expected) => {
    await makeProject(join(root, 'app'));
    const stateDir = await engine.makeFolder('state');
    const daemon = await startDaemon({
      main: build.main,
      dockerHost: engine.dockerHost,
      stateDir,
      args: ['--listen', 'off', ...args, root],
    });
    try {
      const { devcontainers } = await daemon.get<{ devcontainers: WireDevcontainer[] }>(API);
      // Others may use the same engine.
      const ours = devcontainers.filter(({ workspace_folder }) => workspace_folder.startsWith(root));
      expect(ours.map(({ name }) => name)).toEqual(expected);
    } finally {
      await daemon.end('SIGTERM');
    }
  });
});
