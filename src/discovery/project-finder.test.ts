import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../clock/clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import { findConfigs } from '../devcontainercli/config-paths.ts';
import { createProjectFinder, type ProjectFinderLimits } from './project-finder.ts';

const NEVER = new AbortController().signal;
const CONFIG = '.devcontainer/devcontainer.json';
const isRoot = process.getuid?.() === 0;

let base: string;
let root: string;
let home: string;

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'project-finder-')));
  root = join(base, 'root');
  home = join(base, 'home');
  await mkdir(root);
  await mkdir(home);
});
afterEach(() => rm(base, { recursive: true, force: true }));

/** Files by their path below the root; a path that ends with a slash is a directory. */
async function lay(files: Readonly<Record<string, string>> | readonly string[], at = root): Promise<void> {
  const entries = Array.isArray(files) ? files.map((path: string) => [path, '{}'] as const) : Object.entries(files);
  for (const [path, text] of entries) {
    const file = join(at, path);
    await mkdir(path.endsWith('/') ? file : dirname(file), { recursive: true });
    if (!path.endsWith('/')) await writeFile(file, text as string);
  }
}

function finder(limits: Partial<ProjectFinderLimits> = {}, clock: Clock = systemClock) {
  return createProjectFinder({ clock, findConfigs, limits, home });
}

/** What is found, as paths below the root. */
async function configs(limits?: Partial<ProjectFinderLimits>): Promise<string[]> {
  const { keys } = await finder(limits).find(root, NEVER);
  for (const { workspaceFolder, configPath } of keys) {
    expect(configPath.startsWith(`${workspaceFolder}/`)).toBe(true);
  }
  return keys.map(({ configPath }) => relative(root, configPath));
}

async function watched(limits?: Partial<ProjectFinderLimits>): Promise<string[]> {
  const { watchDirectories } = await finder(limits).find(root, NEVER);
  return watchDirectories.map((path) => relative(root, path)).sort();
}

describe('a configuration is found', () => {
  it('at each of the three places, of the root and of each project', async () => {
    await lay([
      '.devcontainer.json',
      'a/.git/',
      `a/${CONFIG}`,
      'a/.devcontainer.json',
      'a/.devcontainer/web/devcontainer.json',
      'a/.devcontainer/api/devcontainer.json',
      'group/b/.git/',
      'group/b/.devcontainer.json',
    ]);
    expect(await configs()).toEqual([
      '.devcontainer.json',
      `a/${CONFIG}`,
      'a/.devcontainer.json',
      'a/.devcontainer/api/devcontainer.json',
      'a/.devcontainer/web/devcontainer.json',
      'group/b/.devcontainer.json',
    ]);
    const { keys } = await finder().find(root, NEVER);
    expect(keys[1]).toEqual({ workspaceFolder: join(root, 'a'), configPath: join(root, `a/${CONFIG}`) });
  });

  it.each([
    ['a directory', ['p/.git/', `p/${CONFIG}`]],
    ['a file, as of a worktree', ['p/.git', `p/${CONFIG}`]],
  ])('where .git is %s', async (_what, files) => {
    await lay(files);
    expect(await configs()).toEqual([`p/${CONFIG}`]);
  });

  it('where .git is a link to a repository', async () => {
    await lay([`p/${CONFIG}`, 'elsewhere/']);
    await symlink(join(root, 'elsewhere'), join(root, 'p/.git'));
    expect(await configs()).toEqual([`p/${CONFIG}`]);
  });

  it('in a repository that lies in another', async () => {
    await lay(['a/.git/', `a/${CONFIG}`, 'a/modules/b/.git', `a/modules/b/${CONFIG}`]);
    expect(await configs()).toEqual([`a/${CONFIG}`, `a/modules/b/${CONFIG}`]);
  });

  it('down to the depth and not below', async () => {
    for (const folder of ['1', '1/2', '1/2/3', '1/2/3/4'])
      await lay([`${folder}/.git/`, `${folder}/.devcontainer.json`]);
    expect(await configs({ depth: 3 })).toEqual(['1', '1/2', '1/2/3'].map((folder) => `${folder}/.devcontainer.json`));
    expect(await configs({ depth: 0 })).toEqual([]);
    await lay([
      'a/b/c/d/e/.git/',
      'a/b/c/d/e/.devcontainer.json',
      'a/b/c/d/e/f/.git/',
      'a/b/c/d/e/f/.devcontainer.json',
    ]);
    expect(await configs()).toContain('a/b/c/d/e/.devcontainer.json');
    expect(await configs()).not.toContain('a/b/c/d/e/f/.devcontainer.json');
  });

  it('under real paths, also when the root is given as a link', async () => {
    await lay(['a/.git/', 'a/.devcontainer.json']);
    const link = join(base, 'link');
    await symlink(root, link);
    const { keys, watchDirectories } = await finder().find(link, NEVER);
    expect(keys).toEqual([{ workspaceFolder: join(root, 'a'), configPath: join(root, 'a/.devcontainer.json') }]);
    expect(watchDirectories).toEqual([link, root, join(root, 'a')]);
  });
});

describe('nothing is found', () => {
  it('in a folder that is no repository, nor anywhere but at the three places', async () => {
    await lay([
      `a/${CONFIG}`,
      'b/.git/',
      'b/src/.devcontainer.json',
      'b/devcontainer.json',
      'b/.devcontainer/x/y/devcontainer.json',
      'b/.devcontainer/web/.devcontainer.json',
    ]);
    expect(await configs()).toEqual([]);
  });

  it.each([
    '.devcontainer/devcontainer.json~',
    '.devcontainer/.devcontainer.json.swp',
    '.devcontainer/#devcontainer.json#',
    '.devcontainer/.#devcontainer.json',
    '.devcontainer/devcontainer.json.bak',
    '.devcontainer/4913',
    '.devcontainer.json~',
    '.devcontainer.json.swp',
    '.devcontainer.json.orig',
    '.devcontainer~/devcontainer.json',
    '.devcontainer.bak/devcontainer.json',
    '.devcontainer/web~/devcontainer.json',
    '.devcontainer/web.bak/devcontainer.json',
    '.devcontainer/#web#/devcontainer.json',
  ])('by the name of a backup: %s', async (path) => {
    await lay(['a/.git/', `a/${path}`]);
    expect(await configs()).toEqual([]);
  });

  it('in what is never entered', async () => {
    for (const folder of ['node_modules/p', '.git/modules/p', 'a/node_modules/@x/p', '.devcontainer/p']) {
      await lay([`${folder}/.git/`, `${folder}/.devcontainer.json`]);
    }
    expect(await configs()).toEqual([]);
  });

  it('where a configuration is a directory', async () => {
    await lay(['a/.git/', `a/${CONFIG}/`, 'a/.devcontainer.json/']);
    expect(await configs()).toEqual([]);
  });

  it('behind a link to a directory, not even one that leads round in a circle', async () => {
    await lay(['a/.git/', `a/${CONFIG}`]);
    await lay([`p/${CONFIG}`, 'p/.git/'], join(base, 'elsewhere'));
    await symlink(join(base, 'elsewhere'), join(root, 'outside'));
    await symlink(root, join(root, 'a/round'));
    await symlink('.', join(root, 'self'));
    expect(await configs()).toEqual([`a/${CONFIG}`]);
  });

  it('where a link leads out of the root', async () => {
    await lay({ 'devcontainer.json': '{}', 'dev/devcontainer.json': '{}' }, join(base, 'elsewhere'));
    await lay(['a/.git/', 'b/.git/', 'c/.git/', 'c/shared/devcontainer.json']);
    await symlink(join(base, 'elsewhere/devcontainer.json'), join(root, 'a/.devcontainer.json'));
    await symlink(join(base, 'elsewhere/dev'), join(root, 'b/.devcontainer'));
    // This one stays below it.
    await symlink(join(root, 'c/shared'), join(root, 'c/.devcontainer'));
    expect(await configs()).toEqual([`c/${CONFIG}`]);
  });

  it('in a root that does not exist or is a file; it is watched, so that it is seen to come', async () => {
    for (const path of [join(root, 'later/on'), join(root, 'file')]) {
      await lay({ file: 'x' });
      expect(await finder().find(path, NEVER)).toEqual({ keys: [], watchDirectories: [path] });
    }
  });

  it.skipIf(isRoot)('in a directory that this user may not list; the others are found', async () => {
    await lay(['a/p/.git/', 'a/p/.devcontainer.json', 'b/p/.git/', 'b/p/.devcontainer.json']);
    await chmod(join(root, 'a'), 0o000);
    try {
      expect(await finder().find(root, NEVER)).toMatchObject({ keys: [{ workspaceFolder: join(root, 'b/p') }] });
      expect((await finder().find(root, NEVER)).truncated).toBeUndefined();
      // Of a root itself that says nothing about what is in it.
      await expect(finder().find(join(root, 'a'), NEVER)).rejects.toMatchObject({ code: 'EACCES' });
    } finally {
      await chmod(join(root, 'a'), 0o755);
    }
  });
});

describe('what git ignores', () => {
  /** A repository at the root with these ignore files, and a project at each path. */
  async function found(files: Readonly<Record<string, string>>, projects: readonly string[]): Promise<string[]> {
    await lay({ '.git/HEAD': '', ...files });
    for (const project of projects) await lay([`${project}/.git/`, `${project}/.devcontainer.json`]);
    return (await configs()).map((path) => dirname(path));
  }

  it('by .gitignore is not entered', async () => {
    const rules = 'build/\n/vendor\n*.tmp\ndocs/generated\n# comment\n\n!keep.tmp\n';
    const projects = [
      'a/build/p',
      'a/vendor/p',
      'docs/generated/p',
      'keep.tmp',
      'sub/docs/generated',
      'vendor/p',
      'x.tmp',
      'Build',
    ];
    expect(await found({ '.gitignore': rules }, projects)).toEqual([
      'Build',
      'keep.tmp',
      'a/vendor/p',
      'sub/docs/generated',
    ]);
  });

  it('by a .gitignore further down counts from there', async () => {
    const files = { 'a/.gitignore': '/here\nany\n' };
    expect(await found(files, ['a/here', 'a/b/here', 'a/b/any', 'here', 'any'])).toEqual(['any', 'here', 'a/b/here']);
  });

  it('may be taken back nearer by, for what lies in it too', async () => {
    const files = { '.gitignore': 'x\n', 'a/.gitignore': '!/x\n' };
    expect(await found(files, ['a/x/p', 'a/x/y/x', 'a/x/y/p', 'b/x/p', 'b/x'])).toEqual(['a/x/p', 'a/x/y/p']);
  });

  it('stays ignored with its folder, whatever is taken back in it', async () => {
    expect(await found({ '.gitignore': 'x/\n!x/keep/\n' }, ['x/keep'])).toEqual([]);
    await rm(join(root, '.gitignore'));
    await rm(join(root, 'x'), { recursive: true });
    expect(await found({ '.gitignore': 'y/*\n!y/keep/\n' }, ['y/keep', 'y/other'])).toEqual(['y/keep']);
  });

  it('by info/exclude of the repository is not entered', async () => {
    expect(await found({ '.git/info/exclude': 'x\n' }, ['x', 'a/x', 'y'])).toEqual(['y']);
    // The file that is shared goes before it.
    expect(await found({ '.git/info/exclude': 'x\n', '.gitignore': '!/x\n' }, [])).toEqual(['x', 'y']);
  });

  it('by the excludes file of the user is not entered, in repositories', async () => {
    await lay({ '.config/git/ignore': 'x\n' }, home);
    expect(await found({}, ['x', 'a/x', 'y'])).toEqual(['y']);
    await rm(join(root, '.git'), { recursive: true });
    expect(await configs()).toEqual(['x/.devcontainer.json', 'y/.devcontainer.json', 'a/x/.devcontainer.json']);
  });

  it('by a .gitignore that lies in no repository is not entered either', async () => {
    await lay({ '.gitignore': 'x\n' });
    await lay(['x/p/.git/', 'x/p/.devcontainer.json', 'y/p/.git/', 'y/p/.devcontainer.json']);
    expect(await configs()).toEqual(['y/p/.devcontainer.json']);
  });

  it('in one repository says nothing about what is in another in it', async () => {
    await lay(['a/b/.git/', 'a/b/x/.git/', 'a/b/x/.devcontainer.json', 'a/x/.git/', 'a/x/.devcontainer.json']);
    expect(await found({ '.gitignore': 'x\n' }, [])).toEqual(['a/b/x']);
  });

  it('of configurations is not found', async () => {
    const project = (rules: string): Record<string, string> => ({
      '.gitignore': rules,
      [CONFIG]: '{}',
      '.devcontainer.json': '{}',
      '.devcontainer/web/devcontainer.json': '{}',
    });
    const all = { '.git/HEAD': '' };
    await lay({ ...all, ...project('.devcontainer/\n') });
    expect(await configs()).toEqual(['.devcontainer.json']);
    await lay(project('.devcontainer.json\n/.devcontainer/web\n'));
    expect(await configs()).toEqual([CONFIG]);
    await lay({ ...project(''), '.devcontainer/.gitignore': 'devcontainer.json\n!/devcontainer.json\n' });
    expect(await configs()).toEqual([CONFIG, '.devcontainer.json']);
  });

  it('is read from no link, no pipe and no huge file', async () => {
    await lay(['a/.git/', 'a/x/.git/', 'a/x/.devcontainer.json']);
    await lay({ rules: 'x\n' }, base);
    await symlink(join(base, 'rules'), join(root, 'a/.gitignore'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
    await mkdir(join(root, 'a/.git/info'), { recursive: true });
    await rename(join(root, 'pipe'), join(root, 'a/.git/info/exclude'));
    await lay({ '.gitignore': `x\n${'#'.repeat(300_000)}` });
    expect(await configs()).toEqual(['a/x/.devcontainer.json']);
  });

  it('of a worktree and of a submodule is told by the repository that they belong to', async () => {
    await lay({
      'main/.git/HEAD': '',
      'main/.git/info/exclude': 'x\n',
      'main/.git/worktrees/tree/commondir': '../..\n',
      'tree/.git': `gitdir: ${join(root, 'main/.git/worktrees/tree')}\n`,
      'main/.git/modules/sub/info/exclude': 'y\n',
      'main/sub/.git': 'gitdir: ../.git/modules/sub\n',
    });
    for (const folder of ['tree/x', 'tree/y', 'main/sub/x', 'main/sub/y']) {
      await lay([`${folder}/.git/`, `${folder}/.devcontainer.json`]);
    }
    expect(await configs()).toEqual(['tree/y/.devcontainer.json', 'main/sub/x/.devcontainer.json']);
  });
});

describe('bounds', () => {
  it('of directories: what is near is found, and it is said that there may be more', async () => {
    for (const folder of ['a', 'b', 'c', 'a/d', 'b/d', 'c/d']) {
      await lay([`${folder}/.git/`, `${folder}/.devcontainer.json`]);
    }
    const found = await finder({ directories: 4 }).find(root, NEVER);
    expect(found.keys.map(({ workspaceFolder }) => relative(root, workspaceFolder))).toEqual(['a', 'b', 'c']);
    expect(found.truncated).toBe(`There are more than 4 directories below ${root}.`);
    expect((await finder({ directories: 7 }).find(root, NEVER)).truncated).toBeUndefined();
  });

  it('of entries: the names that matter are looked up all the same', async () => {
    for (let file = 0; file < 60; file++) await lay({ [`a/f${file}`]: '' });
    await lay(['a/.git/', `a/${CONFIG}`, 'a/.gitignore']);
    const found = await finder({ entriesPerDirectory: 5 }).find(root, NEVER);
    expect(found.keys).toHaveLength(1);
    expect(found.truncated).toBe(`${join(root, 'a')} has more than 5 entries.`);
  });

  it('of configurations', async () => {
    for (const folder of ['a', 'b', 'c']) await lay([`${folder}/.git/`, `${folder}/.devcontainer.json`]);
    const found = await finder({ configs: 2 }).find(root, NEVER);
    expect(found.keys).toHaveLength(2);
    expect(found.truncated).toBe(`There are more than 2 configurations below ${root}.`);
  });

  it('of watched directories', async () => {
    for (const folder of ['a', 'b', 'c']) await lay([`${folder}/.git/`, `${folder}/.devcontainer.json`]);
    const found = await finder({ watchDirectories: 2 }).find(root, NEVER);
    expect(found.keys).toHaveLength(3);
    expect(found.watchDirectories).toEqual([root, join(root, 'a')]);
    expect(found.truncated).toContain('Only 2 directories');
  });

  it('of time: what was found until then is told', async () => {
    for (const folder of ['a', 'b', 'c']) await lay([`${folder}/.git/`, `${folder}/.devcontainer.json`]);
    let asked = 0;
    // Time goes by with each look at the clock.
    const hasty: Clock = { ...systemClock, now: () => asked++ };
    const found = await finder({ ms: 6 }, hasty).find(root, NEVER);
    expect(found.keys.length).toBeGreaterThan(0);
    expect(found.keys.length).toBeLessThan(3);
    expect(found.truncated).toBe(`Looking into all directories below ${root} takes too long.`);
  });

  it('of one turn: others come to their turn meanwhile', async () => {
    for (const folder of ['a', 'b', 'c']) await lay([`${folder}/`]);
    let now = 0;
    const turns: string[] = [];
    const clock: Clock = {
      ...systemClock,
      now: () => (now += 50),
      afterFunc: (ms, fn, tag) => {
        turns.push(tag ?? '');
        return systemClock.afterFunc(ms, fn, tag);
      },
    };
    await finder({}, clock).find(root, NEVER);
    expect(turns.length).toBeGreaterThanOrEqual(4);
    expect(new Set(turns)).toEqual(new Set(['discovery-slice']));
  });

  it('of patience: it ends when it is told to', async () => {
    await lay(['a/.git/']);
    const controller = new AbortController();
    const clock: Clock = {
      ...systemClock,
      now: () => {
        controller.abort(new Error('enough'));
        return 0;
      },
    };
    await expect(finder({}, clock).find(root, controller.signal)).rejects.toThrow('enough');
    await expect(finder().find(root, controller.signal)).rejects.toThrow('enough');
  });

  it('of work: hostile patterns do not hold up the search', async () => {
    const name = 'a'.repeat(250);
    const patterns = [
      '*a*a*a*a*a*a*a*a*a*b',
      '**/**/**/**/**/**/**/x',
      '*[ab]*[ab]*[ab]*[ab]*[ab]*c',
      '*?*?*?*?*?*?*?z',
    ];
    await lay({ '.git/HEAD': '', '.gitignore': Array<string>(400).fill(patterns.join('\n')).join('\n') });
    await lay([`${name}/${name}/${name}/.git/`, `${name}/${name}/${name}/.devcontainer.json`]);
    expect(await configs()).toHaveLength(1);
  });
});

describe('watched are', () => {
  it('the root, projects, what leads to them, folders of configurations, and what lies in no project', async () => {
    await lay([
      'group/a/.git/',
      'group/a/src/deep/',
      `group/a/${CONFIG}`,
      'group/a/.devcontainer/web/devcontainer.json',
      'group/a/modules/b/.git',
      'empty/inner/',
    ]);
    expect(await watched()).toEqual([
      '',
      'empty',
      'empty/inner',
      'group',
      'group/a',
      'group/a/.devcontainer',
      'group/a/.devcontainer/web',
      'group/a/modules',
      'group/a/modules/b',
    ]);
  });

  it('first those that matter', async () => {
    await lay(['z/a/.git/', 'b/', 'c/', 'd/']);
    expect(await watched({ watchDirectories: 4 })).toEqual(['', 'b', 'z', 'z/a']);
    await lay(['z/a/.devcontainer/']);
    expect(await watched({ watchDirectories: 4 })).toEqual(['', 'z', 'z/a', 'z/a/.devcontainer']);
  });
});
