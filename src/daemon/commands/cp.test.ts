import { execFile } from 'node:child_process';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cp } from './cp.ts';
import { copiedName, entryName, parseCopyPath } from './copy-path.ts';
import { sizeText } from './copy-report.ts';
import { Refusal } from './test-context.ts';
import { type SeenRequest, startTestDaemon, type TestDaemon, testWorld, worldContext } from './test-daemon.ts';

const makePipe = (path: string) => promisify(execFile)('mkfifo', [path]);

let here: string;
let daemon: TestDaemon | undefined;
beforeEach(async () => {
  here = await mkdtemp(join(tmpdir(), 'ac-cp-'));
});
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  await rm(here, { recursive: true, force: true });
});

interface Node {
  readonly type: 'file' | 'directory' | 'link' | 'other';
  readonly mode?: string;
  readonly content?: Buffer | string;
  readonly target?: string;
  /** What it is called in a list, when that is a lie. */
  readonly listedAs?: string;
}

const FILES = '/devcontainers/dc-1/files';

/** Files of a container, by absolute path; relative ones lie in /w. */
async function container(
  nodes: Record<string, Node>,
  routes: Record<string, unknown> = {},
): Promise<Map<string, Node>> {
  const files = new Map<string, Node>(
    Object.entries({ '/': { type: 'directory' }, '/w': { type: 'directory' }, ...nodes }),
  );
  const pathOf = ({ path }: SeenRequest): string =>
    posix.resolve('/w', new URL(path, 'http://x').searchParams.get('path') ?? '');
  const wire = (path: string, { type, mode = '0644', content = '', target, listedAs }: Node) => ({
    path: listedAs ?? path,
    type,
    mode,
    size: Buffer.from(content as string).length,
    modified_at: '2025-01-31T12:00:00.000Z',
    uid: 0,
    gid: 0,
    ...(target === undefined ? {} : { target }),
  });
  const missing = new Refusal(404, { message: 'Path not found', code: 'path-not-found' });
  const base = FILES;
  daemon = await startTestDaemon({
    routes: {
      [`GET ${base}/stat`]: (request: SeenRequest) => {
        const node = files.get(pathOf(request));
        return node === undefined ? missing : wire(pathOf(request), node);
      },
      [`GET ${base}/list`]: (request: SeenRequest) => {
        const folder = pathOf(request);
        const inside = [...files].filter(([path]) => path !== '/' && posix.dirname(path) === folder);
        return { entries: inside.map(([path, node]) => wire(path, node)), truncated: false };
      },
      [`GET ${base}/content`]: (request: SeenRequest) => {
        const node = files.get(pathOf(request));
        return node?.content === undefined ? missing : Buffer.from(node.content as string);
      },
      [`PUT ${base}/content`]: (request: SeenRequest) => {
        const mode = new URL(request.path, 'http://x').searchParams.get('mode') ?? '0644';
        files.set(pathOf(request), { type: 'file', mode, content: request.body });
        return wire(pathOf(request), { type: 'file', mode });
      },
      [`POST ${base}/mkdir`]: (request: SeenRequest) => {
        const { path, mode } = JSON.parse(request.body.toString()) as { path: string; mode: string };
        files.set(posix.resolve('/w', path), { type: 'directory', mode });
        return wire(path, { type: 'directory', mode });
      },
      ...routes,
    },
  });
  return files;
}

async function run(from: string, to: string, { json = false, stdin = '' } = {}) {
  if (daemon === undefined) throw new Error('no daemon');
  const world = testWorld();
  world.stdin.end(stdin);
  const code = await cp(worldContext(daemon, world, { json }), {}, from, to, world);
  return { code, out: world.out(), err: world.err() };
}

/** Everything below a folder, as paths; folders end with a slash. */
async function tree(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .map((entry) => `${join(entry.parentPath, entry.name).slice(folder.length + 1)}${entry.isDirectory() ? '/' : ''}`)
    .toSorted();
}

describe('paths', () => {
  test.each([
    ['-', { kind: 'stream' }],
    ['app:/x', { kind: 'container', name: 'app', path: '/x' }],
    ['app:', { kind: 'container', name: 'app', path: '.' }],
    ['.:src', { kind: 'container', name: '.', path: 'src' }],
    ['app:a:b', { kind: 'container', name: 'app', path: 'a:b' }],
    ['./a:b', { kind: 'local', path: './a:b' }],
    ['/a:b', { kind: 'local', path: '/a:b' }],
    [':x', { kind: 'local', path: ':x' }],
    ['file', { kind: 'local', path: 'file' }],
  ])('%s is %j', (text, expected) => {
    expect(parseCopyPath(text)).toEqual(expected);
  });

  test.each([
    ['a/b', 'b'],
    ['a/b/', 'b'],
    ['a/.', undefined],
    ['.', undefined],
    ['..', undefined],
    ['/', undefined],
  ])('a copy of %s is called %s', (path, expected) => {
    expect(copiedName(path, 'container')).toBe(expected);
    expect(copiedName(path, 'local')).toBe(expected);
  });

  test.each([
    ['/a/b', 'b'],
    ['/a/..', undefined],
    ['/a/.', undefined],
    ['/a/', undefined],
    ['', undefined],
    ['/a/b\0c', undefined],
    [`/${'x'.repeat(256)}`, undefined],
    ['/a/../../etc/passwd', 'passwd'],
  ])('an entry that says %j is called %s here', (path, expected) => {
    expect(entryName(path)).toBe(expected);
  });
});

describe('from a container', () => {
  test('a file comes to the byte, with its mode, under the name that was given or its own', async () => {
    const bytes = Buffer.from([0xff, 0, 0x61]);
    await container({ '/w/run.sh': { type: 'file', mode: '0750', content: bytes } });
    expect((await run('app:run.sh', join(here, 'other'))).code).toBe(0);
    expect(await readFile(join(here, 'other'))).toEqual(bytes);
    expect((await stat(join(here, 'other'))).mode & 0o111).toBe(0o110);
    await run('app:/w/run.sh', here);
    expect(await tree(here)).toEqual(['other', 'run.sh']);
    expect((await run('app:run.sh', '-')).out).toEqual(bytes);
  });

  test('a file replaces another one whole and keeps its mode; a link that a person named is written through', async () => {
    await container({ '/w/f': { type: 'file', content: 'new' } });
    await writeFile(join(here, 'real'), 'old', { mode: 0o600 });
    await chmod(join(here, 'real'), 0o600);
    await symlink('real', join(here, 'link'));
    await run('app:f', join(here, 'link'));
    expect((await lstat(join(here, 'link'))).isSymbolicLink()).toBe(true);
    expect(await readFile(join(here, 'real'), 'utf8')).toBe('new');
    expect((await stat(join(here, 'real'))).mode & 0o777).toBe(0o600);
    expect(await tree(here)).toEqual(['link', 'real']);
    // A device is written to, not replaced.
    expect((await run('app:f', '/dev/null')).code).toBe(0);
    expect((await stat('/dev/null')).isCharacterDevice()).toBe(true);
  });

  const FOLDER: Record<string, Node> = {
    '/w/d': { type: 'directory', mode: '0755' },
    '/w/d/a': { type: 'file', content: 'A' },
    '/w/d/sub': { type: 'directory', mode: '0700' },
    '/w/d/sub/b': { type: 'file', content: 'B' },
    '/w/d/link': { type: 'link', target: '/etc/passwd' },
    '/w/d/pipe': { type: 'other' },
    '/w/here': { type: 'link', target: 'd' },
  };

  test('a folder comes whole but for its links, into one that is there under its name', async () => {
    await container(FOLDER);
    const copied = await run('app:d', join(here, 'new'));
    expect(copied.code).toBe(0);
    expect(copied.err).toBe('Skipped d/link: it is a link.\nSkipped d/pipe: it is neither a file nor a folder.\n');
    await run('app:d', here);
    // One that a person named is followed; its contents go into what is there.
    await run('app:here/.', join(here, 'new'));
    expect(await tree(here)).toEqual(
      ['d', 'new'].flatMap((name) => [`${name}/`, `${name}/a`, `${name}/sub/`, `${name}/sub/b`]),
    );
    const { out } = await run('app:d', join(here, 'json'), { json: true });
    expect(JSON.parse(out.toString())).toEqual({
      files: 2,
      folders: 2,
      bytes: 2,
      skipped: [expect.objectContaining({ path: 'd/link' }), expect.objectContaining({ path: 'd/pipe' })],
      failed: [],
    });
  });

  test.each(['..', '../evil', '/etc', 'x/../../evil', '.', '', 'a\0b'])(
    'a name such as %j puts nothing outside of the target',
    async (name) => {
      await container({
        '/w/d': { type: 'directory' },
        '/w/d/a': { type: 'file', content: 'A', listedAs: `/w/d/${name}` },
        '/w/d/b': { type: 'directory', listedAs: `/w/d/${name}` },
      });
      await mkdir(join(here, 'deep/er'), { recursive: true });
      await run('app:d', join(here, 'deep/er/to'));
      for (const path of await tree(here)) expect(path).toMatch(/^deep\/(?:er\/(?:to\/.*)?)?$/);
    },
  );

  test('a link in the target is not followed, neither to a folder nor to a file', async () => {
    await container({
      '/w/d': { type: 'directory' },
      '/w/d/sub': { type: 'directory' },
      '/w/d/sub/f': { type: 'file', content: 'evil' },
      '/w/d/g': { type: 'file', content: 'evil' },
    });
    await mkdir(join(here, 'outside'));
    await writeFile(join(here, 'outside/g'), 'good');
    await mkdir(join(here, 'd'));
    await symlink('../outside', join(here, 'd/sub'));
    await symlink('../outside/g', join(here, 'd/g'));
    const { code, err } = await run('app:d', here);
    expect(code).toBe(1);
    expect(err).toContain('is a link, which is not followed');
    expect(await tree(join(here, 'outside'))).toEqual(['g']);
    expect(await readFile(join(here, 'outside/g'), 'utf8')).toBe('good');
    expect(await readFile(join(here, 'd/g'), 'utf8')).toBe('evil');
  });

  test('what cannot be copied is told, the rest is, and nothing half is left', async () => {
    await container(
      {
        '/w/d': { type: 'directory' },
        '/w/d/a': { type: 'file', content: 'A' },
        '/w/d/secret': { type: 'file' },
        '/w/d/z': { type: 'file', content: 'Z' },
      },
      {},
    );
    const { code, err } = await run('app:d', join(here, 'to'));
    expect(code).toBe(1);
    expect(err).toBe('error: Copying d/secret failed: Path not found\n');
    expect(await tree(here)).toEqual(['to/', 'to/a', 'to/z']);
  });

  test('an answer that breaks off leaves what was there before', async () => {
    await container({ '/w/f': { type: 'file', content: 'x' } });
    await writeFile(join(here, 'f'), 'before');
    const { createServer } = await import('node:http');
    const daemonBefore = daemon;
    await daemonBefore?.crash();
    const server = createServer((request, response) => {
      if (request.url?.includes('/files/content') === true) {
        response.writeHead(200, { 'content-length': '100' });
        response.write('half');
        setTimeout(() => response.destroy(), 20);
      } else if (request.url?.includes('/files/stat') === true)
        response.end(JSON.stringify({ path: '/w/f', type: 'file', size: 100, mode: '0644' }));
      else response.end(JSON.stringify({ devcontainers: [{ id: 'dc-1', name: 'app' }] }));
    });
    await new Promise<void>((resolve) => server.listen(daemonBefore?.socket, resolve));
    try {
      await expect(run('app:f', join(here, 'f'))).rejects.toMatchObject({ code: 'daemon-unreachable' });
    } finally {
      await new Promise((resolve) => server.close(resolve));
      await daemonBefore?.start();
    }
    expect(await readFile(join(here, 'f'), 'utf8')).toBe('before');
    expect(await tree(here)).toEqual(['f']);
  });
});

describe('what is swapped for a link while it is copied', () => {
  /** `d/sub` becomes a link that leads out of `d`, to a folder with a file `f` that is nobody's business. */
  async function swap(): Promise<void> {
    await rename(join(here, 'd/sub'), join(here, 'd/old'));
    await symlink('../outside', join(here, 'd/sub'));
  }
  beforeEach(async () => {
    await mkdir(join(here, 'd/sub'), { recursive: true });
    await mkdir(join(here, 'outside'));
  });

  test.each(['list', 'content'])('leads nothing out of the target, at the %s of a folder', async (route) => {
    let asked = 0;
    const inside: Record<string, Node> = {
      '/w/d': { type: 'directory' },
      '/w/d/sub': { type: 'directory' },
      '/w/d/sub/f': { type: 'file', content: 'evil' },
    };
    await container(inside, {
      ...(route === 'content'
        ? { [`GET ${FILES}/content`]: async () => (await swap(), Buffer.from('evil')) }
        : {
            [`GET ${FILES}/list`]: async ({ path }: SeenRequest) => {
              const isSub = path.includes('sub');
              if (isSub && asked++ === 0) await swap();
              const entry = { size: 4, mode: '0755', modified_at: '', uid: 0, gid: 0 };
              return {
                entries: [
                  isSub
                    ? { ...entry, path: '/w/d/sub/f', type: 'file' }
                    : { ...entry, path: '/w/d/sub', type: 'directory' },
                ],
                truncated: false,
              };
            },
          }),
    });
    await run('app:d', here);
    expect(await tree(join(here, 'outside'))).toEqual([]);
  });

  test('lets nothing into the container that lies out of the source', async () => {
    await writeFile(join(here, 'd/sub/f'), 'mine');
    await writeFile(join(here, 'outside/f'), 'secret');
    const files = await container(
      {},
      {
        [`POST ${FILES}/mkdir`]: async ({ body }: SeenRequest) => {
          const { path } = JSON.parse(body.toString()) as { path: string };
          if (path.endsWith('sub')) await swap();
          return { path, type: 'directory' };
        },
      },
    );
    await run(join(here, 'd'), 'app:');
    const contents = [...files.values()].map(({ content = '' }) => String(content));
    expect(contents.filter((content) => content !== '')).toEqual(['mine']);
  });
});

describe('interrupted', () => {
  async function interrupt(from: string, to: string, { isBlocked = false } = {}) {
    if (daemon === undefined) throw new Error('no daemon');
    const world = testWorld();
    world.block(isBlocked);
    let isListening = false;
    const watched = {
      ...world,
      onSignals(listener: Parameters<typeof world.onSignals>[0]) {
        const unlisten = world.onSignals(listener);
        isListening = true;
        return () => {
          isListening = false;
          unlisten();
        };
      },
    };
    const ends: number[] = [];
    const code = cp(worldContext(daemon, world), {}, from, to, watched, (end) => void ends.push(end));
    // Whatever it waits for, it does by then.
    const seen = setInterval(() => {
      const isReached = isBlocked ? world.out().length > 0 : (daemon?.requests.length ?? 0) > 1;
      if (isListening && isReached) world.signal('SIGINT');
    }, 50);
    try {
      return { code: await code, world, ends };
    } finally {
      clearInterval(seen);
    }
  }

  test('a pipe that nobody reads keeps nobody waiting', async () => {
    await container({ '/w/f': { type: 'file', content: 'x' } });
    await makePipe(join(here, 'pipe'));
    const { code, world } = await interrupt('app:f', join(here, 'pipe'));
    expect(code).toBe(130);
    expect(world.err()).toContain('Interrupted');
  });

  test('standard input that stays open is let go', async () => {
    await container({});
    const { code, world } = await interrupt('-', 'app:/w/x');
    expect([code, world.stdin.destroyed]).toEqual([130, true]);
  });

  test('standard output that takes nothing is not waited for, and ends with us', async () => {
    await container({ '/w/f': { type: 'file', content: Buffer.alloc(1_000_000) } });
    const { code, ends } = await interrupt('app:f', '-', { isBlocked: true });
    expect([code, ends]).toEqual([130, [130]]);
  });

  test('a second signal is not ours any more', async () => {
    let listening: boolean[] = [];
    await container({});
    if (daemon === undefined) throw new Error('no daemon');
    const world = testWorld();
    const copying = cp(worldContext(daemon, world), {}, '-', 'app:/w/x', {
      ...world,
      onSignals(listener) {
        listening = [true];
        const unlisten = world.onSignals(listener);
        return () => {
          listening.push(false);
          unlisten();
        };
      },
    });
    await expect.poll(() => daemon?.requests.length).toBeGreaterThan(1);
    world.signal('SIGINT');
    expect(listening[1]).toBe(false);
    await copying;
  });
});

test('standard output without a reader ends the copy', async () => {
  await container({ '/w/f': { type: 'file', content: Buffer.alloc(1_000_000) } });
  if (daemon === undefined) throw new Error('no daemon');
  const world = testWorld();
  world.block(true);
  const copying = cp(worldContext(daemon, world), {}, 'app:f', '-', world, () => {});
  await expect.poll(() => world.out().length).toBeGreaterThan(0);
  world.breakOutput();
  await expect(copying).rejects.toThrow('Writing standard output failed');
});

test('what is neither a file nor a folder is written to only if a person named it', async () => {
  await container({ '/w/d': { type: 'directory' }, '/w/d/pipe': { type: 'file', content: 'x'.repeat(200_000) } });
  await mkdir(join(here, 'd'));
  await makePipe(join(here, 'd/pipe'));
  const { code, err } = await run('app:d', here);
  expect(code).toBe(1);
  expect(err).toContain('neither a file nor a folder');
  const reading = readFile(join(here, 'd/pipe'), 'utf8');
  expect((await run('app:d/pipe', join(here, 'd/pipe'))).code).toBe(0);
  expect((await reading).length).toBe(200_000);
});

describe('into a container', () => {
  test('a file goes to the byte, with its mode, under its own name or the given one', async () => {
    const files = await container({ '/w/to': { type: 'directory' }, '/w/way': { type: 'link', target: 'to' } });
    await writeFile(join(here, 'run.sh'), Buffer.from([0xff, 0]));
    await chmod(join(here, 'run.sh'), 0o750);
    expect((await run(join(here, 'run.sh'), 'app:')).code).toBe(0);
    await run(join(here, 'run.sh'), 'app:to/other');
    await run(join(here, 'run.sh'), 'app:way');
    expect(files.get('/w/run.sh')).toEqual({ type: 'file', mode: '0750', content: Buffer.from([0xff, 0]) });
    expect(files.has('/w/to/other')).toBe(true);
    expect(files.has('/w/way/run.sh')).toBe(true);
  });

  test('a folder goes whole but for its links', async () => {
    const files = await container({});
    await mkdir(join(here, 'd/sub'), { recursive: true });
    await writeFile(join(here, 'd/a'), 'A');
    await writeFile(join(here, 'd/sub/b'), 'B');
    await symlink('/etc/passwd', join(here, 'd/link'));
    const { code, err } = await run(join(here, 'd'), 'app:');
    expect(code).toBe(0);
    expect(err).toBe(`Skipped ${join(here, 'd/link')}: it is a link.\n`);
    expect([...files.keys()].filter((path) => path.startsWith('/w/')).toSorted()).toEqual([
      '/w/d',
      '/w/d/a',
      '/w/d/sub',
      '/w/d/sub/b',
    ]);
    await run(`${join(here, 'd')}/.`, 'app:/w/other');
    expect(files.get('/w/other/sub/b')?.content).toEqual(Buffer.from('B'));
  });

  test('standard input goes under a name, which has to be given', async () => {
    const files = await container({});
    await run('-', 'app:/w/now', { stdin: 'today' });
    expect(files.get('/w/now')?.content).toEqual(Buffer.from('today'));
    await expect(run('-', 'app:')).rejects.toThrow('Give a file name');
  });
});

test.each([
  ['a', 'b', 'neither end'],
  ['app:a', 'app:b', 'both ends'],
  ['app:missing', '.', 'no such path in the container'],
  ['/nonexistent/x', 'app:', 'no such path on this machine'],
  ['app:pipe', '.', 'not a file'],
  ['app:circle', '.', 'in a circle'],
  ['app:f', '/nonexistent/folder/', 'no such folder'],
])('from %s to %s is refused: %s', async (from, to, why) => {
  await container({
    '/w/f': { type: 'file', content: '' },
    '/w/pipe': { type: 'other' },
    '/w/circle': { type: 'link', target: 'circle' },
  });
  await expect(run(from, to)).rejects.toThrow(why);
});

test.each([
  [0, '0 bytes'],
  [1, '1 byte'],
  [1_023, '1023 bytes'],
  [1_536, '1.5 KiB'],
  [12 * 1_048_576, '12.0 MiB'],
  [3 * 1_024 ** 4, '3.0 TiB'],
])('%i is shown as %s', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});
