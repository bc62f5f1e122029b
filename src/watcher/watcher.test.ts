import { execFile } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, open, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { watch as chokidarWatch } from 'chokidar';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Watcher } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import type { Logger } from '../logger.ts';
import { openNotifySource, type OpenNotifySource } from './notify-source.ts';
import { createWatcher, type WatcherOptions } from './watcher.ts';

const exec = promisify(execFile);
/** A second of polling takes 50 ms. */
const hastyClock: Clock = { ...systemClock, tickerFunc: (ms, fn, tag) => systemClock.tickerFunc(ms / 20, fn, tag) };
const WITHIN = { timeout: 5_000, interval: 5 };

let root: string;
let watcher: Watcher | undefined;
let warnings: { fields: object; message: string }[];
let logger: Logger;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'watcher-')));
  warnings = [];
  logger = {
    debug() {},
    info() {},
    warn: (fields, message) => void warnings.push({ fields, message }),
    error: (fields, message) => void warnings.push({ fields, message }),
  };
});

afterEach(async () => {
  await watcher?.close();
  watcher = undefined;
  await rm(root, { recursive: true, force: true });
});

function start(options: Partial<WatcherOptions> = {}): Watcher {
  watcher = createWatcher({ clock: hastyClock, logger, ...options });
  return watcher;
}

/**
 * What a level-triggered reader has seen: it reads `file` at each call. Resolves when the watch has begun and has been
 * quiet since, so that what follows is not seen by luck of the first call.
 */
async function reader(directory: string, file = 'devcontainer.json', on = start()) {
  const seen: (string | undefined)[] = [];
  const read = (): string | undefined => {
    try {
      return readFileSync(join(directory, file), 'utf8');
    } catch {
      return undefined;
    }
  };
  const watch = on.watch(directory, () => void seen.push(read()));
  await vi.waitFor(() => expect(seen.length).toBeGreaterThan(0), WITHIN);
  return {
    seen,
    watch,
    sees: (text: string | undefined) => vi.waitFor(() => expect(seen.at(-1)).toBe(text), WITHIN),
    calls: () => seen.length,
    calledAfter: (before: number) => vi.waitFor(() => expect(seen.length).toBeGreaterThan(before), WITHIN),
  };
}

function make(directory: string, text = 'one'): string {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'devcontainer.json'), text);
  return directory;
}

const modes: { name: string; options: Partial<WatcherOptions> }[] = [
  { name: 'notified', options: {} },
  { name: 'polling', options: { usePolling: true } },
];

describe.each(modes)('when $name', ({ options }) => {
  it('sees a file written in place, again and again', async () => {
    const directory = make(join(root, 'd'));
    const { sees } = await reader(directory, undefined, start(options));
    for (const text of ['two', 'three', 'four']) {
      writeFileSync(join(directory, 'devcontainer.json'), text);
      await sees(text);
    }
  });

  it('sees a file renamed over, and what follows', async () => {
    const directory = make(join(root, 'd'));
    const { sees } = await reader(directory, undefined, start(options));
    for (const text of ['two', 'three']) {
      writeFileSync(join(directory, '.new'), text);
      renameSync(join(directory, '.new'), join(directory, 'devcontainer.json'));
      await sees(text);
    }
  });

  it('sees a file removed and made again in one tick, and what follows', async () => {
    const directory = make(join(root, 'd'));
    const { sees } = await reader(directory, undefined, start(options));
    unlinkSync(join(directory, 'devcontainer.json'));
    writeFileSync(join(directory, 'devcontainer.json'), 'two');
    await sees('two');
    writeFileSync(join(directory, 'devcontainer.json'), 'three');
    await sees('three');
  });

  it('sees a file that is made only later, and its removal', async () => {
    const directory = make(join(root, 'd'));
    const { sees } = await reader(directory, undefined, start(options));
    unlinkSync(join(directory, 'devcontainer.json'));
    await sees(undefined);
    writeFileSync(join(directory, 'devcontainer.json'), 'two');
    await sees('two');
  });

  it('sees an editor that writes a swap file and keeps a backup', async () => {
    const directory = make(join(root, 'd'));
    const { sees } = await reader(directory, undefined, start(options));
    const file = join(directory, 'devcontainer.json');
    writeFileSync(join(directory, '.devcontainer.json.swp'), 'swap');
    writeFileSync(join(directory, '4913'), '');
    unlinkSync(join(directory, '4913'));
    renameSync(file, `${file}~`);
    writeFileSync(file, 'two');
    unlinkSync(join(directory, '.devcontainer.json.swp'));
    await sees('two');
  });

  it('sees the end of a file written byte by byte', async () => {
    const directory = make(join(root, 'd'));
    const { sees } = await reader(directory, undefined, start(options));
    const text = '{ "image": "some:1" }';
    const file = await open(join(directory, 'devcontainer.json'), 'w');
    for (const byte of text) await file.write(byte);
    await file.close();
    await sees(text);
  });

  it('sees git check out another version', async () => {
    const directory = make(join(root, 'd'));
    const git = (...args: string[]) =>
      exec('git', [
        '-C',
        directory,
        '-c',
        'user.name=t',
        '-c',
        'user.email=t@t',
        '-c',
        'commit.gpgsign=false',
        ...args,
      ]);
    await git('init', '-q', '-b', 'first');
    await git('add', '.');
    await git('commit', '-q', '-m', 'one');
    await git('checkout', '-q', '-b', 'second');
    writeFileSync(join(directory, 'devcontainer.json'), 'two');
    await git('commit', '-q', '-a', '-m', 'two');
    const { sees } = await reader(directory, undefined, start(options));
    await git('checkout', '-q', 'first');
    await sees('one');
    await git('checkout', '-q', 'second');
    await sees('two');
  });

  it('sees its directory removed and made again, more than once', async () => {
    const directory = make(join(root, 'd/e'));
    const { sees } = await reader(directory, undefined, start(options));
    for (const text of ['two', 'three']) {
      rmSync(directory, { recursive: true });
      await sees(undefined);
      make(directory, text);
      await sees(text);
      appendFileSync(join(directory, 'devcontainer.json'), '!');
      await sees(`${text}!`);
    }
  });

  it('sees its directory replaced in one tick', async () => {
    const directory = make(join(root, 'd'));
    const { sees } = await reader(directory, undefined, start(options));
    rmSync(directory, { recursive: true });
    make(directory, 'two');
    await sees('two');
    writeFileSync(join(directory, 'devcontainer.json'), 'three');
    await sees('three');
  });

  it('sees its directory moved away and another moved in', async () => {
    const directory = make(join(root, 'd'));
    const other = make(join(root, 'other'), 'two');
    const { sees } = await reader(directory, undefined, start(options));
    renameSync(directory, join(root, 'away'));
    renameSync(other, directory);
    await sees('two');
    writeFileSync(join(directory, 'devcontainer.json'), 'three');
    await sees('three');
  });

  it('sees its parents go and come back', async () => {
    const directory = make(join(root, 'a/b/c/d'));
    const { sees } = await reader(directory, undefined, start(options));
    rmSync(join(root, 'a'), { recursive: true });
    await sees(undefined);
    make(directory, 'two');
    await sees('two');
    writeFileSync(join(directory, 'devcontainer.json'), 'three');
    await sees('three');
  });

  it('sees a directory that did not exist at first', async () => {
    const directory = join(root, 'a/b');
    const { sees } = await reader(directory, undefined, start(options));
    make(directory, 'two');
    await sees('two');
    writeFileSync(join(directory, 'devcontainer.json'), 'three');
    await sees('three');
  });

  it('sees a symbolic link to it lead elsewhere, and then watches there', async () => {
    const first = make(join(root, 'first'));
    const second = make(join(root, 'second'), 'two');
    const link = join(root, 'links/link');
    mkdirSync(join(root, 'links'));
    symlinkSync(first, link);
    const { sees } = await reader(link, undefined, start(options));
    symlinkSync(second, `${link}.new`);
    renameSync(`${link}.new`, link);
    await sees('two');
    writeFileSync(join(second, 'devcontainer.json'), 'three');
    await sees('three');
  });

  it('sees a symbolic link above it lead elsewhere', async () => {
    make(join(root, 'first/sub'));
    make(join(root, 'second/sub'), 'two');
    const link = join(root, 'link');
    symlinkSync('first', link);
    const { sees } = await reader(join(link, 'sub'), undefined, start(options));
    unlinkSync(link);
    symlinkSync('second', link);
    await sees('two');
  });
});

describe('a watch', () => {
  it('stays silent while nothing happens, also when something happens beside it', async () => {
    const directory = make(join(root, 'd'));
    const { calls, calledAfter } = await reader(directory);
    const before = calls();
    for (let i = 0; i < 20; i++) writeFileSync(join(root, `beside-${i}`), '');
    const marker = make(join(root, 'marker'));
    const other = await reader(marker, undefined, watcher);
    const count = other.calls();
    writeFileSync(join(marker, 'devcontainer.json'), 'x');
    await other.calledAfter(count);
    expect(calls()).toBe(before);
    writeFileSync(join(directory, 'new'), '');
    await calledAfter(before);
  });

  it('tells of many changes in few calls', async () => {
    const directory = make(join(root, 'd'));
    const { seen, sees } = await reader(directory);
    const before = seen.length;
    for (let i = 0; i < 500; i++) writeFileSync(join(directory, 'devcontainer.json'), String(i));
    await sees('499');
    expect(seen.length - before).toBeLessThan(10);
  });

  it('is shared by equal directories and ends with the last listener', async () => {
    const opened: string[] = [];
    const closed: string[] = [];
    const fake: OpenNotifySource = (directory) => {
      opened.push(directory);
      return { ready: Promise.resolve(), close: async () => void closed.push(directory) };
    };
    const directory = make(join(root, 'd'));
    const on = start({ openSource: fake });
    const first = on.watch(directory, () => {});
    const second = on.watch(`${directory}/../d/`, () => {});
    await vi.waitFor(() => expect([...opened].sort()).toEqual([root, directory]), WITHIN);
    first.close();
    first.close();
    expect(closed).toEqual([]);
    second.close();
    await vi.waitFor(() => expect([...closed].sort()).toEqual([root, directory]), WITHIN);
  });

  it('goes on for the others when one listener throws', async () => {
    const directory = make(join(root, 'd'));
    const on = start();
    on.watch(directory, () => {
      throw new Error('broken listener');
    });
    const { calledAfter, calls } = await reader(directory, undefined, on);
    const before = calls();
    writeFileSync(join(directory, 'devcontainer.json'), 'two');
    await calledAfter(before);
    expect(warnings.map((warning) => warning.message)).toContain('A listener of a directory watch failed.');
  });

  it('calls nothing after it was closed', async () => {
    const directory = make(join(root, 'd'));
    const { watch, calls } = await reader(directory);
    let others = 0;
    watcher?.watch(directory, () => void others++);
    watch.close();
    const before = calls();
    writeFileSync(join(directory, 'devcontainer.json'), 'two');
    await vi.waitFor(() => expect(others).toBeGreaterThan(0), WITHIN);
    expect(calls()).toBe(before);
  });

  it('costs one kernel watch a directory, however many files are in it, and one instance in all', async () => {
    const on = start();
    const before = inotify();
    const directories = Array.from({ length: 10 }, (_, i) => make(join(root, `d${i}`)));
    for (const directory of directories) for (let i = 0; i < 50; i++) writeFileSync(join(directory, `f${i}`), '');
    for (const directory of directories) await reader(directory, undefined, on);
    const during = inotify();
    expect(during.instances - before.instances).toBeLessThanOrEqual(1);
    // Ten directories and their parent.
    expect(during.watches - before.watches).toBe(11);
    await on.close();
    expect(inotify().watches).toBe(before.watches);
  });

  it('sees a directory again of which somebody else in the process holds a dead watch', async () => {
    const directory = make(join(root, 'd'));
    const foreign = chokidarWatch(directory, { depth: 0, ignored: (path) => path !== directory });
    await new Promise<void>((resolve) => foreign.once('ready', () => resolve()));
    const one = await reader(directory);
    const other = createWatcher({ clock: systemClock, logger });
    try {
      const two = await reader(directory, undefined, other);
      for (const text of ['two', 'three', 'four']) {
        rmSync(directory, { recursive: true });
        make(directory, text);
        await Promise.all([one.sees(text), two.sees(text)]);
        writeFileSync(join(directory, 'devcontainer.json'), `${text}!`);
        await Promise.all([one.sees(`${text}!`), two.sees(`${text}!`)]);
      }
    } finally {
      await Promise.all([other.close(), foreign.close()]);
    }
  });

  it('is closed at once while the file system gives no answer', { timeout: 2_000 }, async () => {
    const opened: string[] = [];
    const answers: (() => void)[] = [];
    const on = start({
      probeFileSystem: () => new Promise((resolve) => answers.push(() => resolve(undefined))),
      openSource: (directory) => {
        opened.push(directory);
        return { ready: Promise.resolve(), close: async () => {} };
      },
    });
    on.watch(root, () => expect.unreachable());
    await vi.waitFor(() => expect(answers).toHaveLength(1), WITHIN);
    await on.close();
    // An answer that comes late opens nothing.
    answers[0]?.();
    await realpath(root);
    await realpath(root);
    expect(opened).toEqual([]);
  });

  it('can be closed at any moment, also while it begins', async () => {
    const on = start();
    for (let i = 0; i < 20; i++) on.watch(make(join(root, `d${i}`)), () => {}).close();
    on.watch(make(join(root, 'last')), () => {});
    await on.close();
    await on.close();
    on.watch(root, () => expect.unreachable()).close();
    writeFileSync(join(root, 'after'), '');
  });
});

describe('a directory that cannot be notified of', () => {
  const failing =
    (code: string, when: 'at first' | 'later'): OpenNotifySource =>
    (_directory, callbacks) => {
      const error = Object.assign(new Error(`${code}: limit reached, watch`), { code });
      if (when === 'later') queueMicrotask(() => setTimeout(() => callbacks.onError(error), 10));
      return { ready: when === 'later' ? Promise.resolve() : Promise.reject(error), close: async () => {} };
    };

  it.each([
    ['ENOSPC', 'fs.inotify.max_user_watches', 'at first'],
    ['EMFILE', 'fs.inotify.max_user_instances', 'at first'],
    ['ENOSPC', 'fs.inotify.max_user_watches', 'later'],
  ] as const)('is polled after %s, with one warning that names %s (%s)', async (code, sysctl, when) => {
    const on = start({ openSource: failing(code, when) });
    const directories = [make(join(root, 'a')), make(join(root, 'b'))];
    for (const directory of directories) {
      const { sees } = await reader(directory, undefined, on);
      writeFileSync(join(directory, 'devcontainer.json'), 'two');
      await sees('two');
    }
    await vi.waitFor(() => expect(warnings).toHaveLength(1), WITHIN);
    expect(warnings[0]?.message).toContain(sysctl);
  });

  it.each(['nfs4', '9p', 'fuse.sshfs'])('is polled on %s without trying', async (type) => {
    const never: OpenNotifySource = () => expect.unreachable('notification was tried');
    const directory = make(join(root, 'd'));
    const { sees } = await reader(
      directory,
      undefined,
      start({ openSource: never, probeFileSystem: async () => type }),
    );
    writeFileSync(join(directory, 'devcontainer.json'), 'two');
    await sees('two');
    expect(warnings).toEqual([]);
  });
});

function inotify(): { instances: number; watches: number } {
  let instances = 0;
  let watches = 0;
  for (const line of fdinfo()) {
    if (line === 'instance') instances++;
    else watches++;
  }
  return { instances, watches };
}

/** One line `instance` for each inotify instance of this process and one line for each watch in it. */
function fdinfo(): string[] {
  const lines: string[] = [];
  for (let fd = 0; fd < 200; fd++) {
    try {
      const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').split('\n');
      const watches = info.filter((line) => line.startsWith('inotify '));
      if (watches.length > 0) lines.push('instance', ...watches);
    } catch {
      // No such descriptor.
    }
  }
  return lines;
}

it('is opened again when the directory was away for the moment in which it was opened', async () => {
  const directory = join(root, 'dir');
  mkdirSync(directory);
  let opened = 0;
  const openWhileAway: OpenNotifySource = (path, callbacks, clock) => {
    const isFirst = path === directory && opened++ === 0;
    if (isFirst) renameSync(directory, `${directory}.away`);
    const source = openNotifySource(path, callbacks, clock);
    if (isFirst) void source.ready.then(() => renameSync(`${directory}.away`, directory));
    return source;
  };
  // Nothing but the directory itself tells of it: whoever asks finds the same one.
  const { sees } = await reader(directory, 'file', start({ openSource: openWhileAway }));
  await vi.waitFor(() => expect(opened).toBeGreaterThan(0), WITHIN);
  writeFileSync(join(directory, 'file'), 'text');
  await sees('text');
  expect(opened).toBeGreaterThan(1);
  writeFileSync(join(directory, 'file'), 'more');
  await sees('more');
});
