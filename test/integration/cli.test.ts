import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createDeferred } from '../../src/async/deferred.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { docker, ENGINE, removeContainersOf } from './support/one-folder.ts';

// The command line as a person uses it: built, as child processes, on a real engine and with the real CLI.

const REPOSITORY = join(import.meta.dirname, '../..');
const BUILD = join(REPOSITORY, 'node_modules/.cache/agentcontainers-cli-test');
const MAIN = join(BUILD, 'dist/daemon/main.js');

interface Ended {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly text: string;
  readonly errors: string;
}

let base: string;
let folder: string;
let name: string;
const daemons: ChildProcess[] = [];
const backgroundPids: number[] = [];

function environment(stateDir: string): NodeJS.ProcessEnv {
  return { ...process.env, DOCKER_HOST: ENGINE, AGENTCONTAINERS_STATE_DIR: stateDir, NO_COLOR: '1' };
}

/** Runs the command line to its end, at most `timeout` ms. */
function run(
  args: readonly string[],
  options: { stateDir?: string; stdin?: string | Buffer; env?: NodeJS.ProcessEnv; timeout?: number } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [MAIN, ...args],
      {
        env: { ...environment(options.stateDir ?? join(base, 'state')), ...options.env },
        encoding: 'buffer',
        timeout: options.timeout ?? 50_000,
        maxBuffer: 64 * 1024 * 1024,
        cwd: base,
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
        resolve({ code, stdout, text: stdout.toString(), errors: stderr.toString() });
      },
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.stdin ?? '');
  });
}

async function json<T>(args: readonly string[], options: { stateDir?: string } = {}): Promise<T> {
  const ended = await run([...args, '--json'], options);
  return JSON.parse(ended.text) as T;
}

interface Entry {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly dirty: boolean;
  readonly workspace_folder: string;
  readonly container?: { readonly id: string; readonly running: boolean };
  readonly agent?: { readonly status: string };
}
async function entry(): Promise<Entry | undefined> {
  const { devcontainers } = await json<{ devcontainers: Entry[] }>(['list']);
  return devcontainers.find((candidate) => candidate.workspace_folder === folder);
}

/** Asks again until `matches`, for at most 15 s. */
async function until(matches: (seen: Entry | undefined) => boolean): Promise<Entry | undefined> {
  const end = performance.now() + 15_000;
  let seen = await entry();
  while (!matches(seen) && performance.now() < end) seen = await entry();
  return seen;
}

interface Started {
  readonly child: ChildProcess;
  readonly daemon: {
    readonly pid: number;
    readonly url: string;
    readonly link: string;
    readonly metrics: string;
    readonly debug: string;
    readonly socket: string;
  };
}
/** Starts `serve` and resolves with what it says of itself. */
function serve(stateDir: string, args: readonly string[]): Promise<Started> {
  const child = spawn(process.execPath, [MAIN, 'serve', '--json', '--log-level', 'warn', ...args], {
    env: environment(stateDir),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  daemons.push(child);
  return new Promise((resolve, reject) => {
    let out = '';
    let err = '';
    child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      if (out.includes('\n')) resolve({ child, ...(JSON.parse(out) as Omit<Started, 'child'>) });
    });
    child.once('exit', (code) => reject(new Error(`serve ended with ${code}: ${out}${err}`)));
  });
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<{ code: number | null; ms: number }> {
  const began = performance.now();
  return new Promise((resolve) => {
    child.removeAllListeners('exit');
    child.once('exit', (code) => resolve({ code, ms: performance.now() - began }));
    child.kill(signal);
  });
}

beforeAll(async () => {
  if (ENGINE === '') throw new Error('AGENTCONTAINERS_TEST_DOCKER_HOST is not set.');
  await mkdir(BUILD, { recursive: true });
  await cp(join(REPOSITORY, 'package.json'), join(BUILD, 'package.json'));
  await symlink(join(REPOSITORY, 'assets'), join(BUILD, 'assets')).catch(() => {});
  await new Promise<void>((resolve, reject) => {
    const args = ['-p', join(REPOSITORY, 'tsconfig.build.json'), '--outDir', join(BUILD, 'dist')];
    execFile(join(REPOSITORY, 'node_modules/.bin/tsc'), args, (error, stdout) => {
      if (error === null) resolve();
      else reject(new Error(`Building the command line failed: ${stdout}`));
    });
  });
  base = await realpath(await mkdtemp(join(tmpdir(), 'ac-cli-')));
  folder = join(base, `proj-${basename(base).slice(-6).toLowerCase()}`);
  await mkdir(folder);
  await writeFile(join(folder, '.devcontainer.json'), '{ "image": "agentcontainers-base:1" }\n');
}, 120_000);

afterAll(async () => {
  for (const child of daemons) child.kill('SIGKILL');
  for (const pid of backgroundPids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended already, as it should.
    }
  }
  await removeContainersOf(folder, join(base, 'other'), join(base, 'reaching'));
  await rm(base, { recursive: true, force: true });
});

describe('without a daemon', () => {
  test.each(['--help', 'version'])('%s loads nothing that it does not need', async (argument) => {
    // Node notes there which scripts it ran.
    const coverage = await mkdtemp(join(base, 'coverage-'));
    await run([argument], { env: { NODE_V8_COVERAGE: coverage } });
    const [file = ''] = await readdir(coverage);
    const { result } = JSON.parse(await readFile(join(coverage, file), 'utf8')) as { result: { url: string }[] };
    const packages = result.flatMap(
      ({ url }) => /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(url)?.[1] ?? [],
    );
    const loaded = new Set(packages.filter((one) => one !== '.cache'));
    expect(loaded).toContain('commander');
    expect([...loaded].filter((one) => !['commander', 'picocolors'].includes(one))).toEqual([]);
  });

  test('a command says how to start one', async () => {
    const { code, errors } = await run(['list']);
    expect(code).toBe(1);
    expect(errors).toContain('agentcontainers serve');
    expect(errors).not.toContain('    at ');
  });

  test('with --json errors are JSON, those of parsing too', async () => {
    expect(await json(['list'])).toMatchObject({ error: { code: 'daemon-unreachable' } });
    expect(await json(['frobnicate'])).toMatchObject({ error: { code: 'invalid-request' } });
    expect((await run(['lst'])).errors).toContain('Did you mean');
  });

  test('serve without an engine ends with 5 and says where it looked', async () => {
    const { code, errors } = await run(['serve', base], { env: { DOCKER_HOST: 'unix:///nonexistent/docker.sock' } });
    expect(code).toBe(5);
    expect(errors).toContain('/nonexistent/docker.sock');
  });

  test('serve refuses an address that others can reach', async () => {
    const { code, errors } = await run(['serve', '--listen', '0.0.0.0:0', base]);
    expect(code).toBe(2);
    expect(errors).toContain('TLS');
  });

  test('serve refuses a state that it cannot read, and a directory that has another use', async () => {
    const stateDir = join(base, 'unreadable');
    await mkdir(join(stateDir, 'state.json'), { recursive: true, mode: 0o700 });
    await chmod(stateDir, 0o700);
    const unreadable = await run(['serve', base], { stateDir });
    expect([unreadable.code, unreadable.text]).toEqual([1, '']);
    expect(unreadable.errors).toMatch(/error: Reading the state .*state\.json failed: EISDIR/);
    expect(await readdir(stateDir)).not.toContain('daemon.sock');

    const foreign = join(base, 'foreign');
    await mkdir(foreign);
    await writeFile(join(foreign, 'file'), '');
    await chmod(foreign, 0o755);
    const refused = await run(['serve', '--state-dir', foreign, base]);
    expect(refused.code).toBe(1);
    expect(refused.errors).toContain('--state-dir');
    expect((await stat(foreign)).mode & 0o777).toBe(0o755);
    expect(await readdir(foreign)).toEqual(['file']);
  });

  test('a token that is a folder stops serve with the next step', async () => {
    const stateDir = join(base, 'token-folder');
    await mkdir(join(stateDir, 'token'), { recursive: true });
    await chmod(stateDir, 0o700);
    const { code, errors } = await run(['serve', base], { stateDir });
    expect(code).toBe(1);
    expect(errors).toMatch(/error: Preparing the token .* failed: EISDIR.*--state-dir/);
  });

  test('SIGTERM while it starts ends it in good order', async () => {
    const stateDir = join(base, 'starting');
    // An engine that takes the connection and says nothing.
    const asked = createDeferred<void>();
    const silent = createServer(() => asked.resolve()).listen(join(base, 'silent.sock'));
    const child = spawn(
      process.execPath,
      [MAIN, 'serve', '--docker-host', `unix://${join(base, 'silent.sock')}`, base],
      {
        env: environment(stateDir),
        stdio: 'ignore',
      },
    );
    daemons.push(child);
    await asked.promise;
    expect(await readdir(stateDir)).toContain('lock');
    const { code, ms } = await end(child, 'SIGTERM');
    silent.close();
    expect(code).toBe(0);
    expect(ms).toBeLessThan(5_000);
    expect((await readdir(stateDir)).toSorted()).toEqual(['logs', 'sub-agents']);
  });

  test('doctor finds the engine', async () => {
    const report = await json<{ findings: { check: string; verdict: string }[] }>(['doctor']);
    expect(report.findings.find(({ check }) => check === 'engine')?.verdict).toBe('ok');
    expect(report.findings.find(({ check }) => check === 'devcontainer CLI')?.verdict).toBe('ok');
    expect((await run(['doctor'], { env: { DOCKER_HOST: 'unix:///nonexistent.sock' } })).code).toBe(5);
    expect((await run(['doctor'], { env: { AGENTCONTAINERS_DOCKER_HOST: 'unix:///nonexistent.sock' } })).code).toBe(5);
    const env = { AGENTCONTAINERS_DOCKER_HOST: ENGINE, DOCKER_HOST: 'unix:///nonexistent.sock' };
    expect((await run(['doctor'], { env })).code).toBe(0);
  });
});

describe('with a daemon', () => {
  let started: Started;
  beforeAll(async () => {
    started = await serve(join(base, 'state'), ['--metrics-address', ':0', '--debug-address', ':0', base]);
  });

  test('a second one on the same state directory is refused with the process of the first', async () => {
    const { code, errors } = await run(['serve', base]);
    expect(code).toBe(4);
    expect(errors).toContain(`process ${started.daemon.pid}`);
  });

  test('socket and token are for the owner alone', async () => {
    expect((await stat(started.daemon.socket)).mode & 0o777).toBe(0o600);
    expect((await stat(join(base, 'state/token'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(base, 'state'))).mode & 0o777).toBe(0o700);
  });

  test('up makes the container, injects the sub-agent and says what to do next', async () => {
    const { code, text, errors } = await run(['up', folder]);
    expect(errors).not.toContain('error:');
    expect(code).toBe(0);
    expect(text).toMatch(/is running, sub-agent running\. Next: agentcontainers exec /);
    const seen = await entry();
    expect(seen).toMatchObject({ status: 'running', dirty: false, agent: { status: 'running' } });
    name = seen?.name ?? '';
  });

  test('list shows one line for each, without colours when it is not a terminal', async () => {
    const { code, text } = await run(['list']);
    expect(code).toBe(0);
    const [title, line] = text.split('\n');
    expect(title).toMatch(/^NAME +STATUS +ATTENTION +AGENT +CONTAINER +FOLDER$/);
    expect(line).toContain(folder);
    expect(text).not.toContain('\u001b');
  });

  test('exec passes output, standard input and exit codes on, to the byte', async () => {
    const shown = await run(['exec', name, '--', 'sh', '-c', 'printf "\\377\\000a"; echo oops >&2; exit 7']);
    expect(shown.code).toBe(7);
    expect(shown.stdout).toEqual(Buffer.from([0xff, 0, 0x61]));
    expect(shown.errors).toBe('oops\n');

    const text = `ä\r\n\u0000${'x'.repeat(200_000)}`;
    const echoed = await run(['exec', '-i', name, '--', 'cat'], { stdin: text });
    expect(echoed.code).toBe(0);
    expect(echoed.stdout.equals(Buffer.from(text))).toBe(true);

    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) % 256));
    const bytesBack = await run(['exec', '-i', name, '--', 'cat'], { stdin: bytes });
    expect(bytesBack.stdout.equals(bytes)).toBe(true);

    expect((await run(['exec', name, '--', 'sh', '-c', 'kill -9 $$'])).code).toBe(137);
    expect((await run(['exec', '-e', 'A=1', '-w', '/tmp', name, '--', 'sh', '-c', 'echo $A $PWD'])).text).toBe(
      '1 /tmp\n',
    );
  });

  test('a command that cannot start is told on standard error alone', async () => {
    for (const [argv, code, reason] of [
      [['/no/such/program'], 127, 'no such file'],
      [['no-such-program'], 127, 'no such program'],
      [['/etc/passwd'], 126, 'permission denied'],
    ] as const) {
      const ended = await run(['exec', name, '--', ...argv]);
      expect([ended.code, ended.text]).toEqual([code, '']);
      expect(ended.errors).toMatch(new RegExp(`^error: Running .* failed: starting .*${reason}`));
    }
    const nobody = await run(['exec', '-u', 'no-such-user', name, '--', 'true']);
    expect([nobody.code, nobody.text]).toEqual([126, '']);
    expect(nobody.errors).toContain('no-such-user');
  });

  test('a pipe that stays open holds up no command, and a file is passed on', async () => {
    const child = spawn(
      'sh',
      // Opened for reading and writing, a pipe has no end.
      [
        '-c',
        'mkfifo open && "$@" <>open',
        'sh',
        process.execPath,
        MAIN,
        'exec',
        name,
        '--',
        'sh',
        '-c',
        'cat; echo ran',
      ],
      {
        env: environment(join(base, 'state')),
        cwd: base,
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    daemons.push(child);
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await new Promise((resolve) => child.once('exit', resolve));
    expect(text).toBe('ran\n');

    const held = spawn(process.execPath, [MAIN, 'exec', name, '--', 'cat'], {
      env: environment(join(base, 'state')),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    daemons.push(held);
    expect(await new Promise((resolve) => held.once('exit', resolve))).toBe(0);

    await writeFile(join(base, 'notes'), 'from a file');
    const read = spawn('sh', ['-c', '"$@" < notes', 'sh', process.execPath, MAIN, 'exec', name, '--', 'cat'], {
      env: environment(join(base, 'state')),
      cwd: base,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    daemons.push(read);
    let passed = '';
    read.stdout?.on('data', (chunk: Buffer) => (passed += chunk.toString()));
    await new Promise((resolve) => read.once('close', resolve));
    expect(passed).toBe('from a file');
  });

  test('output that cannot be written is one line on standard error', async () => {
    const full = await new Promise<{ code: number; errors: string }>((resolve) => {
      const options = { env: environment(join(base, 'state')) };
      execFile(
        'sh',
        ['-c', '"$@" > /dev/full', 'sh', process.execPath, MAIN, 'list'],
        options,
        (error, _out, errors) => {
          resolve({ code: typeof error?.code === 'number' ? error.code : 0, errors });
        },
      );
    });
    expect(full).toEqual({
      code: 1,
      // Notes on what others run on the same engine may come before.
      errors: expect.stringMatching(/(?:^|\n)error: Writing the output failed: ENOSPC[^\n]*\n$/),
    });
  });

  test('doctor looks at the engine of the daemon first, whatever else is found', async () => {
    const { text } = await run(['doctor', '--json'], { env: { DOCKER_HOST: 'unix:///nonexistent.sock' } });
    const { ok, findings } = JSON.parse(text) as {
      ok: boolean;
      findings: { check: string; verdict: string; message: string }[];
    };
    const engines = findings.filter(({ check }) => check === 'engine');
    expect(engines[0]).toMatchObject({ verdict: 'ok', message: expect.stringContaining('the daemon uses this one') });
    expect([ok, engines[1]?.verdict]).toEqual([true, 'note']);
    expect((await stat(join(base, 'state/daemon.json'))).mode & 0o777).toBe(0o600);
  });

  test('standard input that does not fit into the request of --json is refused before anything runs', async () => {
    const { code, text } = await run(['exec', '--json', '-i', name, '--', 'cat'], { stdin: 'x'.repeat(1_100_000) });
    expect(code).toBe(2);
    expect(text).toContain('1 MiB');
  });

  test('an edit shows as dirty, and recreate makes it clean with the sub-agent back', async () => {
    const before = await entry();
    await writeFile(
      join(folder, '.devcontainer.json'),
      '{ "image": "agentcontainers-base:1", "containerEnv": { "A": "1" } }\n',
    );
    expect((await until((seen) => seen?.dirty === true))?.dirty).toBe(true);
    const { code, text } = await run(['recreate', before?.id.slice(0, 8) ?? '']);
    expect(code).toBe(0);
    expect(text).toContain('sub-agent running');
    const after = await entry();
    expect(after).toMatchObject({ id: before?.id, dirty: false, status: 'running' });
    expect(after?.container?.id).not.toBe(before?.container?.id);
  });

  test('logs hold what was built, and --follow goes on until it is interrupted', async () => {
    const { code, text } = await run(['logs', folder]);
    expect(code).toBe(0);
    expect(text.length).toBeGreaterThan(0);

    const follower = spawn(process.execPath, [MAIN, 'logs', '-f', name], { env: environment(join(base, 'state')) });
    daemons.push(follower);
    let followed = '';
    let look = (): void => {};
    follower.stdout.on('data', (chunk: Buffer) => {
      followed += chunk.toString();
      look();
    });
    const seen = (wanted: () => boolean) =>
      new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`the follower showed only: ${followed}`)), 20_000);
        look = () => {
          if (!wanted()) return;
          clearTimeout(timer);
          resolve();
        };
        look();
      });
    await seen(() => followed.length >= text.length);
    const before = followed.length;
    expect((await run(['recreate', name])).code).toBe(0);
    await seen(() => followed.length > before);
    expect((await end(follower, 'SIGINT')).code).toBeNull();
  });

  test('a folder with two configurations is a conflict that lists them, and --config decides', async () => {
    const two = join(base, 'other');
    await mkdir(join(two, '.devcontainer/a'), { recursive: true });
    await mkdir(join(two, '.devcontainer/b'));
    for (const config of ['a', 'b']) {
      await writeFile(
        join(two, `.devcontainer/${config}/devcontainer.json`),
        '{ "image": "agentcontainers-base:1" }\n',
      );
    }
    const refused = await run(['up', two]);
    expect(refused.code).toBe(4);
    expect(refused.errors).toContain(`${two}/.devcontainer/a/devcontainer.json`);
    expect((await run(['up', two, '--config', '.devcontainer/b/devcontainer.json'])).code).toBe(0);
    expect((await run(['rm', two])).code).toBe(0);
    await rm(two, { recursive: true });
  });

  test('it goes on when whoever read what it says has gone', async () => {
    const stateDir = join(base, 'unread');
    const args = ['serve', '--log-level', 'debug', '--listen', 'off', '--update-interval', '200ms', base];
    const shell = spawn(
      'sh',
      ['-c', '{ "$@" 2>&1; echo "ended with $?" >&2; } | head -n 3', 'sh', process.execPath, MAIN, ...args],
      {
        env: environment(stateDir),
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      },
    );
    // With all that it started, should this fail half way.
    if (shell.pid !== undefined) backgroundPids.push(-shell.pid);
    let last = '';
    shell.stderr?.on('data', (chunk: Buffer) => (last += chunk.toString()));
    const closed = new Promise((resolve) => shell.stderr?.once('close', resolve));
    let shown = '';
    await new Promise<void>((resolve) => {
      shell.stdout?.on('data', (chunk: Buffer) => {
        shown += chunk.toString();
        if (shown.split('\n').length > 3) resolve();
      });
    });
    // Each of these makes it log something that nobody reads.
    const limit = performance.now() + 20_000;
    while ((await run(['list'], { stateDir })).code !== 0 && performance.now() < limit);
    for (let i = 0; i < 3; i++) expect((await run(['list'], { stateDir })).code).toBe(0);
    const { pid } = JSON.parse(await readFile(join(stateDir, 'lock'), 'utf8')) as { pid: number };
    process.kill(pid, 'SIGTERM');
    await closed;
    expect(last).toContain('ended with 0');
    expect(await readdir(stateDir)).not.toContain('lock');
  });

  test('a second signal ends it at once', async () => {
    const own = await serve(join(base, 'second'), ['--listen', 'off', base]);
    // Stopped, it takes both signals in one go; the first cannot have been through before the second.
    own.child.kill('SIGSTOP');
    own.child.kill('SIGINT');
    own.child.kill('SIGTERM');
    const { code } = await end(own.child, 'SIGCONT');
    expect(code).toBeOneOf([130, 143]);
  });

  test('stop and start work by folder and by name', async () => {
    expect((await run(['stop', folder])).code).toBe(0);
    expect((await entry())?.status).toBe('stopped');
    expect((await run(['stop', name])).code).toBe(0);
    expect((await run(['exec', name, '--', 'true'])).code).toBe(4);
    expect((await run(['start', name])).code).toBe(0);
    expect((await entry())?.status).toBe('running');
  });

  test('what does not exist ends with 3 and proposes what is near', async () => {
    const { code, errors } = await run(['stop', `${name}x`]);
    expect(code).toBe(3);
    expect(errors).toContain(`Did you mean ${name}?`);
    expect((await run(['up', join(base, 'nowhere')])).code).toBe(3);
  });

  test('the token opens TCP, and nothing else does', async () => {
    const token = (await readFile(join(base, 'state/token'), 'utf8')).trim();
    const status = (headers: Record<string, string>) =>
      new Promise<number | undefined>((resolve) => {
        get(`${started.daemon.url}/devcontainers`, { headers, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode);
        });
      });
    expect(await status({})).toBe(401);
    expect(await status({ authorization: `Bearer ${token}` })).toBe(200);
    expect(await status({ authorization: `Bearer ${token}`, host: 'evil.example' })).toBe(403);
  });

  test('the link logs in under its own host name, and nowhere else', async () => {
    const link = new URL(started.daemon.link);
    expect(link.hostname).toMatch(/^ac-[0-9a-f]{32}\.localhost$/);
    const { port } = new URL(started.daemon.url);
    const page = (path: string, headers: Record<string, string>) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
          response.resume();
          resolve(response);
        }).once('error', reject);
      });
    const login = `${link.pathname}${link.search}`;
    expect((await page(login, { host: `127.0.0.1:${port}` })).statusCode).toBe(401);
    const { statusCode, headers } = await page(login, { host: link.host });
    expect(statusCode).toBe(303);
    const cookie = headers['set-cookie']?.[0]?.split(';', 1)[0] ?? '';
    const status = async (host: string) => (await page('/devcontainers', { host, cookie })).statusCode;
    expect(await status(link.host)).toBe(200);
    for (const host of ['127.0.0.1', 'localhost']) expect(await status(`${host}:${port}`)).toBe(401);
  });

  test('metrics and debug pages answer', async () => {
    const token = (await readFile(join(base, 'state/token'), 'utf8')).trim();
    const page = async (url: string, headers = {}): Promise<string> => (await fetch(url, { headers })).text();
    const metrics = await page(started.daemon.metrics);
    // On an engine that others use too there may be more.
    expect(metrics).toMatch(/agentcontainers_devcontainers\{status="running"\} [1-9]/);
    expect(metrics).toMatch(/agentcontainers_injections_total\{result="running"\} [1-9]/);
    expect(metrics).toMatch(/agentcontainers_operations_total\{kind="create",status="succeeded"\} [1-9]/);
    expect((await fetch(started.daemon.debug)).status).toBe(401);
    const debug = await page(started.daemon.debug, { authorization: `Bearer ${token}` });
    expect(debug).toContain(folder);
    expect(debug).not.toContain(token);
  });

  test('SIGTERM ends it within 10 s; a new one knows the same id and the container runs on', async () => {
    const before = await entry();
    const { code, ms } = await end(started.child, 'SIGTERM');
    expect(code).toBe(0);
    expect(ms).toBeLessThan(10_000);
    await expect(stat(started.daemon.socket)).rejects.toThrow('ENOENT');
    started = await serve(join(base, 'state'), [base]);
    const after = await until((seen) => seen?.agent?.status === 'running');
    expect(after).toMatchObject({ id: before?.id, status: 'running', dirty: false });
    expect(after?.container?.id).toBe(before?.container?.id);
  });

  test('after SIGKILL the next start needs no cleaning up', async () => {
    await end(started.child, 'SIGKILL');
    started = await serve(join(base, 'state'), [base]);
    expect((await until((seen) => seen?.status === 'running'))?.status).toBe('running');
  });

  describe('a configuration that can reach this machine', () => {
    let reaching: string;
    let called: string;
    const containers = () => docker('ps', '-aq', '--filter', `label=devcontainer.local_folder=${reaching}`);
    const write = (config: object) =>
      writeFile(join(reaching, '.devcontainer.json'), JSON.stringify({ image: 'agentcontainers-base:1', ...config }));
    const mount = (name: string) => `source=${join(base, name)},target=/${name},type=bind`;
    const seen = async () => {
      const { devcontainers } = await json<{ devcontainers: (Entry & { trusted: boolean })[] }>(['list']);
      return devcontainers.find((one) => one.workspace_folder === reaching);
    };
    const becomes = async (matches: (one: Awaited<ReturnType<typeof seen>>) => boolean): Promise<void> => {
      const limit = performance.now() + 20_000;
      while (!matches(await seen())) if (performance.now() > limit) throw new Error(JSON.stringify(await seen()));
    };

    beforeAll(async () => {
      reaching = join(base, 'reaching');
      for (const made of [reaching, join(base, 'one'), join(base, 'two')]) await mkdir(made);
      await write({ mounts: [mount('one')] });
    });

    test('is not brought up, and everything it asks for is shown with the way to accept it', async () => {
      const { code, text, errors } = await run(['up', reaching]);
      expect([code, text]).toEqual([4, '']);
      expect(errors).toMatch(/error: Devcontainer is not trusted\n +FINDING +WHAT +SAID BY\n/);
      expect(errors).toContain(join(base, 'one'));
      called = (await seen())?.name ?? '';
      expect(errors).toContain(`agentcontainers trust ${called}`);
      expect(await containers()).toBe('');
    });

    test('is accepted by a person only, and is brought up then', async () => {
      const unasked = await run(['trust', called]);
      expect([unasked.code, unasked.text.includes(join(base, 'one'))]).toEqual([4, true]);
      expect((await run(['trust', called, '--hash', 'b2'.repeat(32)])).code).toBe(4);
      expect((await run(['start', called])).code).toBe(4);
      expect(await containers()).toBe('');
      expect((await run(['trust', called, '--yes'])).code).toBe(0);
      const { code, errors } = await run(['up', reaching]);
      expect([code, errors.includes('error:')]).toEqual([0, false]);
      expect(await seen()).toMatchObject({ status: 'running', trusted: true });
    });

    test('is not recreated after a change until that is accepted too, and diff says what it is', async () => {
      const before = await containers();
      await write({ mounts: [mount('two')] });
      await becomes((one) => one?.trusted === false && one.dirty);
      expect((await run(['list'])).text).toMatch(/ dirty, untrusted /);
      expect((await run(['diff', called])).text).toMatch(/^mounts +recreate\n/m);
      expect((await run(['recreate', called])).code).toBe(4);
      expect(await containers()).toBe(before);
      const { text } = await run(['trust', called]);
      expect(text).toMatch(new RegExp(`^\\+ .*${join(base, 'two')}`, 'm'));
      expect(text).toMatch(new RegExp(`^- .*${join(base, 'one')}`, 'm'));
      const { code, text: shown } = await run(['up', '--trust', reaching]);
      expect([code, shown.includes('Accepted, as --trust says.')]).toEqual([0, true]);
    });

    test('is not recreated while a command runs in it, unless by force', async () => {
      const long = spawn(process.execPath, [MAIN, 'exec', called, '--', 'sh', '-c', 'echo began; exec sleep 300'], {
        env: environment(join(base, 'state')),
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      daemons.push(long);
      const ended = new Promise((resolve) => long.once('exit', resolve));
      await new Promise((resolve) => long.stdout.once('data', resolve));
      const refused = await run(['recreate', called]);
      expect(refused.code).toBe(4);
      expect(refused.errors).toMatch(/error: Devcontainer is busy\n +USED BY +WHAT +SINCE\n +sub-agent +1 command /);
      // Which one that is.
      expect(refused.errors).toContain(`agentcontainers ps ${called}`);
      expect((await run(['ps', called])).text).toContain('exec sleep 300');
      // With what it said: by that one sees where it stood when it did not end.
      const { code, text, errors } = await run(['recreate', '--force', called]);
      expect({ code, said: text + errors }).toEqual({ code: 0, said: expect.any(String) });
      await ended;
    });

    test('work that was not waited for is followed by its id, and a hook runs again', async () => {
      await write({ mounts: [mount('two')], postCreateCommand: 'echo again >> /tmp/hooks' });
      await becomes((one) => one?.dirty === true);
      const { operation_id: id } = await json<{ operation_id: string }>(['recreate', called, '--no-wait']);
      expect((await run(['operation', '--follow', id])).code).toBe(0);
      expect((await run(['operation', id])).text).toMatch(/^recreate of .*: succeeded, [^]*STEP +TIME\n/);
      expect((await run(['rerun-hook', called, 'postCreateCommand'])).code).toBe(0);
      expect((await run(['exec', called, '--', 'cat', '/tmp/hooks'])).text).toBe('again\nagain\n');
    });

    test('is removed with what a dry run said, and not before', async () => {
      const before = await containers();
      const { text } = await run(['rm', '--dry-run', called]);
      expect(text).toContain((await docker('inspect', '--format', '{{.Name}}', before)).slice(1));
      expect(await containers()).toBe(before);
      expect((await run(['rm', '--volumes', called])).code).toBe(0);
      expect(await containers()).toBe('');
    });
  });

  test('rm removes the container and leaves the folder', async () => {
    const id = (await entry())?.container?.id ?? '';
    expect((await run(['rm', name])).code).toBe(0);
    expect(await docker('ps', '-aq', '--no-trunc', '--filter', `id=${id}`)).toBe('');
    expect((await stat(folder)).isDirectory()).toBe(true);
    await end(started.child, 'SIGINT');
  });
});

test('up starts a daemon by itself and tells where its log is', async () => {
  const stateDir = join(base, 'own');
  const other = join(base, 'other');
  await mkdir(other);
  await writeFile(join(other, '.devcontainer.json'), '{ "image": "agentcontainers-base:1" }\n');
  const { code, text, errors } = await run(['up', other], { stateDir });
  const pid = Number(/process (\d+)/.exec(errors)?.[1]);
  if (pid > 0) backgroundPids.push(pid);
  expect(errors).toContain(join(stateDir, 'daemon.log'));
  expect(code).toBe(0);
  expect(text).toContain('is running');
  expect((await stat(join(stateDir, 'daemon.log'))).mode & 0o777).toBe(0o600);
  expect((await run(['rm', other], { stateDir })).code).toBe(0);
  process.kill(pid, 'SIGTERM');
  const gone = performance.now() + 10_000;
  while (performance.now() < gone && (await run(['list'], { stateDir })).code === 0);
  expect((await run(['list'], { stateDir })).code).toBe(1);
});
