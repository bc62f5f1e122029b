import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LaunchRequest, SubAgentBinary, SubAgentProcess } from '../agentcontainers/ports.ts';
import { AgentContainersError } from '../errors.ts';
import { silentLogger } from '../logger.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import type { FakeClock } from '../testing/fake-clock.ts';
import { createFakeEngine } from '../testing/fake-engine.ts';
import type { FakeEngine } from '../testing/fake-engine.ts';
import type { ScriptedExec } from '../testing/fake-exec.ts';
import { createSubAgentLauncher } from './launcher.ts';
import type { LauncherLimits } from './limits.ts';

const TOKEN = 'token-canary-0123456789';
const CONTENT = `#!/bin/sh\n${'# filler\n'.repeat(20_000)}`;

let folder: string;
let binary: SubAgentBinary;
let path: string;
let clock: FakeClock;
let engine: FakeEngine;
let container: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'launcher-'));
  const file = join(folder, 'agent');
  await writeFile(file, CONTENT);
  const sha256 = createHash('sha256').update(CONTENT).digest('hex');
  binary = { name: 'agent', path: file, sha256 };
  path = `/.agentcontainers/agent-${sha256.slice(0, 12)}`;
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(() => {
  clock = createFakeClock();
  engine = createFakeEngine({ clock });
  container = engine.addContainer().id;
  engine.addFile(container, '/bin/sh', 'shell', 0o755);
});
afterEach(() => {
  expect(engine.leaks()).toEqual([]);
  expect(clock.pending()).toEqual([]);
});

function launcher(limits: Partial<LauncherLimits> = {}) {
  return createSubAgentLauncher({ engine, clock, logger: silentLogger, limits });
}
const { signal } = new AbortController();
const deliver = (on = launcher(), more: Partial<SubAgentBinary> = {}) =>
  on.deliver({ containerId: container, binary: { ...binary, ...more }, user: 'dev', signal });

/** The version call answers as if the file were there and could be run. */
function runs(at: string | RegExp, stdout = 'agent 1.2.3\nmore\n'): void {
  engine.onExec(
    ({ argv }) => (typeof at === 'string' ? argv[0] === at : at.test(argv[0] ?? '')) && argv[1] === '--version',
    { stdout },
  );
}
/** Programs in this place cannot be started. */
function cannotRun(at: RegExp, stderr = 'no such file or directory', exitCode = 127): void {
  engine.onExec(({ argv }) => at.test(argv[0] ?? ''), { stderr, exitCode });
}

describe('delivery', () => {
  it('uploads directory and file once, as root with 0755, and runs the version call as the target user', async () => {
    const users: (string | undefined)[] = [];
    engine.onExec([path], ({ spec, stdout }) => {
      users.push(spec.user);
      stdout('\u001b[1magent 1.2.3\u001b[0m\nmore');
      return 0;
    });
    expect(await deliver()).toEqual({ path, way: 'archive', version: 'agent 1.2.3' });
    expect(engine.calls).toMatchObject({ putArchive: 1, exec: 1 });
    expect(users).toEqual(['dev']);
    const files = engine.files(container);
    expect(files.get('/.agentcontainers')).toMatchObject({ mode: 0o755, uid: 0, gid: 0, isDirectory: true });
    expect(files.get(path)).toMatchObject({ mode: 0o755, uid: 0, gid: 0 });
    expect(Buffer.from(files.get(path)?.content ?? []).toString()).toBe(CONTENT);
  });

  it('runs as the user that the binary asks for, whatever the remote user is', async () => {
    engine.onExec([path], ({ spec }) => (spec.user === 'root' ? 0 : 1));
    expect((await deliver(launcher(), { user: 'root' })).way).toBe('archive');
  });

  it('starts no process and sends nothing when the file is there', async () => {
    engine.addFile(container, path, CONTENT, 0o755);
    expect(await deliver()).toEqual({ path, way: 'present', version: undefined });
    expect(engine.calls).toMatchObject({ putArchive: 0, exec: 0 });
  });

  it.each([
    ['has another size', CONTENT.slice(1), 0o755],
    ['is not executable', CONTENT, 0o644],
  ])('uploads again when the file that is there %s', async (_, content, mode) => {
    engine.addFile(container, path, content, mode);
    runs(path);
    expect((await deliver()).way).toBe('archive');
  });

  it('streams a file that is too large to be kept', async () => {
    runs(path);
    expect((await deliver(launcher({ cachedFileBytes: 1_000 }))).way).toBe('archive');
    expect(Buffer.from(engine.files(container).get(path)?.content ?? []).toString()).toBe(CONTENT);
  });

  it('writes through a shell when the upload is not seen inside, and empties what the engine holds there', async () => {
    let copied = '';
    let seen = false;
    engine.onExec([path], () => (seen ? 0 : 127));
    engine.onExec(['/bin/sh', '-c'], async ({ spec, stdin }) => {
      expect(spec.argv.slice(3)).toEqual(['sh', '/.agentcontainers', path.split('/')[2], String(CONTENT.length)]);
      expect(spec.user).toBe('0');
      for await (const text of stdin) copied += text;
      seen = true;
      return 0;
    });
    const one = launcher();
    expect(await deliver(one)).toMatchObject({ path, way: 'exec-stdin' });
    expect(copied).toBe(CONTENT);
    expect(engine.files(container).get(path)).toMatchObject({ mode: 0o644, content: { length: 0 } });

    // Remembered, and by another daemon told from the emptied file: it runs there, so nothing is sent.
    const { putArchive, exec } = engine.calls;
    expect((await deliver(one)).way).toBe('present');
    expect((await deliver()).way).toBe('present');
    expect(engine.calls).toMatchObject({ putArchive, exec: exec + 2 });
    // The way that worked comes first when the file is gone.
    seen = false;
    expect((await deliver(one)).way).toBe('exec-stdin');
    expect(engine.calls.putArchive).toBe(putArchive);
  });

  describe('when an upload loses its answer', () => {
    const lost = (errno: string): AgentContainersError =>
      new AgentContainersError('engine-unreachable', 'Copying failed: the engine closed the connection.', {
        details: { errno },
      });

    it.each(['EPIPE', 'ECONNRESET', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE'])('repeats it (%s)', async (errno) => {
      engine.failNext('putArchive', lost(errno), 2);
      runs(path);
      expect(await deliver()).toMatchObject({ way: 'archive', path });
      expect(engine.calls).toMatchObject({ putArchive: 3 });
    });

    it('repeats one that is read anew from the file each time', async () => {
      engine.failNext('putArchive', lost('EPIPE'), 1);
      runs(path);
      expect(await deliver(launcher({ cachedFileBytes: 10 }))).toMatchObject({ way: 'archive', path });
      expect(Buffer.from(engine.files(container).get(path)?.content ?? []).toString()).toBe(CONTENT);
    });

    it('gives up after the third', async () => {
      engine.failNext('putArchive', lost('EPIPE'), 3);
      await expect(deliver()).rejects.toMatchObject({
        code: 'sub-agent-delivery-failed',
        message: expect.stringContaining('the engine closed the connection'),
      });
      expect(engine.calls.putArchive).toBe(3);
    });

    it('does not repeat it when the engine is gone, or the container', async () => {
      engine.failNext('putArchive', lost('ECONNREFUSED'), 1);
      await expect(deliver()).rejects.toMatchObject({ code: 'sub-agent-delivery-failed' });
      expect(engine.calls.putArchive).toBe(1);

      engine.failNext('putArchive', lost('EPIPE'), 1);
      const gate = engine.hang('putArchive');
      const delivering = deliver();
      await settled(() => engine.calls.putArchive === 2);
      engine.stop(container);
      gate.open();
      await expect(delivering).rejects.toMatchObject({ code: 'sub-agent-delivery-failed' });
      expect(engine.calls.putArchive).toBe(2);
    });
  });

  it('looks for another mount at last, and keeps the reason of each step', async () => {
    const mountinfo = '1 0 0:1 / / ro - overlay overlay rw\n2 1 0:2 / /data rw - ext4 /dev/x rw\n';
    const refused = new AgentContainersError('engine-request-failed', 'Copying failed: rootfs is marked read-only.');
    engine.addFile(container, '/data/keep', '');
    engine.failNext('putArchive', refused);
    engine.onExec(['/bin/sh', '-c'], { stderr: "mkdir: can't create directory: Read-only file system\n", exitCode: 1 });
    engine.onExec(['cat', '/proc/self/mountinfo'], { stdout: mountinfo });
    runs(/^\/data\//);
    const one = launcher();
    expect(await deliver(one)).toMatchObject({ way: 'mount', path: `/data${path}` });

    engine.failNext('putArchive', refused, 2);
    cannotRun(/^\/data\//, 'permission denied', 126);
    const error = await deliver().catch((caught: unknown) => caught as AgentContainersError);
    expect(error).toMatchObject({
      code: 'sub-agent-delivery-failed',
      details: {
        tried: [
          '/.agentcontainers: the upload was refused: rootfs is marked read-only',
          expect.stringMatching(/^\/\.agentcontainers: writing it through a shell failed: .*Read-only file system/),
          '/data/.agentcontainers: the upload was refused: rootfs is marked read-only',
          expect.stringMatching(/^\/data\/\.agentcontainers: writing it through a shell failed/),
        ],
      },
    });
    expect((error as Error).message).toMatch(
      /^Delivering the sub-agent to container \w{12} failed: \/data\/\.agentcontainers: writing .*\. Give the container a volume/,
    );
  });

  it('refuses a script at once when its interpreter is missing', async () => {
    const bare = engine.addContainer({ name: 'bare' }).id;
    cannotRun(/agent-/, `exec ${path}: no such file or directory`, 1);
    await expect(launcher().deliver({ containerId: bare, binary, signal })).rejects.toMatchObject({
      code: 'sub-agent-unsupported',
      message: expect.stringContaining('is a script and needs /bin/sh, which the container does not have.'),
    });
    expect(engine.calls.exec).toBe(1);
  });

  it('does not go on elsewhere when the file runs but does not do what it should, or is for another platform', async () => {
    engine.onExec([path], { stderr: 'panic: no config\n', exitCode: 3 });
    await expect(deliver()).rejects.toThrow(`${path} --version does not work there: panic: no config (exit code 3).`);
    expect(engine.calls).toMatchObject({ putArchive: 1, exec: 1 });
    // The file lies there now and looks whole; for the launcher that knows better it still has to prove itself.
    const one = launcher();
    engine.addFile(container, path, '');
    await expect(deliver(one)).rejects.toThrow('does not work there');
    await expect(deliver(one)).rejects.toThrow('does not work there');
    engine.onExec([path], { stderr: `exec ${path}: exec format error\n`, exitCode: 1 });
    await expect(deliver(one)).rejects.toMatchObject({ code: 'sub-agent-unsupported' });
  });

  it('gives up on a version call that never ends, on a stopped container and on an engine that is gone', async () => {
    let mark: string | undefined;
    engine.onExec([path], ({ spec, signal: ended }) => {
      mark = spec.env?.find((pair) => pair.startsWith('AGENTCONTAINERS_RUN_ID='));
      return new Promise((resolve) => ended.addEventListener('abort', () => resolve(0)));
    });
    const killed: unknown[] = [];
    engine.onExec(['/bin/sh', '-c'], ({ spec }) => {
      killed.push(spec.user, spec.argv.at(-1), spec.argv.at(-2));
      return 0;
    });
    const one = launcher();
    const hanging = deliver(one);
    hanging.catch(() => {});
    await settled(() => engine.openExecs.length === 1);
    await clock.run(10_000);
    await expect(hanging).rejects.toMatchObject({
      code: 'sub-agent-delivery-failed',
      message: expect.stringContaining(
        '--version did not end within 10 s and was killed. The sub-agent must answer it and end with exit code 0.',
      ),
      cause: { code: 'timeout' },
    });
    expect(mark).toMatch(/=[0-9a-f]{32}$/);
    expect(killed).toEqual(['dev', 'KILL', mark]);

    engine.stop(container);
    await expect(deliver(one)).rejects.toThrow(/it is not running\. Check that the container runs\.$/);
    engine.goDown();
    await expect(deliver(one)).rejects.toMatchObject({
      code: 'sub-agent-delivery-failed',
      cause: { code: 'engine-unreachable' },
    });
  });

  it('ends with the reason of its signal', async () => {
    const controller = new AbortController();
    const gate = engine.hang('putArchive');
    const delivering = launcher().deliver({ containerId: container, binary, signal: controller.signal });
    delivering.catch(() => {});
    await settled(() => engine.calls.putArchive === 1);
    controller.abort(new Error('superseded'));
    await expect(delivering).rejects.toThrow('superseded');
    gate.open();
  });

  it('refuses names and digests that a provider must not give', async () => {
    for (const name of ['', '../x', '.hidden', 'a b', 'x'.repeat(65), '-rf']) {
      await expect(deliver(launcher(), { name })).rejects.toMatchObject({ code: 'broken-contract' });
    }
    await expect(deliver(launcher(), { sha256: 'abc' })).rejects.toMatchObject({ code: 'broken-contract' });
    expect(engine.calls.statPath).toBe(0);
  });

  it('says so when the file is gone or another one', async () => {
    await expect(deliver(launcher(), { path: join(folder, 'gone') })).rejects.toThrow(/reading .*gone: ENOENT/);
    await expect(deliver(launcher(), { sha256: 'a'.repeat(64) })).rejects.toThrow('was changed since it was chosen');
  });
});

describe('launch', () => {
  const READY = { readyLine: 'ready ' };

  function launch(more: Partial<SubAgentBinary> = {}, request: Partial<LaunchRequest> = {}): Promise<SubAgentProcess> {
    return launcher().launch({
      containerId: container,
      binary: { ...binary, ...more },
      path,
      workingDir: '/workspaces/x',
      env: { AGENTCONTAINERS_TOKEN: TOKEN, LANG: 'C' },
      signal,
      ...request,
    });
  }
  /** Plays the sub-agent: says that it is ready, then does what the test says. */
  function plays(more: (exec: ScriptedExec) => number | Promise<number>, first = 'hello\nready 1.2.3 pid=7\n'): void {
    engine.onExec([path], (exec) => {
      exec.stdout(first);
      return more(exec);
    });
  }
  /** As a good sub-agent: ends when told to, or when its input ends. */
  async function untilStop({ stdin }: ScriptedExec): Promise<number> {
    for await (const text of stdin) if (text.includes('stop\n')) return 0;
    return 0;
  }
  const forever = ({ signal: ended }: ScriptedExec): Promise<number> =>
    new Promise((resolve) => ended.addEventListener('abort', () => resolve(0)));

  /** Plays the shell that sends signals; `on` says what a signal does. */
  function playsShell(on: (signal: string, user: string | undefined) => void): void {
    engine.onExec(['/bin/sh', '-c'], ({ spec }) => {
      const [mark, name] = spec.argv.slice(-2);
      const agent = engine.openExecs.find(({ spec: { argv } }) => argv[0] === path);
      expect(agent?.spec.env).toContain(mark);
      expect(spec.env ?? []).not.toContain(mark);
      on(name ?? '', spec.user);
      return 0;
    });
  }
  const endAgent = (exitCode: number): void =>
    engine.openExecs.find(({ spec: { argv } }) => argv[0] === path)?.end(exitCode);

  it('resolves at the ready line, with the version that it names', async () => {
    plays(untilStop);
    const launched = await launch(READY);
    expect(launched.version).toBe('1.2.3');
    const [exec] = engine.openExecs;
    expect(exec?.spec).toMatchObject({ argv: [path, 'agent'], workingDir: '/workspaces/x', stdin: true });
    expect(exec?.spec.argv.join(' ')).not.toContain(TOKEN);
    expect(exec?.spec.env).toContain(`AGENTCONTAINERS_TOKEN=${TOKEN}`);
    expect(clock.pending()).toEqual([]);

    await launched.stop(1_000);
    expect(await launched.exited).toEqual({
      reason: 'stopped',
      exitCode: 0,
      message: 'The sub-agent was told to end.',
      outputTail: 'hello\nready 1.2.3 pid=7',
    });
    await launched.stop(1_000);
  });

  it('has the environment and the arguments that it was given, and the id of its run', async () => {
    plays(untilStop);
    const launched = await launch({ ...READY, env: { LANG: 'de' }, args: ['serve', '--now'] });
    expect(engine.openExecs[0]?.spec.argv).toEqual([path, 'serve', '--now']);
    expect(engine.openExecs[0]?.spec.env?.toSorted()).toEqual([
      expect.stringMatching(/^AGENTCONTAINERS_RUN_ID=[0-9a-f]{32}$/),
      `AGENTCONTAINERS_TOKEN=${TOKEN}`,
      'LANG=C',
    ]);
    await launched.stop(0);
  });

  it('without a ready line, is ready when it has lived for a moment', async () => {
    plays(untilStop);
    const launching = launch();
    await settled(() => engine.openExecs.length === 1);
    await clock.run(250);
    const launched = await launching;
    await launched.stop(0);

    plays(() => 4, 'bad flag\n');
    await expect(launch()).rejects.toMatchObject({
      code: 'sub-agent-start-failed',
      message: expect.stringContaining('The sub-agent ended with code 4; its last words: bad flag.'),
    });
  });

  it('reports an end before the ready line with code, tail and last words, without the token', async () => {
    plays(({ stderr }) => {
      stderr(`\u001b[31mcannot use ${TOKEN}\u001b[0m\n`);
      return 2;
    }, '');
    await expect(launch(READY)).rejects.toMatchObject({
      code: 'sub-agent-start-failed',
      message: expect.stringMatching(
        /failed: The sub-agent ended with code 2; its last words: cannot use \[redacted\]\. /,
      ),
      details: {
        reason: 'exit',
        command: { command: `${path} agent`, exitCode: 2, timedOut: false, outputTail: 'cannot use [redacted]' },
      },
    });
  });

  it('gives up on a process that does not become ready, and ends it', async () => {
    plays(forever, 'starting…\n');
    playsShell((name) => {
      if (name === 'KILL') endAgent(137);
    });
    const launching = launch(READY);
    launching.catch(() => {});
    await settled(() => engine.openExecs.length === 1);
    await clock.run(11_000);
    await expect(launching).rejects.toThrow('It did not become ready within 10 s');
    expect(engine.openExecs).toEqual([]);
  });

  it('makes a file prove itself again after it could not be started', async () => {
    engine.addFile(container, path, CONTENT, 0o755);
    const one = launcher();
    expect((await deliver(one)).way).toBe('present');
    cannotRun(/agent-/);
    await expect(
      one.launch({ containerId: container, binary, path, workingDir: '/', env: {}, signal }),
    ).rejects.toMatchObject({ code: 'sub-agent-start-failed' });

    let seen = false;
    engine.onExec([path], () => (seen ? 0 : 127));
    engine.onExec(['/bin/sh', '-c'], async ({ stdin }) => {
      for await (const text of stdin) seen = text !== '';
      return 0;
    });
    expect((await deliver(one)).way).toBe('exec-stdin');
  });

  it('hands on what the process writes, without heartbeats, escape sequences and the token', async () => {
    plays(async (exec) => {
      exec.stdout(`beat 1\n\u001b[31mworking\u001b[0m with ${TOKEN}\n`);
      exec.stderr('a warning\n');
      for await (const text of exec.stdin) if (text.includes('stop')) break;
      return 0;
    });
    const lines: string[] = [];
    const heartbeat = { line: 'beat ', timeoutMs: 60_000 };
    const launched = await launch({ ...READY, heartbeat }, { onOutput: (line) => lines.push(line) });
    await clock.settle();
    await launched.stop(1_000);
    expect(lines.toSorted()).toEqual(['a warning', 'hello', 'ready 1.2.3 pid=7', 'working with [redacted]']);
  });

  it('tells what the process is busy with, in one plain line without the token, until its end', async () => {
    let exec: ScriptedExec | undefined;
    plays((playing) => {
      exec = playing;
      return untilStop(playing);
    });
    const told: (string | undefined)[] = [];
    const lines: string[] = [];
    const launched = await launch(
      { ...READY, busyLines: { busy: 'busy ', idle: 'idle' } },
      { onBusy: (reason) => told.push(reason), onOutput: (line) => lines.push(line) },
    );
    const says = async (text: string): Promise<void> => {
      exec?.stdout(text);
      await clock.run(1_000);
    };
    await says(`busy \u001b[31mbuild\u001b[0m of ${TOKEN}\n`);
    await says('busyness\n');
    await says('idle again\n');
    exec?.stderr('busy elsewhere\n');
    await says(`busy ${'x'.repeat(500)}\n`);
    expect(told).toEqual(['build of [redacted]', undefined, 'x'.repeat(200)]);
    expect(lines).toContain('busy build of [redacted]');
    await launched.stop(1_000);
    await launched.exited;
    expect(told.slice(3)).toEqual([undefined]);
  });

  it('answers heartbeats and ends a process whose heartbeats stay away, with one timer', async () => {
    const answers: string[] = [];
    let exec: ScriptedExec | undefined;
    plays(async (playing) => {
      exec = playing;
      for await (const text of playing.stdin) {
        answers.push(text);
        if (text.includes('stop')) break;
      }
      return 0;
    });
    const heartbeat = { line: 'beat ', timeoutMs: 5_000, answer: 'alive' };
    const launched = await launch({ ...READY, heartbeat });
    for (let beat = 1; beat <= 10; beat++) {
      exec?.stdout(`beat ${beat}\n`);
      await clock.run(1_000);
      expect(clock.pending().map(({ tag }) => tag)).toEqual(['sub-agent: heartbeat']);
    }
    expect(answers).toEqual(Array.from({ length: 10 }, () => 'alive\n'));
    await clock.run(4_500);
    expect(await launched.exited).toMatchObject({
      reason: 'heartbeat-lost',
      message: 'The sub-agent gave no sign of life for 5 s.',
      outputTail: 'hello\nready 1.2.3 pid=7',
    });
    expect(answers.at(-1)).toBe('stop\n');
  });

  it('asks, sends TERM after half of the grace, and kills a process that has not ended after it', async () => {
    plays(forever);
    const signals: string[] = [];
    playsShell((name, user) => {
      signals.push(`${name} as ${user} at ${clock.now() - began}`);
      if (name === 'KILL') endAgent(137);
    });
    const launched = await launch(READY, { user: 'dev' });
    const began = clock.now();
    const stopping = launched.stop(3_000);
    await clock.run(2_999);
    expect(signals).toEqual(['TERM as dev at 1500']);
    expect(engine.openExecs).toHaveLength(1);
    await clock.run(1);
    await stopping;
    expect(signals.slice(1)).toEqual(['KILL as dev at 3000']);
    expect(await launched.exited).toMatchObject({
      reason: 'stopped',
      exitCode: 137,
      message: 'The sub-agent was told to end. It did not end by itself and was killed.',
    });
    expect(engine.openExecs).toEqual([]);
  });

  it('lets a process that knows TERM end by that', async () => {
    plays(forever);
    playsShell((name) => {
      if (name === 'TERM') endAgent(143);
      else expect.unreachable();
    });
    const launched = await launch(READY);
    const stopping = launched.stop(3_000);
    await clock.run(1_500);
    await stopping;
    expect(await launched.exited).toMatchObject({ exitCode: 143, message: 'The sub-agent was told to end.' });
  });

  it.each([
    ['there is no shell', { exitCode: 127 }, 'the container has no /bin/sh that could do it'],
    ['the shell fails', { exitCode: 1, stderr: 'its processes do not go away' }, 'its processes do not go away'],
    ['nothing was found to be killed', {}, 'its user may not look at it, or it cannot be killed'],
  ])('says that it may still run when %s', async (_, shell, reason) => {
    plays(forever);
    engine.onExec(['/bin/sh', '-c'], shell);
    const launched = await launch(READY);
    const stopping = launched.stop(1_000);
    await clock.run(2_000);
    await stopping;
    expect(await launched.exited).toMatchObject({
      reason: 'stopped',
      exitCode: null,
      message: expect.stringContaining(
        `The sub-agent was told to end. It may still run in the container: killing it failed: ${reason}`,
      ),
    });
    expect(engine.openExecs).toEqual([]);
  });

  it('kills what it lost the stream of, which would else run on beside the next one', async () => {
    plays(forever);
    const signals: string[] = [];
    engine.onExec(['/bin/sh', '-c'], ({ spec }) => {
      signals.push(spec.argv.at(-1) ?? '');
      return 0;
    });
    const launched = await launch(READY);
    engine.openExecs[0]?.end(null);
    await clock.run(1_000);
    expect(await launched.exited).toMatchObject({
      reason: 'connection-lost',
      message: 'The connection to the sub-agent was lost; its container still runs.',
    });
    expect(signals).toEqual(['KILL']);
  });

  it('ends it when the signal aborts, during the start too', async () => {
    plays(untilStop);
    const controller = new AbortController();
    const launched = await launch(READY, { signal: controller.signal });
    controller.abort(new Error('deleted'));
    expect(await launched.exited).toMatchObject({ reason: 'stopped', exitCode: 0 });

    plays(untilStop, 'not yet\n');
    const during = new AbortController();
    const launching = launch(READY, { signal: during.signal });
    launching.catch(() => {});
    await settled(() => engine.openExecs.length === 1);
    during.abort(new Error('deleted'));
    await expect(launching).rejects.toThrow('deleted');
    await expect(launch(READY, { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before');
  });

  it.each([
    ['an exit', 7, undefined, { reason: 'exit', exitCode: 7, message: 'The sub-agent ended with code 7.' }],
    ['a signal', 143, undefined, { reason: 'signal', exitCode: 143, message: 'The sub-agent was ended by SIGTERM.' }],
    ['a kill', 137, undefined, { reason: 'signal', exitCode: 137, message: 'The sub-agent was ended by SIGKILL.' }],
    ['a large code', 200, undefined, { reason: 'exit', exitCode: 200 }],
    ['a lost stream', null, undefined, { reason: 'connection-lost', exitCode: null }],
    ['a stopped container', null, 'stop', { reason: 'container-gone' }],
    ['a removed container', null, 'remove', { reason: 'container-gone' }],
    ['a container out of memory', null, 'oom', { reason: 'oom' }],
    ['an engine that is gone', null, 'down', { reason: 'connection-lost' }],
  ] as const)('names the reason of %s', async (_, exitCode, first, expected) => {
    plays(forever);
    engine.onExec(['/bin/sh', '-c'], {});
    const launched = await launch(READY);
    if (first === 'down') engine.goDown();
    if (first === 'stop') engine.stop(container);
    else if (first === 'remove') engine.remove(container);
    else if (first === 'oom') engine.crash(container, { oomKilled: true });
    else engine.openExecs[0]?.end(exitCode);
    await clock.run(1_000);
    expect(await launched.exited).toMatchObject(expected);
  });

  it('bounds hostile output and keeps finding its lines in it', async () => {
    plays(async (exec) => {
      for (let piece = 0; piece < 200; piece++) exec.stdout('x'.repeat(65_536));
      exec.stdout(new Uint8Array(65_536).fill(0xff));
      exec.stdout('\nready 9.9.9-rc.1+x\n');
      return untilStop(exec);
    }, '');
    const launched = await launch(READY);
    expect(launched.version).toBe('9.9.9-rc.1+x');
    await launched.stop(1_000);
    const { outputTail } = await launched.exited;
    expect(outputTail.length).toBeLessThanOrEqual(8_192);
    expect(outputTail).toMatch(/x\nready 9\.9\.9/);
  });

  it('reads characters and lines that were cut in two', async () => {
    plays((exec) => {
      const bytes = Buffer.from('ready 2.0 größe\r\nhé\n');
      for (const byte of bytes) exec.stdout(Uint8Array.of(byte));
      return untilStop(exec);
    }, '');
    const launched = await launch(READY);
    expect(launched.version).toBe('2.0');
    await launched.stop(1_000);
    expect((await launched.exited).outputTail).toBe('ready 2.0 größe\nhé');
  });

  it('says why it could not be started at all', async () => {
    engine.stop(container);
    await expect(launch(READY)).rejects.toMatchObject({
      code: 'sub-agent-start-failed',
      cause: { code: 'engine-conflict' },
      message: expect.stringMatching(/^Starting the sub-agent in container \w{12} failed: it is not running\. Check/),
    });
  });
});

/** Lets the program run until it holds; bounded. */
async function settled(check: () => boolean): Promise<void> {
  // Files are read for it, on a machine that may be busy.
  await vi.waitFor(() => expect(check()).toBe(true), { timeout: 30_000, interval: 1 });
}
