import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { REPOSITORY } from './support/packed-package.ts';

// What the scripts do to folders that people name. Nothing here gets as far as an engine or a package.

let base: string;
let folder: string;
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'ac-scripts-')));
  folder = join(base, 'folder');
  await mkdir(folder);
});
afterEach(() => rm(base, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly said: string;
}

/** With a state home of its own, so that it finds no engine to stop, and without any program that could install one. */
function script(name: string, ...args: string[]): Promise<Ended> {
  const env = { PATH: process.env['PATH'], HOME: base, XDG_STATE_HOME: join(base, 'state-home') };
  return new Promise((resolve) => {
    const file = join(REPOSITORY, 'scripts', name);
    execFile('bash', [file, ...args], { env, cwd: base, timeout: 20_000 }, (error, _stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, said: stderr });
    });
  });
}

const DEMO_MARKER = '.agentcontainers-demo';
const ENGINE_MARKER = '.agentcontainers-engine';

describe('scripts/demo --down', () => {
  it('touches no folder that the demo did not make', async () => {
    await writeFile(join(folder, 'precious'), 'x');
    await mkdir(join(folder, 'logs'));
    await chmod(folder, 0o755);
    const { code, said } = await script('demo', '--down', '--state-dir', folder);
    expect(code).toBe(1);
    expect(said).toContain(folder);
    expect((await readdir(folder)).toSorted()).toEqual(['logs', 'precious']);
    expect((await stat(folder)).mode & 0o777).toBe(0o755);
  });

  it('makes no folder', async () => {
    const { code } = await script('demo', '--down', '--state-dir', join(base, 'nowhere'));
    expect(code).toBe(0);
    expect(await readdir(base)).toEqual(['folder']);
  });

  it('removes from a folder of its own what it made, and nothing else', async () => {
    const elsewhere = join(base, 'elsewhere');
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, 'a.0.log'), 'x');
    for (const name of [DEMO_MARKER, 'state.json', 'token', 'lock', 'demo.log', 'demo.json', 'daemon.json', 'mine']) {
      await writeFile(join(folder, name), '');
    }
    await symlink(elsewhere, join(folder, 'logs'));
    const { code, said } = await script('demo', '--down', '--state-dir', folder);
    expect(code).toBe(0);
    expect(said).toContain('mine');
    expect((await readdir(folder)).toSorted()).toEqual(['logs', 'mine']);
    expect(await readdir(elsewhere)).toEqual(['a.0.log']);
  });

  it('removes the folder itself when nothing else is in it', async () => {
    await mkdir(join(folder, 'logs'));
    await mkdir(join(folder, 'devcontainer-cli/0/docker-compose'), { recursive: true });
    const ours = [DEMO_MARKER, 'state.json', 'engine', 'logs/a.0.log', 'devcontainer-cli/0/docker-compose/a.yml'];
    for (const name of ours) await writeFile(join(folder, name), '');
    expect((await script('demo', '--down', '--state-dir', folder)).code).toBe(0);
    await expect(stat(folder)).rejects.toThrow('ENOENT');
  });
});

describe('scripts/demo', () => {
  it('refuses a folder with other things in it before it does anything', async () => {
    await writeFile(join(folder, 'precious'), 'x');
    await chmod(folder, 0o755);
    const { code, said } = await script('demo', '--state-dir', folder);
    expect(code).toBe(1);
    expect(said).toContain('--state-dir');
    expect(said).not.toContain('npm packages');
    expect(await readdir(folder)).toEqual(['precious']);
    expect((await stat(folder)).mode & 0o777).toBe(0o755);
  });
});

describe('scripts/engine.sh', () => {
  it.each([['down'], ['down', '--purge']])('%s touches no folder of somebody else', async (...args) => {
    await mkdir(join(folder, 'data'));
    await writeFile(join(folder, 'precious'), 'x');
    await script('engine.sh', ...args, '--dir', folder);
    expect((await readdir(folder)).toSorted()).toEqual(['data', 'precious']);
  });

  it('starts none in a folder of somebody else', async () => {
    await writeFile(join(folder, 'precious'), 'x');
    await chmod(folder, 0o755);
    const { code, said } = await script('engine.sh', 'start', '--isolated', '--dir', folder);
    expect(code).toBe(1);
    expect(said).toContain('--dir');
    expect(await readdir(folder)).toEqual(['precious']);
    expect((await stat(folder)).mode & 0o777).toBe(0o755);
  });

  it('removes what is left of a private Podman, and nothing else', async () => {
    await mkdir(join(folder, 'data/overlay-containers'), { recursive: true });
    await mkdir(join(folder, 'networks'));
    const names = [
      'podman.log',
      'containers.conf',
      'storage.conf',
      'registries.conf',
      'namespaces',
      'pid',
      'podman.sock',
    ];
    for (const name of [ENGINE_MARKER, 'owner', 'lock', ...names, 'mine']) await writeFile(join(folder, name), '');
    const { code, said } = await script('engine.sh', 'down', '--purge', '--dir', folder);
    expect(code).toBe(0);
    expect(said).toContain('mine');
    expect(await readdir(folder)).toEqual(['mine']);
  });

  it('knows two engines', async () => {
    const { code, said } = await script('engine.sh', 'start', '--engine', 'another', '--dir', folder);
    expect(code).toBe(1);
    expect(said).toContain('docker or podman');
    expect(await readdir(folder)).toEqual([]);
  });

  it('removes what is left of one of its own, and nothing else', async () => {
    await mkdir(join(folder, 'data/containers'), { recursive: true });
    for (const name of [ENGINE_MARKER, 'owner', 'dockerd.log', 'lock']) await writeFile(join(folder, name), '');
    expect((await script('engine.sh', 'down', '--purge', '--dir', folder)).code).toBe(0);
    await expect(stat(folder)).rejects.toThrow('ENOENT');
  });
});
