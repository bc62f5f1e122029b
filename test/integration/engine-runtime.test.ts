import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runBash, type BashRequest } from '../../src/agentcontainers/bash/run-bash.ts';
import type { ContainerRuntime } from '../../src/agentcontainers/ports.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { createDockerEngine } from '../../src/engine/docker-engine.ts';
import { silentLogger } from '../../src/logger.ts';
import { createEngineRuntime } from '../../src/agentcontainers/engine-runtime/engine-runtime.ts';
import { detached } from './support/detached.ts';
import { processesIn } from './support/container-processes.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import { collect, sh } from './resident-support.ts';

const world = testEngine();
const engine = createDockerEngine({ dockerHost: world.dockerHost, clock: systemClock, logger: silentLogger });
let id: string;
let runtime: ContainerRuntime;

beforeAll(async () => {
  id = await world.docker('run', '-d', '--label', world.label, '--stop-timeout', '0', BASE_IMAGE, 'sleep', '900');
  const env = { GREETING: 'hello', EMPTY: 'x' };
  runtime = createEngineRuntime({
    engine,
    clock: systemClock,
    containerId: id,
    user: undefined,
    workingDir: '/tmp',
    env,
    remoteEnv: env,
  });
});
afterAll(async () => {
  await world.cleanup();
  await engine.close();
});
const marked = async (marker: string): Promise<number> =>
  (await processesIn(world, id)).filter(({ args }) => args.includes(marker)).length;
async function eventually(check: () => Promise<boolean>, ms = 20_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`It did not become true within ${ms} ms.`);
    await delay(50);
  }
}

describe('commands through the engine', () => {
  it('have both outputs, an exit code, an environment and a folder', async () => {
    expect(runtime.via).toBe('engine');
    expect(await sh(runtime, 'echo $GREETING; pwd; echo err >&2; exit 7')).toEqual({
      text: 'hello\n/tmp\n',
      errors: 'err\n',
      code: 7,
    });
    const merged = await runtime.exec({
      command: 'echo 1; echo 2 >&2; echo "${EMPTY-unset}"; pwd',
      merged: true,
      env: { EMPTY: null },
      cwd: '../etc',
    });
    expect((await collect(merged.output)).stdout.toString()).toBe('1\n2\nunset\n/etc\n');
    expect(await merged.exited).toMatchObject({ code: 0, via: 'engine' });
    const missing = await runtime.exec({ argv: ['/not/there'] });
    expect((await collect(missing.output)).stderr.toString()).toContain('/not/there');
    expect(await missing.exited).toMatchObject({ code: expect.toBeOneOf([126, 127]) });
  });

  it('take standard input, and end with their tree', async () => {
    const counted = await runtime.exec({ argv: ['wc', '-c'], stdin: true });
    await counted.write(Buffer.alloc(3_000_000));
    counted.closeStdin();
    expect((await collect(counted.output)).stdout.toString().trim()).toBe('3000000');

    const line = (marker: string): string => `${detached(`sleep ${marker}`)} & sleep ${marker}`;
    const timed = await runtime.exec({ command: line('8081'), timeoutMs: 500, graceMs: 100 });
    expect(await timed.exited).toMatchObject({ reason: 'timeout' });
    const controller = new AbortController();
    const aborted = await runtime.exec({ command: line('8082'), graceMs: 100 }, controller.signal);
    await eventually(async () => (await marked('8082')) > 0);
    controller.abort();
    expect(await aborted.exited).toMatchObject({ reason: 'killed' });
    await eventually(async () => (await marked('8081')) + (await marked('8082')) === 0);
  });

  it('run in the background as long as this daemon lives', async () => {
    const process = await runtime.spawn({
      command: 'echo begin; read l; echo "got $l"; sleep 9090',
      stdin: true,
      key: 'k',
    });
    const again = { command: 'echo begin; read l; echo "got $l"; sleep 9090', stdin: true, key: 'k' };
    expect(await runtime.spawn(again)).toMatchObject({ id: process.id });
    await expect(runtime.spawn({ command: 'x', key: 'k' })).rejects.toMatchObject({ code: 'command-refused' });
    const begin = await collect(runtime.output(process.id, { waitMs: 10_000, limit: 6 }));
    expect(begin.stdout.toString()).toBe('begin\n');
    const view = await runtime.attach(process.id, { offset: 6 });
    await view.write('ice\n');
    for await (const { bytes, offset } of view.output) {
      expect([offset, Buffer.from(bytes).toString()]).toEqual([6, 'got ice\n']);
      break;
    }
    expect((await runtime.processes()).find((each) => each.id === process.id)).toMatchObject({ running: true });
    expect(await runtime.kill(process.id, { graceMs: 100 })).toMatchObject({
      running: false,
      exit: { reason: 'killed' },
    });
    await runtime.forget(process.id);
    await expect(runtime.process(process.id)).rejects.toMatchObject({ code: 'process-not-found' });
  });
});

describe('a command of an agent through the engine', () => {
  const bash = (request: BashRequest) => runBash(runtime, systemClock, request);
  const sleepers = async (marker: string): Promise<number> =>
    (await processesIn(world, id)).filter(({ args }) => args === `sleep ${marker}`).length;
  const tree = (marker: string): string => `${detached(`sleep ${marker}`)} & sleep ${marker}`;

  it('ends by its time-out with its tree, with what it has written', async () => {
    const answer = bash({ command: `echo begun; ${tree('8095')}`, timeoutMs: 15_000 });
    await eventually(async () => (await sleepers('8095')) === 2, 15_000);
    expect(await answer).toEqual({
      output: 'begun\nCommand canceled due to timeout',
      exitCode: 124,
      via: 'engine',
    });
    await eventually(async () => (await marked('8095')) === 0);
  });

  it('runs on in the background, once for each key, and is read, written to and ended', async () => {
    const command = `echo run >>/tmp/runs-8096; echo ready; read -r word; echo "got $word"; ${tree('8096')}`;
    const request = { command, timeoutMs: 1_000, background: true, idempotencyKey: 'k8096' };
    const { processId = '', ...first } = await bash(request);
    expect(first).toMatchObject({ exitCode: null, via: 'engine' });
    expect(first.output).toContain('Command continues running in background');
    expect(await bash(request)).toMatchObject({ processId, exitCode: null });
    await runtime.writeStdin(processId, 'ice\n');
    await eventually(async () =>
      (await collect(runtime.output(processId))).stdout.toString().endsWith('ready\ngot ice\n'),
    );
    await eventually(async () => (await sleepers('8096')) === 2);
    const ended = runtime.process(processId, { waitMs: 60_000 });
    await runtime.kill(processId, { graceMs: 100 });
    expect(await ended).toMatchObject({ running: false, exit: { reason: 'killed', via: 'engine' } });
    await eventually(async () => (await marked('8096')) === 0);
    expect((await sh(runtime, 'cat /tmp/runs-8096')).text).toBe('run\n');
  });

  it('is answered for the same run by its key after the caller has left', async () => {
    const request = { command: 'echo run >>/tmp/runs-8097; sleep 3.8097; cat /tmp/runs-8097', idempotencyKey: 'k8097' };
    const leaving = new AbortController();
    const left = runBash(runtime, systemClock, request, leaving.signal).catch(() => 'left');
    await eventually(async () => (await marked('sleep 3.8097')) > 0);
    leaving.abort();
    expect(await left).toBe('left');
    expect(await bash(request)).toEqual({ output: 'run', exitCode: 0, via: 'engine' });
  });

  it('reads the end of its input at once in the foreground', async () => {
    expect(await bash({ command: 'cat; echo over' })).toMatchObject({ output: 'over', exitCode: 0 });
  });
});

describe('what is left of a command through the engine', () => {
  it('ends when it is killed, also after its main process', async () => {
    const process = await runtime.spawn({ command: 'sleep 8091 & echo begun' });
    await eventually(async () => !(await runtime.process(process.id)).running);
    expect(await runtime.process(process.id)).toMatchObject({ exit: { code: 0, backgroundHeld: true } });
    expect(await marked('8091')).toBe(1);
    await runtime.kill(process.id, { graceMs: 100 });
    await eventually(async () => (await marked('8091')) === 0);
  });

  it.each(['a time-out', 'an abort', 'a kill'])('runs on without a shell, and that is said: %s', async (how) => {
    const bare = await world.docker('run', '-d', '--label', world.label, BASE_IMAGE, 'sleep', '900');
    await world.docker('exec', bare, 'rm', '/bin/sh');
    const there = createEngineRuntime({
      engine,
      clock: systemClock,
      containerId: bare,
      user: undefined,
      workingDir: '/',
      env: {},
      remoteEnv: {},
    });
    const leaving = new AbortController();
    const spec = { argv: ['sleep', '8092'], graceMs: 100, ...(how === 'a time-out' && { timeoutMs: 500 }) };
    const command = await there.exec(spec, leaving.signal);
    const text = collect(command.output);
    if (how === 'a kill') {
      await expect(command.kill(100)).rejects.toMatchObject({ code: 'runtime-unavailable' });
      expect(command.process).toMatchObject({ running: true });
    }
    if (how !== 'a time-out') leaving.abort();
    expect(await command.exited).toMatchObject({ code: null, reason: how === 'a time-out' ? 'timeout' : 'killed' });
    expect((await text).stderr.toString()).toMatch(/no \/bin\/sh.*It may run on\./);
    const left = await processesIn(world, bare);
    expect(left.filter(({ args }) => args.includes('8092'))).toHaveLength(1);
    await world.docker('rm', '-f', bare);
  });
});

describe('the rest through the engine', () => {
  it('is files', async () => {
    const { files } = runtime;
    const bytes = Buffer.alloc(1_000_000, 'content ');
    expect(await files.write('dir/a file', bytes, { parents: true, mode: '0600' })).toMatchObject({
      path: '/tmp/dir/a file',
      type: 'file',
      size: bytes.length,
      mode: '0600',
    });
    const read: Uint8Array[] = [];
    for await (const piece of (await files.read('dir/a file', { offset: 3, length: 500_000 })).bytes) read.push(piece);
    expect(Buffer.concat(read).equals(bytes.subarray(3, 500_003))).toBe(true);
    expect(await files.mkdir('dir/sub')).toMatchObject({ type: 'directory' });
    expect(await files.move('dir/a file', 'dir/sub/b\nc')).toMatchObject({ path: '/tmp/dir/sub/b\nc' });
    await sh(runtime, 'ln -s /etc/passwd dir/sub/link');
    expect(await files.list('dir/sub')).toMatchObject({
      truncated: false,
      entries: [
        { path: '/tmp/dir/sub/b\nc', size: bytes.length },
        { path: '/tmp/dir/sub/link', type: 'link', target: '/etc/passwd' },
      ],
    });
    await expect(files.write('dir/sub/link', bytes, { createOnly: true })).rejects.toMatchObject({
      code: 'command-refused',
    });
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('half');
      throw new Error('the source broke');
    }
    await expect(files.write('dir/sub/b\nc', failing())).rejects.toThrow('the source broke');
    expect(await files.stat('dir/sub/b\nc')).toMatchObject({ size: bytes.length, mode: '0600' });
    expect((await files.list('dir/sub')).entries).toHaveLength(2);
    expect((await files.read('dir/sub/link')).size).toBe((await files.stat('/etc/passwd'))?.size);
    await expect(files.read('dir/sub')).rejects.toMatchObject({ code: 'command-refused' });
    await expect(files.read('dir/none')).rejects.toMatchObject({ code: 'path-not-found' });
    expect(await files.stat('dir/none')).toBeUndefined();
    await expect(files.remove('dir')).rejects.toMatchObject({ code: 'command-refused' });
    await files.remove('dir', { recursive: true });
    await expect(files.list('dir')).rejects.toMatchObject({ code: 'path-not-found' });
  });

  it('is ports and statistics', async () => {
    const server = await runtime.exec({ argv: ['httpd', '-f', '-p', '127.0.0.1:4713'] });
    await eventually(async () =>
      (await runtime.ports()).some(({ port, address }) => port === 4713 && address === '127.0.0.1'),
    );
    await server.kill(100);
    expect(await runtime.stats()).toMatchObject({ residentBytes: null, memory: { current: expect.any(Number) } });
  });

  it.each<[string, () => Promise<unknown>]>([
    ['a terminal', () => runtime.exec({ argv: ['sh'], tty: { width: 80, height: 24 } })],
    ['a connection', () => runtime.connect('127.0.0.1', 80)],
    ['watching ports', () => runtime.watchPorts(() => {}, new AbortController().signal)],
    [
      'a search',
      async () => {
        for await (const line of runtime.files.search('.', { text: 'x' })) expect.unreachable(JSON.stringify(line));
      },
    ],
    ['output in a file', () => runtime.spawn({ argv: ['true'], overflow: 'spill' })],
  ])('is not %s, and says so', async (_, ask) => {
    await expect(ask()).rejects.toMatchObject({
      code: 'runtime-unavailable',
      message: expect.stringContaining('It needs the resident'),
    });
  });
});
