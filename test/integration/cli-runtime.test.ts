import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { open, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireProcess } from '../../src/http/runtime-wire-schemas.ts';
import { isResidentBuilt } from './resident-support.ts';
import { API, type DaemonProcess, isInjected, startDaemon } from './support/daemon.ts';
import { eventually } from './support/eventually.ts';
import { ENGINE, makeOneFolder, type OneFolder } from './support/one-folder.ts';

// The command line in a container, as a person uses it: child processes, a real daemon, engine and resident.

const hasPython = spawnSync('python3', ['-c', 'import pty, termios']).status === 0;

let one: OneFolder;
let daemon: DaemonProcess;
let base: string;
let name: string;
let devcontainer: string;
const children: ChildProcess[] = [];
/** Outside of the root of the first daemon. */
const otherFolder = (): string => join(base, `other-${basename(base).slice(-6).toLowerCase()}`);

const MIB = 1024 * 1024;

/** In bytes, of a `/proc/<pid>/status`. */
async function memoryOf(status: string, name: 'VmRSS' | 'VmHWM'): Promise<number> {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(await readFile(status, 'utf8'));
  if (!found) throw new Error(`${status} has no ${name}.`);
  return Number(found[1]) * 1_024;
}

interface Ended {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly text: string;
  readonly errors: string;
}

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  AGENTCONTAINERS_STATE_DIR: one.stateDir,
  NO_COLOR: '1',
  TERM: 'xterm-256color',
});

/** A command line that runs; `stdin` is a file descriptor or `pipe`. */
function start(
  args: readonly string[],
  stdin: 'ignore' | 'pipe' | number = 'ignore',
  program = [process.execPath, one.main],
) {
  const [file = '', ...before] = program;
  const child = spawn(file, [...before, ...args], { env: environment(), cwd: base, stdio: [stdin, 'pipe', 'pipe'] });
  children.push(child);
  const out: Buffer[] = [];
  let errors = '';
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.stdin?.on('error', () => {});
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code) => {
      const stdout = Buffer.concat(out);
      resolve({ code, stdout, text: stdout.toString(), errors });
    });
  });
  return { child, ended, text: () => Buffer.concat(out).toString(), errors: () => errors };
}

const run = (...args: string[]): Promise<Ended> => start(args).ended;

async function json<T>(...args: string[]): Promise<T> {
  return JSON.parse((await run(...args, '--json')).text) as T;
}

const processes = async (): Promise<WireProcess[]> => (await json<{ processes: WireProcess[] }>('ps', name)).processes;
/** Whose command line has this word in it. */
const processWith = (word: string): Promise<WireProcess> =>
  eventually(`a process with ${word}`, async () =>
    (await processes()).find(({ argv }) => argv.some((one) => one.includes(word))),
  );
const goneWith = (word: string): Promise<true> =>
  eventually(`the end of ${word}`, async () =>
    (await processes()).some(({ argv }) => argv.some((one) => one.includes(word))) ? undefined : true,
  );

beforeAll(async () => {
  if (!hasPython) console.warn('SKIPPED: python3 is not there, so nothing is tested on a real terminal.');
  one = await makeOneFolder('ac-clirt-');
  ({ base } = one);
  daemon = await one.serve();
  ({ name, id: devcontainer } = await one.bringUp(daemon));
}, 240_000);

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await daemon?.end('SIGKILL');
  await one?.remove(otherFolder());
}, 120_000);

describe.skipIf(!isResidentBuilt)('exec', () => {
  test('passes 10 MB of standard input on, from a file and from a pipe, to the byte', async () => {
    const bytes = randomBytes(10_000_000);
    await writeFile(join(base, 'big'), bytes);
    const file = await open(join(base, 'big'));
    try {
      const counted = await start(['exec', name, '--', 'wc', '-c'], file.fd).ended;
      expect([counted.code, counted.text.trim(), counted.errors]).toEqual([0, '10000000', '']);
    } finally {
      await file.close();
    }
    const echoed = start(['exec', '-i', name, '--', 'cat'], 'pipe');
    echoed.child.stdin?.end(bytes);
    expect((await echoed.ended).stdout.equals(bytes)).toBe(true);
  });

  test('passes much output on, to the byte, and the daemon grows by little', async () => {
    const size = 256 * MIB;
    const command = `yes 0123456789abcde | head -c ${size}`;
    const status = `/proc/${daemon.pid}/status`;
    // From here on the highest is counted.
    await writeFile(`/proc/${daemon.pid}/clear_refs`, '5');
    const before = await memoryOf(status, 'VmRSS');
    const program = ['sh', '-c', '"$@" | sha256sum', 'sh', process.execPath, one.main];
    const ended = await start(['exec', name, '--', 'sh', '-c', command], 'ignore', program).ended;
    const expected = createHash('sha256');
    const piece = Buffer.alloc(MIB, '0123456789abcde\n');
    for (let left = size; left > 0; left -= MIB) expected.update(piece);
    expect([ended.text.split(' ')[0], ended.errors]).toEqual([expected.digest('hex'), '']);
    const grown = (await memoryOf(status, 'VmHWM')) - before;
    console.info(`${size / MIB} MiB: the daemon grew by ${grown / MIB} MiB`);
    expect(grown).toBeLessThan(96 * MIB);
  });

  test('keeps standard output and standard error apart and passes the exit code on', async () => {
    const ended = await run('exec', name, '--', 'sh', '-c', 'printf "\\377\\000a"; echo oops >&2; exit 7');
    expect([[...ended.stdout], ended.errors, ended.code]).toEqual([[0xff, 0, 0x61], 'oops\n', 7]);
  });

  test.each([
    [['sh', '-c', 'kill -9 $$'], 137, /^$/],
    [['/no/such/program'], 127, /^error: Running .*no such file/],
    [['no-such-program'], 127, /^error: Running .*no such program/],
    [['/etc/passwd'], 126, /^error: Running .*permission denied/],
  ])('%j ends with %i', async (argv, code, errors) => {
    const ended = await run('exec', name, '--', ...argv);
    expect([ended.code, ended.text]).toEqual([code, '']);
    expect(ended.errors).toMatch(errors);
  });

  test.each([
    ['--workdir', '/nope', /^error: Running .*no such file.*\n.*--workdir/],
    ['--user', 'nobody-of-that-name', /^error: Running .*no user .*\n.*\/etc\/passwd/],
  ])('with %s %s it ends with 126, for it was not the program that is missing', async (flag, value, errors) => {
    const ended = await run('exec', flag, value, name, '--', 'true');
    expect([ended.code, ended.text]).toEqual([126, '']);
    expect(ended.errors).toMatch(errors);
  });

  test('ends with 124 when time is up, and returns at once when only children are left', async () => {
    const late = await run('exec', '--timeout', '300ms', name, '--', 'sh', '-c', 'echo begun; sleep 111');
    expect([late.code, late.text]).toEqual([124, 'begun\n']);
    expect(late.errors).toContain('its time was up');
    await goneWith('sleep 111');
    const held = await run('exec', name, '--', 'sh', '-c', 'sleep 112 & echo here');
    expect([held.code, held.text]).toEqual([0, 'here\n']);
    expect(held.errors).toContain('still runs in the background');
  });

  test('passes signals on, and takes the command along when it is killed itself', async () => {
    const script = 'trap "echo got; exit 9" INT; echo ready; while :; do sleep 0.1; done';
    const trapped = start(['exec', name, '--', 'sh', '-c', script]);
    await eventually('the command', async () => (trapped.text().includes('ready') ? true : undefined));
    trapped.child.kill('SIGINT');
    expect(await trapped.ended).toMatchObject({ code: 9, text: 'ready\ngot\n' });

    const killed = start(['exec', name, '--', 'sh', '-c', 'echo ready; sleep 113']);
    await eventually('the command', async () => (killed.text().includes('ready') ? true : undefined));
    killed.child.kill('SIGKILL');
    await goneWith('sleep 113');
  });

  test('ends a command that nobody reads any more', async () => {
    const program = ['sh', '-c', '"$@" | head -n 1', 'sh', process.execPath, one.main];
    const ended = await start(['exec', name, '--', 'yes', 'endless'], 'ignore', program).ended;
    expect([ended.text, ended.errors]).toEqual(['endless\n', '']);
    await goneWith('endless');
  });

  test('that is left with a full output stands still, which ps tells', async () => {
    const script = 'sleep 2; head -c 5000000 /dev/zero # left';
    const left = start(['exec', name, '--', 'sh', '-c', script]);
    const { id } = await processWith('# left');
    await daemon.end('SIGKILL');
    left.child.kill('SIGKILL');
    daemon = await one.serve();
    await eventually('that it is stalled', async () => {
      const listed = await run('ps', name);
      return new RegExp(`${id} .* stalled `).test(listed.text) && listed.errors.includes(`attach ${name} ${id}`);
    });
    expect((await run('kill', '--grace', '0s', name, id)).code).toBe(0);
  });

  test('goes on with the command when the daemon was killed and is back: no byte is lost', async () => {
    const script = 'i=0; while [ $i -lt 400 ]; do echo line-$i; i=$((i+1)); sleep 0.02; done; exit 21';
    const counting = start(['exec', name, '--', 'sh', '-c', script]);
    await eventually('some lines', async () => (counting.text().includes('line-20\n') ? true : undefined));
    await daemon.end('SIGKILL');
    daemon = await one.serve();
    const ended = await counting.ended;
    expect(ended.text).toBe(Array.from({ length: 400 }, (_, index) => `line-${index}\n`).join(''));
    expect(ended.code).toBe(21);
    expect(ended.errors).toMatch(/The daemon has gone[^]*Back again, nothing is lost/);
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'tells that standard input is lost which the command had not read when the daemon got %s, and ends it',
    async (signal) => {
      await writeFile(join(base, 'input'), randomBytes(200_000));
      const file = await open(join(base, 'input'));
      const word = `reader-${signal}`;
      // Reads only when told: no time decides what has come by when.
      const script = `: ${word}; while [ ! -e /tmp/go-${signal} ]; do sleep 0.1; done; wc -c; echo done`;
      try {
        const reading = start(['exec', name, '--', 'sh', '-c', script], file.fd);
        await eventually('input that waits', async () =>
          ((await processWith(word)).stdin?.written ?? 0) >= 65_536 ? true : undefined,
        );
        await daemon.end(signal);
        daemon = await one.serve();
        const ended = await reading.ended;
        expect([ended.code, ended.text]).toEqual([1, '']);
        expect(ended.errors).toMatch(/standard input[^]*may be lost[^]*The command was ended/);
        expect(ended.errors).not.toContain('nothing is lost');
        await goneWith(word);
      } finally {
        await file.close();
      }
    },
  );

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'goes on with standard input that was all read when the daemon got %s, and passes its end on',
    async (signal) => {
      const script = 'head -c 70000 | wc -c; exec wc -c';
      const counting = start(['exec', '-i', name, '--', 'sh', '-c', script], 'pipe');
      counting.child.stdin?.write(Buffer.alloc(70_000));
      await eventually('its first part', async () => (counting.text() === '70000\n' ? true : undefined));
      await daemon.end(signal);
      await eventually('the note', async () => (counting.errors().includes('has gone') ? true : undefined));
      counting.child.stdin?.end(Buffer.alloc(300_000));
      daemon = await one.serve();
      const ended = await counting.ended;
      expect([ended.code, ended.text]).toEqual([0, '70000\n300000\n']);
      expect(ended.errors).toContain('nothing is lost');
    },
  );

  test('input that cannot be read is no end of input, and a process without standard input takes none', async () => {
    const memory = await open('/proc/self/mem');
    try {
      const ended = await start(['exec', '-i', name, '--', 'wc', '-c'], memory.fd).ended;
      expect([ended.code, ended.text]).toEqual([1, '']);
      expect(ended.errors).toMatch(/Reading standard input failed: /);
    } finally {
      await memory.close();
    }
    const sleeping = start(['exec', name, '--', 'sleep', '118']);
    const { id } = await processWith('118');
    const typed = start(['attach', '-i', name, id], 'pipe');
    typed.child.stdin?.write('typed');
    const refused = await typed.ended;
    expect(refused.code).not.toBe(0);
    expect(refused.errors).toContain('Standard input was not asked for');
    sleeping.child.kill('SIGKILL');
    await goneWith('118');
  });

  test('with --json prints lines', async () => {
    const { text } = await run('exec', '--json', name, '--', 'echo', 'hello');
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toMatchObject([
      { type: 'started' },
      { type: 'stdout', data: 'hello\n' },
      { type: 'exit', code: 0, reason: 'exit', via: 'resident' },
    ]);
  });
});

/** Runs a command line on a terminal of 101 by 33; `steps` are texts to wait for and what is typed then. */
const TERMINAL = `
import fcntl, json, os, pty, select, struct, sys, termios, time
steps = json.loads(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 101, 0, 0))
before = termios.tcgetattr(fd)
seen = b''; at = 0; until = time.time() + 50
while time.time() < until:
    if steps and seen.find(steps[0][0].encode(), at) >= 0:
        at = seen.find(steps[0][0].encode(), at) + len(steps[0][0].encode())
        if steps[0][1].startswith('resize'):
            fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 20, 90, 0, 0))
        else:
            os.write(fd, steps[0][1].encode('latin1'))
        steps.pop(0)
        continue
    if select.select([fd], [], [], 0.1)[0]:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        seen += data
same = True
try:
    same = before[:4] == termios.tcgetattr(fd)[:4]
except termios.error:
    pass
isLate = time.time() >= until
if isLate:
    os.kill(pid, 9)
status = os.waitpid(pid, 0)[1]
code = None if isLate else os.waitstatus_to_exitcode(status)
print(json.dumps({'code': code, 'text': seen.decode('latin1'), 'same': same, 'left': steps}))
`;

interface OnTerminal {
  readonly code: number | null;
  readonly text: string;
  /** The modes of the terminal are what they were. */
  readonly same: boolean;
  /** Steps that were not come to. */
  readonly left: readonly string[];
}

async function onTerminal(
  args: readonly string[],
  steps: readonly (readonly [string, string])[] = [],
): Promise<OnTerminal> {
  // On a slow machine the size must be there before it is asked for.
  const program = ['python3', '-c', TERMINAL, JSON.stringify(steps), 'sh', '-c', 'sleep 0.3; exec "$@"', 'sh'];
  const ended = await start([process.execPath, one.main, ...args], 'ignore', program).ended;
  if (ended.text === '') throw new Error(ended.errors);
  return JSON.parse(ended.text) as OnTerminal;
}

describe.skipIf(!isResidentBuilt || !hasPython)('on a terminal', () => {
  test('exec gives the command one, of the same size, and passes its exit code on', async () => {
    const ended = await onTerminal(['exec', name, '--', 'sh', '-c', 'stty size; test -t 0 && test -t 2 && exit 6']);
    expect(ended).toMatchObject({ code: 6, same: true });
    expect(ended.text).toContain('33 101');
    const without = await onTerminal(['exec', '-T', name, '--', 'sh', '-c', 'test -t 1 || echo none']);
    expect(without.text).toContain('none');
  });

  test('what the command shows comes as it is, to the last line feed', async () => {
    const shown = "stty -opost; printf 'a\\nb\\r\\nc'; stty opost; printf 'd\\ne'";
    const ended = await onTerminal(['exec', name, '--', 'sh', '-c', shown]);
    expect(ended).toMatchObject({ code: 0, same: true });
    expect(ended.text).toContain('a\nb\r\ncd\r\ne');
  });

  test('keys reach the command as they are, also Ctrl-C, and so does a new size', async () => {
    const interrupted = await onTerminal(
      ['exec', name, '--', 'sh', '-c', 'echo ready; sleep 114'],
      [['ready', '\u0003']],
    );
    expect(interrupted).toMatchObject({ code: 130, same: true, left: [] });
    const script = 'trap "stty size; exit 8" WINCH; echo ready; while :; do sleep 0.1; done';
    const resized = await onTerminal(['exec', name, '--', 'sh', '-c', script], [['ready', 'resize']]);
    expect(resized).toMatchObject({ code: 8, left: [] });
    expect(resized.text).toContain('20 90');
  });

  test('a shell is left by its keys, and come back to where it was', async () => {
    const left = await onTerminal(
      ['shell', name],
      [
        ['# ', 'kept=yes; echo in-$((40+2))\r'],
        ['in-42', '\u0010\u0011'],
      ],
    );
    expect(left).toMatchObject({ code: 0, same: true, left: [] });
    const command = /agentcontainers attach (\S+) (\S+)/.exec(left.text);
    expect(command?.[1]).toBe(name);
    const id = command?.[2] ?? '';
    const back = await onTerminal(['attach', name, id], [['in-42', 'echo $kept-again; exit 5\r']]);
    expect(back).toMatchObject({ code: 5, same: true, left: [] });
    expect(back.text).toContain('yes-again');
  });

  test('a terminal is come back to after the daemon was killed, while it is looked at', async () => {
    const looking = onTerminal(
      ['shell', name],
      [
        ['# ', 'echo begun-$((1+1))\r'],
        ['Back again', 'echo after-$((2+2))\r'],
        ['after-4', 'exit 3\r'],
      ],
    );
    const { id } = await eventually('the shell', async () =>
      (await processes()).find(({ kind, running }) => kind === 'terminal' && running),
    );
    await eventually('its first line', async () => {
      const page = await daemon.get<{ output: string }>(`${API}/devcontainers/${devcontainer}/processes/${id}/output`);
      return page.output.includes('begun-2');
    });
    await daemon.end('SIGKILL');
    daemon = await one.serve();
    expect(await looking).toMatchObject({ code: 3, same: true, left: [] });
  });
});

describe.skipIf(!isResidentBuilt)('processes', () => {
  test('are listed, looked at and ended with all that they have started', async () => {
    const shell = await json<WireProcess>('shell', name);
    expect(shell).toMatchObject({ kind: 'terminal', running: true });
    const table = await run('ps', name);
    expect(table.text).toMatch(
      new RegExp(`^ID +PID +KIND +STARTED +STATE +COMMAND\\n[^]*${shell.id} +\\d+ +terminal +\\S+ ago +running`),
    );

    const sleeping = start(['exec', name, '--', 'sh', '-c', 'setsid sleep 115 & exec sleep 116']);
    const { id } = await processWith('sleep 116');
    const killed = await run('kill', '--grace', '500ms', name, id);
    expect([killed.code, killed.errors]).toEqual([0, '']);
    expect(await sleeping.ended).toMatchObject({ code: 143, errors: expect.stringContaining('ended from elsewhere') });
    expect((await run('exec', name, '--', 'sh', '-c', 'ps | grep -c "[s]leep 11[56]"')).text.trim()).toBe('0');

    expect((await run('kill', '--signal', 'HUP', name, shell.id)).code).toBe(0);
    await eventually('the end of the shell', async () =>
      (await processes()).some((one) => one.id === shell.id) ? undefined : true,
    );
    expect((await run('ps', '-a', name)).text).toContain(shell.id);
    expect(await run('kill', name, 'none-1')).toMatchObject({ code: 3, errors: expect.stringContaining('ps -a') });
    expect((await run('attach', '--read-only', name, shell.id)).code).toBe(129);
  });
});

describe.skipIf(!isResidentBuilt)('cp', () => {
  const digest = async (path: string): Promise<string> =>
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex');

  test('copies a large file there and back, with its mode', async () => {
    await writeFile(join(base, 'data'), randomBytes(5_000_000), { mode: 0o755 });
    expect((await run('cp', 'data', `${name}:/tmp/`)).errors).toBe('');
    expect((await run('cp', `${name}:/tmp/data`, 'back')).code).toBe(0);
    expect(await digest(join(base, 'back'))).toBe(await digest(join(base, 'data')));
    expect((await stat(join(base, 'back'))).mode & 0o111).not.toBe(0);
    const streamed = await run('cp', `${name}:/tmp/data`, '-');
    expect(streamed.stdout.equals(await readFile(join(base, 'data')))).toBe(true);
  });

  test('copies folders, leaves links out, and puts nothing outside of the target', async () => {
    await mkdir(join(base, 'tree/sub'), { recursive: true });
    await writeFile(join(base, 'tree/a ä'), 'A');
    await writeFile(join(base, 'tree/sub/b'), 'B');
    await symlink('/etc/passwd', join(base, 'tree/link'));
    const there = await run('cp', 'tree', `${name}:/tmp/copied`);
    expect([there.code, there.errors]).toEqual([0, 'Skipped tree/link: it is a link.\n']);
    await run('exec', name, '--', 'sh', '-c', 'ln -s /etc /tmp/copied/evil; mkfifo /tmp/copied/pipe');
    const { code, errors } = await run('cp', `${name}:/tmp/copied`, '.');
    expect([code, errors.split('\n').length]).toEqual([0, 3]);
    expect((await readdir(join(base, 'copied'), { recursive: true })).toSorted()).toEqual(['a ä', 'sub', 'sub/b']);
    expect(await run('cp', `${name}:/no/such`, '.')).toMatchObject({ code: 3 });
  });
});

describe.skipIf(!isResidentBuilt)('ports', () => {
  test('a server that listens inside only is listed, forwarded and reached', async () => {
    const script =
      'mkdir -p /tmp/www && echo served > /tmp/www/index.html && exec httpd -f -p 127.0.0.1:18431 -h /tmp/www';
    const server = start(['exec', name, '--', 'sh', '-c', script]);
    const listed = await eventually('the server', async () => {
      const { text } = await run('ports', name);
      return text.includes('18431') ? text : undefined;
    });
    expect(listed).toMatch(/18431 +127\.0\.0\.1 +httpd \(\d+\) +\S+ +-/);
    const forwarded = await run('forward', name, '18431');
    expect(forwarded.code).toBe(0);
    const address = forwarded.text.trim();
    expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(await (await fetch(`http://${address}/index.html`)).text()).toBe('served\n');
    expect((await run('ports', name)).text).toContain(address);
    expect((await run('forward', name)).text).toContain(address);
    expect((await run('forward', '--end', name, address.replace(/.*:/, ''))).code).toBe(0);
    await expect(fetch(`http://${address}`)).rejects.toThrow('fetch failed');
    server.child.kill('SIGTERM');
    await server.ended;
  });
});

describe('where no resident runs', () => {
  const stateDir = (): string => join(base, 'other-state');
  let other: DaemonProcess;
  let otherName: string;
  const at = (): string[] => ['--state-dir', stateDir()];

  beforeAll(async () => {
    await mkdir(join(otherFolder(), '.devcontainer'), { recursive: true });
    await writeFile(join(otherFolder(), '.devcontainer/devcontainer.json'), '{ "image": "agentcontainers-base:1" }\n');
    other = await startDaemon({
      main: one.main,
      dockerHost: ENGINE,
      stateDir: stateDir(),
      args: ['--log-level', 'warn', '--listen', 'off', '--sub-agent-command', 'sleep 100000', otherFolder()],
    });
    const receipt = await other.create(otherFolder());
    otherName = (await other.until(receipt.devcontainer_id, 'a container with another sub-agent', isInjected)).name;
  });
  afterAll(() => other?.end('SIGKILL'));

  test('commands run all the same, and what needs one says what is possible', async () => {
    const ended = await run('exec', ...at(), otherName, '--', 'sh', '-c', 'echo out; echo err >&2; exit 5');
    expect([ended.text, ended.errors, ended.code]).toEqual(['out\n', 'err\n', 5]);
    const counted = start(['exec', ...at(), '-i', otherName, '--', 'wc', '-c'], 'pipe');
    counted.child.stdin?.end(Buffer.alloc(3_000_000));
    expect((await counted.ended).text.trim()).toBe('3000000');

    const sleeping = start(['exec', ...at(), otherName, '--', 'sleep', '117']);
    const { id } = await eventually('the command', async () => {
      const { text, errors } = await run('ps', ...at(), '--json', otherName);
      expect(errors).toBe('');
      return (JSON.parse(text) as { processes: WireProcess[] }).processes[0];
    });
    expect((await run('ps', ...at(), otherName)).errors).toContain('No resident runs');
    expect((await run('kill', ...at(), otherName, id)).code).toBe(0);
    expect((await sleeping.ended).code).toBe(143);

    const forced = await run('exec', ...at(), '-t', otherName, '--', 'true');
    expect(forced.code).not.toBe(0);
    expect(forced.errors).toMatch(/needs the resident[^]*agentcontainers exec -T/);
    expect((await run('forward', ...at(), otherName, '80')).errors).toContain('resident');
  });

  test.skipIf(!hasPython)('on a terminal a command runs without one, and says so', async () => {
    const ended = await onTerminal(['exec', ...at(), otherName, '--', 'sh', '-c', 'test -t 1 || exit 4']);
    expect(ended).toMatchObject({ code: 4, same: true, text: expect.stringContaining('running it without one') });
    const refused = await onTerminal(['shell', ...at(), otherName]);
    expect(refused.text).toMatch(/needs the resident[^]*agentcontainers exec -T/);
  });
});

test('completion in bash offers the names that the daemon knows, and is quick about it', async () => {
  const bin = join(base, 'bin');
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, 'agentcontainers'), `#!/bin/sh\nexec "${process.execPath}" "${one.main}" "$@"\n`, {
    mode: 0o755,
  });
  const program = `PATH=${bin}:$PATH; source <(agentcontainers completion bash)
    COMP_LINE="agentcontainers shell " COMP_POINT=22; _agentcontainers; printf '%s\\n' "\${COMPREPLY[@]}"
    COMP_LINE="agentcontainers ex" COMP_POINT=18; _agentcontainers; printf '%s\\n' "\${COMPREPLY[@]}"`;
  // A machine that is busy may be too late, and then answers with nothing.
  const text = await eventually('an answer', async () => {
    const ended = await start([program], 'ignore', ['bash', '--norc', '-c']).ended;
    expect(ended.errors).toBe('');
    return ended.text.includes(name) ? ended.text : undefined;
  });
  expect(text).toContain('exec\n');
});
