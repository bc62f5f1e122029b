import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { composeOf, fileAt, inputsOf } from '../../../test/support/parsed-inputs.ts';
import { findingsOf } from './findings-of.ts';
import { NO_WORKSPACE, workspaceAt } from './host-path.ts';

let folder: string;
let outside: string;
beforeAll(() => {
  const parent = realpathSync(mkdtempSync(join(tmpdir(), 'agentcontainers-host-path-')));
  folder = join(parent, 'ws');
  outside = join(parent, 'outside');
  mkdirSync(join(folder, 'app'), { recursive: true });
  mkdirSync(join(folder, '.devcontainer'));
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'x');
  symlinkSync(outside, join(folder, 'out'));
  symlinkSync('../outside/none', join(folder, 'dangling'));
  symlinkSync('app', join(folder, 'in'));
  symlinkSync('loop', join(folder, 'loop'));
});
afterAll(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

describe('the workspace', () => {
  it('contains what lies in it, as text and after links', () => {
    const workspace = workspaceAt(folder);
    for (const path of ['', 'app', 'app/none/deeper', 'in', 'in/x', 'none', '..name', 'app/..']) {
      expect([path, workspace.contains(join(folder, path))]).toEqual([path, true]);
    }
    for (const path of [
      '..',
      '../outside',
      '../wsx',
      'out',
      'out/secret',
      'out/none',
      'dangling',
      'loop',
      'app/../..',
      'a\0',
    ]) {
      expect([path, workspace.contains(`${folder}/${path}`)]).toEqual([path, false]);
    }
    expect(workspace.contains('relative')).toBe(false);
    expect(workspace.contains('')).toBe(false);
  });

  it('is its folder and nothing in it', () => {
    const workspace = workspaceAt(folder);
    for (const path of [folder, `${folder}/`, `${folder}/.`]) expect(workspace.isFolder(path)).toBe(true);
    for (const path of [`${folder}/app`, `${folder}/app/..`, `${folder}/out/..`, join(folder, '..'), '', 'x']) {
      expect([path, workspace.isFolder(path)]).toEqual([path, false]);
    }
  });

  it('looks up a bounded number of paths, and takes the rest for elsewhere', () => {
    const workspace = workspaceAt(folder);
    const answers = Array.from({ length: 1_000 }, (_, index) => workspace.contains(join(folder, String(index))));
    expect(answers.slice(0, 256).every(Boolean)).toBe(true);
    expect(answers.slice(256).some(Boolean)).toBe(false);
    expect(workspace.contains(join(folder, '0'))).toBe(true);
  });

  it('takes what nobody can look up for elsewhere', () => {
    const workspace = workspaceAt(folder);
    for (const path of ['n'.repeat(300), `app/${'n'.repeat(300)}/x`, 'p/'.repeat(3_000), 'p/'.repeat(500_000)]) {
      expect(workspace.contains(join(folder, path))).toBe(false);
    }
  });

  it('looks into a bounded number of directories', () => {
    const workspace = workspaceAt(folder);
    const deep = Array.from({ length: 10 }, (_, index) =>
      workspace.contains(join(folder, String(index), '/x'.repeat(1_000))),
    );
    expect(deep).toEqual([true, true, true, ...Array.from({ length: 7 }, () => false)]);
  });

  it('may be none', () => {
    expect(NO_WORKSPACE.isFolder('')).toBe(false);
    expect(NO_WORKSPACE.contains('/')).toBe(false);
  });
});

describe('links out of the workspace', () => {
  it('are followed where the workspace folder itself was', () => {
    const swapped = join(folder, '../swapped');
    symlinkSync(outside, swapped);
    expect(findingsOf(inputsOf({}, {}, swapped))).toMatchObject([
      { kind: 'mount', detail: `workspace folder that leads elsewhere: ${swapped}` },
    ]);
  });

  const details = (config: Readonly<Record<string, unknown>>): string[] =>
    findingsOf(inputsOf(config, {}, folder)).map(({ detail }) => detail);

  it('are followed where a build reads', () => {
    expect(details({ build: { dockerfile: '../app/Dockerfile', context: '../in' } })).toEqual([]);
    expect(details({ build: { dockerfile: '../out/Dockerfile', context: '../out' } })).toEqual([
      'build.context: ../out',
      'build.dockerfile: ../out/Dockerfile',
    ]);
  });

  it('are followed where compose and features read', () => {
    symlinkSync(join(outside, 'secret'), join(folder, '.devcontainer/.env'));
    const document = { services: { a: { build: '../out', env_file: '../out/secret' }, b: { build: '../in' } } };
    const compose = [fileAt('.devcontainer/compose.yml', document, folder)];
    const localFeatures = [fileAt('out/devcontainer-feature.json', {}, folder)];
    const parsed = { ...composeOf({}, { compose, localFeatures }), workspaceFolder: folder };
    expect(
      findingsOf({ ...parsed, configPath: join(folder, '.devcontainer/devcontainer.json') }).map(
        ({ detail }) => detail,
      ),
    ).toEqual([
      'services.a.build: ../out',
      'services.a.env_file: ../out/secret',
      `env file of compose: ${folder}/.devcontainer/.env`,
      `folder of the feature: ${folder}/out`,
    ]);
  });
});

describe('a git working tree around the workspace folder', () => {
  const around = (): string[] => findingsOf(inputsOf({}, {}, folder)).map(({ detail }) => detail);

  it('is a finding, since it is mounted by default', () => {
    const parent = join(folder, '..');
    const finding = [`git working tree around the workspace folder: ${parent}`];
    expect(around()).toEqual([]);
    mkdirSync(join(parent, '.git'));
    expect(around()).toEqual(finding);
    for (const config of [{ workspaceMount: '' }, { dockerComposeFile: 'compose.yml' }]) {
      const found = findingsOf(inputsOf(config, { compose: [fileAt('compose.yml', {}, folder)] }, folder));
      expect(found).toEqual([]);
    }
    // Git passes by a directory that is not all there; who removes its parts moves the mount.
    mkdirSync(join(folder, '.git/objects'), { recursive: true });
    mkdirSync(join(folder, '.git/refs'));
    expect(around()).toEqual(finding);
    writeFileSync(join(folder, '.git/HEAD'), 'ref: refs/heads/main');
    expect(around()).toEqual([]);
    rmSync(join(folder, '.git'), { recursive: true });
    writeFileSync(join(folder, '.git'), 'gitdir: /nowhere');
    expect(around()).toEqual([]);
  });
});
