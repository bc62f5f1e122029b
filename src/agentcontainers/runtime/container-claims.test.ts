import { describe, expect, it } from 'vitest';
import { buildContainer, type ContainerSeed } from '../../testing/build-container.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import { createFakeConfigFiles } from '../../testing/fake-config-files.ts';
import { createRecordingLogger } from '../../testing/recording-logger.ts';
import { FOLDER_TIMEOUT } from '../constants.ts';
import type { ContainerMount } from '../model/container.ts';
import { createContainerClaims, counts, matchesLabels } from './container-claims.ts';
import { devcontainerId } from './devcontainer-id.ts';
import { createLabelSigner } from './labels.ts';

const CONFIG = '/w/a/.devcontainer/devcontainer.json';
const FOLDER_LABEL = 'devcontainer.local_folder';
const bind = (source: string): ContainerMount => ({ type: 'bind', source, destination: '/workspace', writable: true });

function createWorld(options: { labels?: readonly string[]; roots?: readonly string[] } = {}) {
  const clock = createFakeClock();
  const logger = createRecordingLogger();
  const configFiles = createFakeConfigFiles({ clock });
  configFiles.write('/w/a', '.devcontainer/devcontainer.json', {});
  const claims = createContainerClaims(configFiles, {
    labels: options.labels ?? [],
    roots: options.roots ?? [],
    labelSigner: createLabelSigner('secret'),
    clock,
    logger,
  });
  const claimOf = async (seed: ContainerSeed) => (await claims.resolve([buildContainer(seed)]))[0];
  return { clock, logger, configFiles, claims, claimOf };
}

describe('a claim', () => {
  it('that was forgotten while it was looked up is looked up again', async () => {
    const { claims, configFiles } = createWorld();
    const container = buildContainer({ id: 'c1', workspaceFolder: '/w/a' });
    const gate = configFiles.hang('realDirectory');
    const first = claims.resolve([container]);
    await gate.reached();
    claims.forget('c1');
    gate.open();
    expect(await first).toHaveLength(1);
    const asked = configFiles.calls.realDirectory;
    await claims.resolve([container]);
    expect(configFiles.calls.realDirectory).toBeGreaterThan(asked);
    await claims.resolve([container]);
    const askedAgain = configFiles.calls.realDirectory;
    await claims.resolve([container]);
    expect(configFiles.calls.realDirectory).toBe(askedAgain);
  });

  it('names the entry by the real folder and config, and is proven by the bind mount', async () => {
    const { claimOf } = createWorld();
    const key = { workspaceFolder: '/w/a', configPath: CONFIG };
    expect(await claimOf({ id: 'c1', workspaceFolder: '/w/a' })).toEqual({
      containerId: 'c1',
      entryId: devcontainerId(key),
      key,
      proven: true,
      underRoot: false,
      namesConfig: true,
    });
  });

  it.each([
    ['a trailing slash', '/w/a/'],
    ['dots', '/w/x/../a'],
    ['doubled slashes', '/w//a'],
    ['a symlink', '/link'],
    ['a symlink on the way', '/home/w/a'],
  ])('written with %s is of the same entry', async (_how, folder) => {
    const { configFiles, claimOf } = createWorld();
    configFiles.alias('/link', '/w/a');
    configFiles.alias('/home', '/');
    const plain = await claimOf({ workspaceFolder: '/w/a' });
    const labels = { [FOLDER_LABEL]: folder, 'devcontainer.config_file': CONFIG };
    expect(await claimOf({ id: 'other', labels, mounts: [bind('/w/a')] })).toMatchObject({
      entryId: plain?.entryId,
      proven: true,
    });
  });

  it('without a config label is of the configuration that the folder has', async () => {
    const { configFiles, claimOf } = createWorld();
    const seed = { labels: { [FOLDER_LABEL]: '/w/a' }, mounts: [bind('/w/a')] };
    expect(await claimOf(seed)).toMatchObject({ key: { configPath: CONFIG }, namesConfig: false });
    const empty = { ...seed, id: 'c3', labels: { ...seed.labels, 'devcontainer.config_file': '' } };
    expect(await claimOf(empty)).toMatchObject({ key: { configPath: CONFIG }, namesConfig: false });
    configFiles.addDirectory('/w/bare');
    const bare = { id: 'c2', labels: { [FOLDER_LABEL]: '/w/bare' }, mounts: [bind('/w/bare')] };
    expect((await claimOf(bare))?.key).toEqual({ workspaceFolder: '/w/bare', configPath: '' });
  });

  it('of another configuration of the folder is of another entry', async () => {
    const { configFiles, claimOf } = createWorld();
    configFiles.write('/w/a', '.devcontainer/other/devcontainer.json', {});
    const one = await claimOf({ workspaceFolder: '/w/a' });
    const configPath = '/w/a/.devcontainer/other/devcontainer.json';
    const other = await claimOf({ id: 'c2', workspaceFolder: '/w/a', configPath });
    expect(other?.entryId).not.toBe(one?.entryId);
  });
});

describe('the proof of a claim', () => {
  it.each<[string, readonly ContainerMount[], boolean]>([
    ['the folder itself', [bind('/w/a')], true],
    ['the folder with a trailing slash', [bind('/w/a/')], true],
    ['a folder above it', [bind('/w')], false],
    ['the root', [bind('/')], false],
    ['a symlink to it', [bind('/link')], true],
    ['a symlink to a folder above it', [bind('/up')], false],
    ['the folder as Docker Desktop shows it', [bind('/host_mnt/w/a')], true],
    ['one of several mounts', [bind('/etc'), bind('/w/a')], true],
    ['nothing', [], false],
    ['another folder', [bind('/w/b')], false],
    ['a folder inside it', [bind('/w/a/src')], false],
    ['a folder whose name only begins like it', [bind('/w/ab')], false],
    ['a folder above it whose name only begins like one', [bind('/w/a-x')], false],
    ['a volume of this name', [{ ...bind('/w/a'), type: 'volume' }], false],
  ])('is a bind mount that leads to %s: %#', async (_what, mounts, proven) => {
    const { configFiles, claimOf } = createWorld();
    for (const folder of ['/w/b', '/w/ab', '/w/a-x', '/w/a/src', '/etc']) configFiles.addDirectory(folder);
    configFiles.alias('/link', '/w/a');
    configFiles.alias('/up', '/w');
    expect(await claimOf({ workspaceFolder: '/w/a', mounts })).toMatchObject({ proven });
  });

  it('is a bind mount of the git working tree in which the folder lies, as the CLI mounts it, and of no other above it', async () => {
    const { configFiles, claimOf } = createWorld();
    configFiles.write('/w/tree/deep/app', '.devcontainer/devcontainer.json', {});
    configFiles.addGitRoot('/w/tree');
    configFiles.alias('/link', '/w/tree');
    const workspaceFolder = '/w/tree/deep/app';
    for (const [source, proven] of [
      ['/w/tree', true],
      ['/host_mnt/w/tree', true],
      ['/link', true],
      [workspaceFolder, true],
      ['/w/tree/deep', false],
      ['/w', false],
      ['/', false],
    ] as const) {
      expect([source, await claimOf({ id: source, workspaceFolder, mounts: [bind(source)] })]).toMatchObject([
        source,
        { proven },
      ]);
    }
  });

  it('takes no look for a working tree where no mount could be one', async () => {
    const { configFiles, claimOf } = createWorld();
    await claimOf({ id: 'c1', workspaceFolder: '/w/a', mounts: [bind('/etc')] });
    await claimOf({ id: 'c2', workspaceFolder: '/w/a' });
    expect(configFiles.calls.gitRoot).toBe(0);
  });

  it('is not given by a folder, mount or root, whose name the folder only begins with', async () => {
    const { configFiles, claimOf } = createWorld({ roots: ['/w/a'] });
    configFiles.addDirectory('/w/app');
    const seed = { workspaceFolder: '/w/app' };
    expect(await claimOf({ ...seed, id: 'c1', mounts: [bind('/w/a')] })).toMatchObject({ proven: false });
    expect(await claimOf({ ...seed, id: 'c2' })).toMatchObject({ proven: true, underRoot: false });
  });

  it('may be a mount of a folder that is gone from this machine', async () => {
    const { claimOf } = createWorld();
    const seed = { workspaceFolder: '/gone/away' };
    expect(await claimOf({ ...seed, id: 'c1' })).toMatchObject({ proven: true });
    expect(await claimOf({ ...seed, id: 'c2', mounts: [bind('/gone/away/')] })).toMatchObject({ proven: true });
    expect(await claimOf({ ...seed, id: 'c3', mounts: [bind('/gone')] })).toMatchObject({ proven: false });
    expect(await claimOf({ ...seed, id: 'c4', mounts: [bind('/other')] })).toMatchObject({ proven: false });
  });

  it('is not given by a label that leads out of the mount through dots', async () => {
    const { configFiles, claimOf } = createWorld();
    configFiles.addDirectory('/etc');
    const labels = { [FOLDER_LABEL]: '/w/a/../../etc' };
    expect(await claimOf({ labels, mounts: [bind('/w/a')] })).toMatchObject({ proven: false });
  });

  it('is needed before anything of the folder is read', async () => {
    const { configFiles, claimOf } = createWorld();
    const claim = await claimOf({ workspaceFolder: '/w/a', mounts: [] });
    expect(claim).toMatchObject({ proven: false, key: { workspaceFolder: '/w/a', configPath: CONFIG } });
    expect(configFiles.calls).toMatchObject({ canonicalKey: 0, read: 0, realDirectory: 0 });
  });
});

describe('roots', () => {
  it.each([
    ['/w', true],
    ['/w/a', true],
    ['/w/a/', true],
    ['/', true],
    ['/link', true],
    ['/w/a/src', false],
    ['/w/b', false],
    ['/missing', false],
  ])('%s: the folder lies under it is %s', async (root, underRoot) => {
    const { configFiles, claimOf } = createWorld({ roots: ['/elsewhere', root] });
    configFiles.alias('/link', '/w');
    configFiles.addDirectory('/w/a/src');
    expect(await claimOf({ workspaceFolder: '/w/a' })).toMatchObject({ underRoot });
  });

  it('do not hold a folder that is only claimed', async () => {
    const { claimOf } = createWorld({ roots: ['/w'] });
    expect(await claimOf({ workspaceFolder: '/w/a', mounts: [] })).toMatchObject({ proven: false, underRoot: false });
  });
});

describe('hostile labels', () => {
  it.each([
    ['empty', ''],
    ['relative', 'w/a'],
    ['relative with dots', '../../w/a'],
    ['a home shorthand', '~/a'],
    ['1 MB long', `/${'x'.repeat(1_000_000)}`],
    ['a Windows path', 'C:\\w\\a'],
  ])('for a folder that is %s make no claim', async (_what, folder) => {
    const { configFiles, claimOf } = createWorld();
    expect(await claimOf({ labels: { [FOLDER_LABEL]: folder }, mounts: [bind('/')] })).toBeUndefined();
    expect(configFiles.calls).toMatchObject({ canonicalKey: 0, realDirectory: 0 });
  });

  it('for a config that is 1 MB long make no claim', async () => {
    const { claimOf } = createWorld();
    const labels = { [FOLDER_LABEL]: '/w/a', 'devcontainer.config_file': `/${'x'.repeat(1_000_000)}` };
    expect(await claimOf({ labels, mounts: [bind('/w/a')] })).toBeUndefined();
  });

  it('of one container do not touch the claims of others', async () => {
    const { claims } = createWorld();
    const labels = JSON.parse(`{ "__proto__": { "${FOLDER_LABEL}": "/w/a" }, "constructor": "x" }`) as Record<
      string,
      string
    >;
    const hostile = buildContainer({ id: 'bad', mounts: [bind('/')] });
    const resolved = await claims.resolve([
      { ...hostile, labels },
      buildContainer({ id: 'good', workspaceFolder: '/w/a' }),
    ]);
    expect(resolved.map(({ containerId }) => containerId)).toEqual(['good']);
    expect(({} as Record<string, unknown>)[FOLDER_LABEL]).toBeUndefined();
  });
});

describe('a folder that cannot be looked at', () => {
  const bad = buildContainer({ id: 'bad', name: 'bad', workspaceFolder: '/w/b' });
  const good = buildContainer({ id: 'good', workspaceFolder: '/w/a', mounts: [] });

  it('since its file system hangs leaves its container out after 5 s, with a warning; the others are there', async () => {
    const { clock, logger, configFiles, claims } = createWorld();
    const gate = configFiles.hang('realDirectory');
    const resolving = claims.resolve([bad, good]);
    await gate.reached();
    await clock.advance(FOLDER_TIMEOUT);
    expect((await resolving).map(({ containerId }) => containerId)).toEqual(['good']);
    expect(logger.messages('warn')).toEqual(['Looking at the workspace folder of bad failed: no answer within 5 s.']);
    expect(clock.pending()).toEqual([]);
    // Nobody waits for it, or asks again, while the first look is out.
    const asked = configFiles.calls.realDirectory;
    expect(await claims.resolve([bad, good])).toHaveLength(1);
    expect(configFiles.calls.realDirectory).toBe(asked);
    gate.open();
    await clock.settle();
    expect(await claims.resolve([bad, good])).toHaveLength(2);
    expect(logger.messages('warn')).toHaveLength(1);
  });

  it('keeps what was known of its container', async () => {
    const { clock, configFiles, claims } = createWorld();
    const [before] = await claims.resolve([bad]);
    claims.forget();
    const gate = configFiles.hang('realDirectory');
    const resolving = claims.resolve([bad]);
    await gate.reached();
    await clock.advance(FOLDER_TIMEOUT);
    expect(await resolving).toEqual([before]);
    gate.open();
  });

  it('for another reason does not touch the others either', async () => {
    const { configFiles, claims } = createWorld();
    configFiles.failNext('realDirectory', new Error('input/output error'));
    const resolved = await claims.resolve([bad, good]);
    expect(resolved.map(({ containerId }) => containerId)).toEqual(['good']);
  });
});

describe('what counts', () => {
  const labels = { [FOLDER_LABEL]: '/w/a', team: 'red', empty: '' };
  const testRun = { ...labels, 'devcontainer.is_test_run': 'true' };

  it.each<[string, Record<string, string>, string[], boolean]>([
    ['a folder label', labels, [], true],
    ['no folder label', { team: 'red' }, [], false],
    ['a test run', testRun, [], false],
    ['a test run that says it is none', { ...labels, 'devcontainer.is_test_run': 'false' }, [], true],
    ['a test run, when a filter is set that it matches', testRun, ['team=red'], true],
    ['a test run, when a filter is set that it does not match', testRun, ['team=blue'], false],
    ['a label with its value', labels, ['team=red'], true],
    ['a label with another value', labels, ['team=blue'], false],
    ['a label of any value', labels, ['team'], true],
    ['a label that is empty', labels, ['empty='], true],
    ['all labels of the filter', labels, ['team=red', 'empty'], true],
    ['not all labels of the filter', labels, ['team=red', 'size=big'], false],
    ['a filter that it matches, but no folder label', { team: 'red' }, ['team=red'], false],
  ])('%s: %#', (_what, own, filter, expected) => {
    expect(counts(buildContainer({ labels: own }), filter)).toBe(expected);
  });

  it.each(['__proto__', 'constructor', 'toString', '__proto__=x', 'constructor=x', '=', '='.repeat(1000)])(
    'is not taken from what every object has: %s',
    (filter) => expect(matchesLabels({ labels: {} }, [filter])).toBe(false),
  );

  it('compares values that hold an equal sign as a whole', () => {
    expect(matchesLabels({ labels: { a: 'b=c' } }, ['a=b=c'])).toBe(true);
    expect(matchesLabels({ labels: { a: 'b' } }, ['a=b=c'])).toBe(false);
  });
});

describe('what was found out', () => {
  it('is kept for a container until something happens to it', async () => {
    const { configFiles, claims } = createWorld();
    const [one, two] = ['c1', 'c2'].map((id) => buildContainer({ id, workspaceFolder: '/w/a' }));
    await claims.resolve([one!, two!]);
    const before = configFiles.calls.canonicalKey;
    await claims.resolve([one!, two!]);
    expect(configFiles.calls.canonicalKey).toBe(before);
    claims.forget('c1');
    await claims.resolve([one!, two!]);
    expect(configFiles.calls.canonicalKey).toBe(before + 1);
    claims.forget();
    await claims.resolve([one!, two!]);
    expect(configFiles.calls.canonicalKey).toBe(before + 3);
  });

  it('is forgotten with the container', async () => {
    const { configFiles, claims } = createWorld();
    const container = buildContainer({ workspaceFolder: '/w/a' });
    await claims.resolve([container]);
    await claims.resolve([]);
    await claims.resolve([container]);
    expect(configFiles.calls.canonicalKey).toBe(2);
  });

  it('is told in the order of the listing', async () => {
    const { claims } = createWorld();
    const containers = ['c3', 'c1', 'c2'].map((id) => buildContainer({ id, workspaceFolder: '/w/a' }));
    const resolved = await claims.resolve(containers);
    expect(resolved.map(({ containerId }) => containerId)).toEqual(['c3', 'c1', 'c2']);
  });
});
