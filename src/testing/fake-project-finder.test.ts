import { describe, expect, it } from 'vitest';
import { createFakeProjectFinder } from './fake-project-finder.ts';

const NEVER = new AbortController().signal;

describe('the fake project finder', () => {
  it('finds what was added below the root, and nothing beside it', async () => {
    const finder = createFakeProjectFinder();
    finder.add('/src/group/b');
    finder.add('/src/a');
    finder.add('/src/a', '.devcontainer.json');
    finder.add('/srcs/c');
    const configOf = (folder: string) => ({
      workspaceFolder: folder,
      configPath: `${folder}/.devcontainer/devcontainer.json`,
    });
    expect(await finder.find('/src/', NEVER)).toEqual({
      keys: [
        { workspaceFolder: '/src/a', configPath: '/src/a/.devcontainer.json' },
        configOf('/src/a'),
        configOf('/src/group/b'),
      ],
      watchDirectories: ['/src', '/src/a', '/src/group/b', '/src/group'],
    });
    expect((await finder.find('/src/a', NEVER)).keys).toHaveLength(2);
    expect((await finder.find('/', NEVER)).keys).toHaveLength(4);
    expect(finder.calls.find).toBe(3);
  });

  it('no longer finds what was removed', async () => {
    const finder = createFakeProjectFinder();
    finder.add('/src/a');
    finder.add('/src/a', '.devcontainer.json');
    finder.remove('/src/a', '.devcontainer.json');
    expect((await finder.find('/src', NEVER)).keys).toHaveLength(1);
    finder.remove('/src/a');
    expect((await finder.find('/src', NEVER)).keys).toEqual([]);
  });

  it('tells where something changed, unless it was quiet', async () => {
    const changed: string[] = [];
    const finder = createFakeProjectFinder({ onChange: (directory) => changed.push(directory) });
    await finder.find('/src', NEVER);
    finder.add('/src/a');
    finder.add('/src/a', '.devcontainer.json');
    finder.remove('/src/a', '.devcontainer.json');
    finder.remove('/src/a');
    finder.add('/src/b', undefined, { quietly: true });
    expect(changed).toEqual(['/src', '/src/a', '/src/a', '/src']);
    // In a directory that is new itself: that one is seen.
    finder.add('/src/group/inner/c');
    finder.add('/src/group/d');
    expect(changed.slice(4)).toEqual(['/src', '/src/group']);
  });

  it('reaches a bound, fails and hangs when it is told to', async () => {
    const finder = createFakeProjectFinder();
    finder.truncate('There is more.');
    expect((await finder.find('/src', NEVER)).truncated).toBe('There is more.');
    finder.truncate(undefined);
    finder.failNext('find', new Error('EIO'));
    await expect(finder.find('/src', NEVER)).rejects.toThrow('EIO');
    const gate = finder.hang('find');
    const found = finder.find('/src', NEVER);
    expect(finder.leaks()).toEqual(['projectFinder.find has not been answered']);
    gate.open();
    expect(await found).toEqual({ keys: [], watchDirectories: ['/src'] });
    expect(finder.leaks()).toEqual([]);
  });
});
