import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContainerRuntime, OutputChunk } from '../ports.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import type { FakeClock } from '../../testing/fake-clock.ts';
import { createFakeEngine } from '../../testing/fake-engine.ts';
import type { FakeEngine } from '../../testing/fake-engine.ts';
import type { ScriptedExec } from '../../testing/fake-exec.ts';
import { createEngineRuntime } from './engine-runtime.ts';

let clock: FakeClock;
let engine: FakeEngine;
let runtime: ContainerRuntime;
let container: string;

beforeEach(() => {
  clock = createFakeClock();
  engine = createFakeEngine({ clock });
  container = engine.addContainer().id;
  const world = {
    engine,
    clock,
    containerId: container,
    user: 'dev',
    workingDir: '/w',
    env: { A: 'a', B: 'b' },
    remoteEnv: {},
  };
  runtime = createEngineRuntime(world);
  engine.onExec(['cat'], async ({ stdin, stdout }) => {
    for await (const text of stdin) stdout(text);
    return 0;
  });
  engine.onExec(
    ['sleep'],
    ({ signal }: ScriptedExec) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(0))),
  );
});
afterEach(async () => {
  expect(clock.pending()).toEqual([]);
  for (const exec of engine.openExecs) exec.end(0);
});

async function text(output: AsyncIterable<OutputChunk>): Promise<string> {
  let all = '';
  for await (const { bytes, stream } of output)
    all += `${stream === 'stderr' ? '!' : ''}${Buffer.from(bytes).toString()}`;
  return all;
}
/** Plays the shell that signals; `on` says what it does. */
function playsShell(on: (name: string) => void): void {
  engine.onExec(
    ({ argv }) => argv[0] === '/bin/sh' && /^(TERM|KILL)$/.test(argv.at(-1) ?? ''),
    ({ spec }) => {
      const [mark, name] = spec.argv.slice(-2);
      expect(engine.openExecs.some(({ spec: { env } }) => env?.includes(mark ?? ''))).toBe(true);
      on(name ?? '');
      return 0;
    },
  );
}
const endSleep = (code: number): void => engine.openExecs.find(({ spec: { argv } }) => argv[0] === 'sleep')?.end(code);

describe('a command through the engine', () => {
  it('runs as it is where that can be, with its environment, folder and user', async () => {
    engine.onExec(['make'], ({ spec, stdout, stderr }) => {
      expect(spec).toMatchObject({ argv: ['make', 'x'], workingDir: '/w/sub', user: 'dev' });
      expect(spec.env?.filter((pair) => !pair.startsWith('AGENTCONTAINERS'))).toEqual(['A=a', 'B=c']);
      stdout('out');
      stderr('err');
      return 3;
    });
    const command = await runtime.exec({ argv: ['make', 'x'], cwd: 'sub', env: { B: 'c' } });
    expect((await text(command.output)).length).toBe('out!err'.length);
    expect(await command.exited).toEqual({
      code: 3,
      signal: null,
      reason: 'exit',
      survivors: [],
      backgroundHeld: false,
      via: 'engine',
    });
    expect(command.process).toMatchObject({ id: 'engine-1', cwd: '/w/sub', kind: 'exec', running: false });
    expect(command.via).toBe('engine');
  });

  it.each([
    [{ command: 'a && b' }, ['/bin/sh', '-c', expect.stringContaining('SHELL'), 'sh', 'a && b']],
    [{ argv: ['a'], merged: true }, ['/bin/sh', '-c', expect.stringContaining('2>&1'), 'sh', '', 'merged', 'a']],
    [{ argv: ['a'], env: { B: null } }, ['/bin/sh', '-c', expect.stringContaining('unset'), 'sh', 'B', '', 'a']],
  ])('%j goes through a shell', async (spec, argv) => {
    engine.onExec(['/bin/sh', '-c'], ({ spec: asked }) => {
      expect(asked.argv).toEqual(argv);
      return 0;
    });
    expect(await (await runtime.exec(spec)).exited).toMatchObject({ code: 0 });
  });

  it.each([
    [{}, 'invalid-request'],
    [{ argv: [''] }, 'invalid-request'],
    [{ argv: ['a'], command: 'b' }, 'invalid-request'],
    [{ argv: ['a'], env: { 'x y': null } }, 'invalid-request'],
    [{ argv: ['a'], tty: { width: 1, height: 1 } }, 'runtime-unavailable'],
    [{ argv: ['a'], overflow: 'spill' as const }, 'runtime-unavailable'],
  ])('%j is refused with %s', async (spec, code) => {
    await expect(runtime.exec(spec)).rejects.toMatchObject({ code });
  });

  it('takes its input', async () => {
    const command = await runtime.exec({ argv: ['cat'], stdin: true });
    await command.write('hello');
    command.closeStdin();
    expect(await text(command.output)).toBe('hello');
  });

  it('is asked to end, and killed after its grace, when the signal aborts', async () => {
    const signals: string[] = [];
    playsShell((name) => {
      signals.push(`${name} at ${clock.now() - began}`);
      if (name === 'KILL') endSleep(137);
    });
    const controller = new AbortController();
    const command = await runtime.exec({ argv: ['sleep'], graceMs: 700 }, controller.signal);
    const began = clock.now();
    controller.abort();
    await clock.run(1_000);
    expect(await command.exited).toMatchObject({ code: 137, reason: 'killed' });
    expect(signals).toEqual(['TERM at 0', 'KILL at 700']);
  });

  it('ends by its time-out', async () => {
    playsShell((name) => {
      if (name === 'TERM') endSleep(143);
    });
    // Its main process has ended by then; what it left behind has not.
    engine.onExec(({ argv }) => argv.at(-1) === 'KILL', {});
    const command = await runtime.exec({ argv: ['sleep'], timeoutMs: 5_000 });
    await clock.run(5_000);
    expect(await command.exited).toMatchObject({ code: 143, reason: 'timeout' });
  });

  it('says so when nothing in the container can end it', async () => {
    engine.onExec(['/bin/sh', '-c'], { exitCode: 127 });
    const command = await runtime.exec({ argv: ['sleep'] });
    await expect(command.kill(0)).rejects.toMatchObject({
      code: 'runtime-unavailable',
      message: expect.stringContaining('the container has no /bin/sh that could do it. It needs the resident'),
      details: { reason: 'resident-needed' },
    });
  });

  it.each(['its time is over', 'its caller leaves'] as const)(
    'is left, and its caller told, when nothing can end it and %s',
    async (why) => {
      engine.onExec(['/bin/sh', '-c'], { exitCode: 127 });
      const caller = new AbortController();
      const spec = { argv: ['sleep'], ...(why === 'its time is over' && { timeoutMs: 5_000 }) };
      const command = await runtime.exec(spec, caller.signal);
      if (why === 'its caller leaves') caller.abort();
      await clock.run(6_000);
      const reason = why === 'its caller leaves' ? 'killed' : 'timeout';
      expect(await command.exited).toMatchObject({ code: null, reason });
      expect(await text(command.output)).toContain('It may run on.');
      expect(engine.openExecs).toEqual([]);
    },
  );

  it('ends by itself with its own code after nothing could end it', async () => {
    engine.onExec(['/bin/sh', '-c'], { exitCode: 127 });
    const command = await runtime.exec({ argv: ['sleep'] });
    await expect(command.kill(0)).rejects.toMatchObject({ code: 'runtime-unavailable' });
    endSleep(0);
    expect(await command.exited).toMatchObject({ code: 0, reason: 'exit' });
  });

  it('is lost with its container', async () => {
    const command = await runtime.exec({ argv: ['sleep'] });
    engine.remove(container);
    expect(await command.exited).toMatchObject({ code: null, reason: 'lost' });
  });
});

describe('a process through the engine', () => {
  it('is started once by its key, listed, read by offset, waited for and forgotten', async () => {
    const process = await runtime.spawn({ argv: ['cat'], stdin: true, key: 'k' });
    expect(await runtime.spawn({ argv: ['cat'], stdin: true, key: 'k' })).toEqual(process);
    await expect(runtime.spawn({ argv: ['other'], key: 'k' })).rejects.toMatchObject({ code: 'command-refused' });
    await runtime.writeStdin(process.id, 'abcdef');
    expect(await text(runtime.output(process.id, { waitMs: 1_000 }))).toBe('abcdef');
    expect(await text(runtime.output(process.id, { offset: 2, limit: 3 }))).toBe('cde');
    const following = text(runtime.output(process.id, { offset: 4, follow: true }));
    await expect(runtime.forget(process.id)).rejects.toMatchObject({ code: 'command-refused' });
    await runtime.writeStdin(process.id, 'ghi', { eof: true });
    expect(await following).toBe('efghi');
    expect(await runtime.process(process.id, { waitMs: 1_000 })).toMatchObject({ running: false, exit: { code: 0 } });
    expect(await runtime.processes()).toMatchObject([{ id: process.id, output: { start: 0, end: 9 } }]);
    await runtime.forget(process.id);
    expect(await runtime.processes()).toEqual([]);
    expect(await runtime.spawn({ argv: ['cat'], key: 'k' })).toMatchObject({ id: 'engine-2' });
  });

  it('keeps the newest of its output', async () => {
    engine.onExec(['yes'], ({ stdout }) => {
      for (let piece = 0; piece < 100; piece++) stdout(Buffer.alloc(10_000, String(piece % 10)));
      return 0;
    });
    const process = await runtime.spawn({ argv: ['yes'], ringBytes: 100_000 });
    await clock.settle();
    const { output } = await runtime.process(process.id);
    expect(output).toEqual({ start: 900_000, end: 1_000_000 });
    for await (const { offset } of runtime.output(process.id)) {
      expect(offset).toBe(900_000);
      break;
    }
  });

  it('is looked at, and the view ends without it', async () => {
    const process = await runtime.spawn({ argv: ['cat'], stdin: true });
    const view = await runtime.attach(process.id, { readOnly: true });
    await expect(view.write('x')).rejects.toMatchObject({ code: 'runtime-unavailable' });
    const seen = text(view.output);
    await runtime.writeStdin(process.id, 'x');
    await clock.settle();
    view.detach();
    expect(await seen).toBe('x');
    expect(await runtime.process(process.id)).toMatchObject({ running: true });
  });

  it.each<[string, () => Promise<unknown>]>([
    ['a terminal', () => runtime.spawn({ argv: ['sh'], tty: { width: 1, height: 1 } })],
    ['output that waits', () => runtime.spawn({ argv: ['sh'], overflow: 'block' })],
    ['INT', async () => runtime.signal((await runtime.spawn({ argv: ['sleep'] })).id, 'SIGINT')],
    ['a size', async () => runtime.resize((await runtime.spawn({ argv: ['sleep'] })).id, { width: 1, height: 1 })],
  ])('has no %s, and says so', async (_, ask) => {
    await expect(ask()).rejects.toMatchObject({ code: 'runtime-unavailable' });
  });
});

it.each(['a\nb', '', '1234 x'])('a file whose stat says %j is not believed', async (stdout) => {
  engine.onExec(['/bin/sh', '-c'], { stdout });
  await expect(runtime.files.stat('x')).rejects.toMatchObject({ code: 'runtime-unavailable' });
});

it('tells ports as the kernel lists them', async () => {
  engine.onExec(['/bin/sh', '-c'], {
    stdout: [
      '= tcp',
      '  sl  local_address rem_address   st',
      '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000',
      '   1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000',
      '= tcp6',
      '   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A x',
      '   1: B80D01200000000000000000010000000:0050 0:0 0A x',
      '   2: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A x',
    ].join('\n'),
  });
  expect(await runtime.ports()).toEqual([
    { port: 8080, address: '127.0.0.1', family: 4 },
    { port: 80, address: '::', family: 6 },
    { port: 81, address: '::1', family: 6 },
  ]);
});
