import { createHash, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { createDeferred } from '../../async/deferred.ts';
import { exec, type ExecFlags, readsStandardInput } from './exec.ts';
import { readStandardInput } from './exec-lines.ts';
import {
  EXITED,
  frames,
  startTestDaemon,
  type TestDaemon,
  type TestDaemonScript,
  testWorld,
  wireProcess,
  worldContext,
} from './test-daemon.ts';

let daemon: TestDaemon | undefined;
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
});

interface Heard {
  readonly start: Record<string, unknown>;
  readonly input: Buffer[];
  readonly text: Record<string, unknown>[];
}

/** A daemon whose command is played by `play` once its start has come. */
async function withCommand(
  play: (ws: WebSocket, heard: Heard) => void,
  script: TestDaemonScript & { onAttach?: (ws: WebSocket, path: string) => void } = {},
): Promise<Heard> {
  const heard: Heard = { start: {}, input: [], text: [] };
  daemon = await startTestDaemon({
    ...script,
    onSocket(ws, path) {
      if (path.includes('/attach')) return script.onAttach?.(ws, path);
      ws.once('message', (bytes: Buffer) => {
        Object.assign(heard.start, JSON.parse(bytes.toString()));
        ws.on('message', (frame: Buffer, isBinary) => {
          if (isBinary) heard.input.push(frame);
          else heard.text.push(JSON.parse(frame.toString()) as Record<string, unknown>);
        });
        play(ws, heard);
      });
    },
  });
  return heard;
}

const FILE = { isFile: () => true, isFIFO: () => false };
const PIPE = { isFile: () => false, isFIFO: () => true };
function run(
  world: ReturnType<typeof testWorld>,
  argv: readonly string[] = ['true'],
  flags: Partial<ExecFlags> & { json?: boolean } = {},
  stdin?: typeof FILE,
): Promise<number> {
  if (daemon === undefined) throw new Error('no daemon');
  const context = worldContext(daemon, world, { json: flags.json === true });
  // An absent argument would be the standard input of the test.
  return exec(
    context,
    { env: {}, ...flags },
    'app',
    argv,
    world,
    stdin ?? { isFile: () => false, isFIFO: () => false },
  );
}

describe('what a command writes', () => {
  test('comes out apart and to the byte, with its exit code', async () => {
    const heard = await withCommand((ws) => {
      frames.started(ws);
      frames.output(ws, 1, Buffer.from([0xff, 0, 0x61]));
      frames.output(ws, 2, 'oops\n');
      frames.exit(ws, { code: 7 });
    });
    const world = testWorld();
    expect(
      await run(world, ['--', 'sh', '-c', 'x'], { user: 'me', workdir: '/tmp', env: { A: '1' }, timeout: '2s' }),
    ).toBe(7);
    expect([...world.out()]).toEqual([0xff, 0, 0x61]);
    expect(world.err()).toBe('oops\n');
    expect(heard.start).toEqual({
      argv: ['sh', '-c', 'x'],
      user: 'me',
      cwd: '/tmp',
      env: { A: '1' },
      timeout_ms: 2_000,
    });
  });

  test('is not read on while nobody takes it, and none of it is lost', async () => {
    const all = randomBytes(4 * 1_048_576);
    let sent = 0;
    await withCommand((ws) => {
      frames.started(ws);
      const more = (): void => {
        if (sent >= all.length) return frames.exit(ws);
        const bytes = all.subarray(sent, sent + 65_536);
        sent += bytes.length;
        ws.send(Buffer.concat([Buffer.of(1), bytes]), more);
      };
      more();
    });
    const world = testWorld();
    world.block(true);
    const ended = run(world);
    await vi.waitFor(() => expect(world.out().length).toBeGreaterThan(0));
    // Sockets hold some of it, but by far not all.
    let before = -1;
    await vi.waitFor(
      () => {
        const isStill = before === sent;
        before = sent;
        expect(isStill).toBe(true);
      },
      { interval: 100, timeout: 10_000 },
    );
    expect(sent).toBeLessThan(all.length / 2);
    world.block(false);
    expect(await ended).toBe(0);
    const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    expect(digest(world.out())).toBe(digest(all));
  });

  test('that nobody reads any more ends the command without a word', async () => {
    const gone = createDeferred<void>();
    await withCommand((ws) => {
      ws.on('close', () => gone.resolve());
      frames.started(ws);
      frames.output(ws, 1, 'y\n');
    });
    const world = testWorld();
    const ended = run(world);
    await vi.waitFor(() => expect(world.out().toString()).toBe('y\n'));
    world.breakOutput();
    expect([await ended, world.err()]).toEqual([0, '']);
    await gone.promise;
  });
});

describe('how it ends', () => {
  test.each([
    [{ code: null, signal: 'SIGTERM', reason: 'signal' } as const, 143, ''],
    [{ code: null, signal: 'SIGTERM', reason: 'timeout' } as const, 124, 'its time was up'],
    [{ code: null, signal: 'SIGKILL', reason: 'oom' } as const, 137, 'no memory left'],
    [{ code: null, signal: 'SIGTERM', reason: 'killed' } as const, 143, 'ended from elsewhere'],
    [{ code: null, signal: null, reason: 'lost' } as const, 1, 'its container has ended'],
    [{ code: 0, background_held: true } as const, 0, 'still runs in the background'],
    [{ code: 3, survivors: [8, 9] } as const, 3, 'could not be ended: 8, 9'],
  ])('%j ends with %i', async (exit, code, said) => {
    await withCommand((ws) => {
      frames.started(ws);
      frames.exit(ws, { ...exit, survivors: [...('survivors' in exit ? exit.survivors : [])] });
    });
    const world = testWorld();
    expect(await run(world)).toBe(code);
    if (said === '') expect(world.err()).toBe('');
    else expect(world.err()).toContain(said);
  });

  test.each([
    ['program-not-found', 127, ''],
    [undefined, 126, ''],
    ['cwd-not-found', 126, '--workdir'],
    ['user-not-found', 126, '/etc/passwd'],
  ])('what is not started for %s ends with %s, and with what to do', async (reason, code, next) => {
    const detail = 'Running "x" failed: changing into "/x" failed: no such file or directory, not found.';
    const refusal = { message: 'The container refused it', code: 'command-refused', detail, reason };
    await withCommand((ws) => frames.refuse(ws, refusal));
    const world = testWorld();
    expect(await run(world, ['x'])).toBe(code);
    expect(world.err()).toMatch(new RegExp(`^error: ${detail}\n(?:.*${next}.*\n)?$`));
    expect([world.err().includes(next), world.out().toString()]).toEqual([true, '']);
  });

  test('other refusals are errors with their code', async () => {
    await withCommand((ws) =>
      frames.refuse(ws, { message: 'Devcontainer is not running', code: 'devcontainer-not-running' }),
    );
    await expect(run(testWorld())).rejects.toMatchObject({ code: 'devcontainer-not-running' });
  });

  test('an error in the middle is one only when the connection ends with it', async () => {
    await withCommand((ws) => {
      frames.started(ws);
      ws.send(JSON.stringify({ type: 'error', message: 'x', code: 'command-refused' }));
      frames.exit(ws, { code: 5 });
    });
    expect(await run(testWorld())).toBe(5);
    await daemon?.stop();
    await withCommand((ws) => {
      frames.started(ws);
      frames.refuse(ws, { message: 'it broke', code: 'runtime-unavailable' }, 1_011);
    });
    await expect(run(testWorld())).rejects.toMatchObject({ code: 'runtime-unavailable', message: 'it broke' });
  });
});

describe('standard input', () => {
  test.each([
    ['a file', undefined, FILE, true],
    ['a pipe', undefined, PIPE, false],
    ['a pipe with -i', true, PIPE, true],
    ['a file with --no-stdin', false, FILE, false],
    ['nothing that is open', undefined, undefined, false],
  ])('of %s is read only when that has an end, or when asked for', (_name, flag, stat, expected) => {
    expect(readsStandardInput(flag, stat)).toBe(expected);
  });

  test('of any length is passed on as it comes, with its end, and waits for a slow command', async () => {
    const all = randomBytes(3 * 1_048_576);
    const heard = await withCommand((ws, { input }) => {
      frames.started(ws);
      ws.pause();
      setTimeout(() => ws.resume(), 100);
      ws.on('message', () => {
        if (input.at(-1)?.length === 0) frames.exit(ws);
      });
    });
    const world = testWorld();
    // What is sent is masked in its place.
    world.stdin.end(Buffer.from(all));
    expect(await run(world, ['wc', '-c'], {}, FILE)).toBe(0);
    expect(heard.start).toMatchObject({ stdin: true });
    expect(Buffer.concat(heard.input).equals(all)).toBe(true);
    expect(Math.max(...heard.input.map(({ length }) => length))).toBeLessThanOrEqual(65_536);
  });

  test('that nobody asked for is not read, and a command does not wait for its end', async () => {
    const heard = await withCommand((ws) => {
      frames.started(ws);
      frames.exit(ws);
    });
    const world = testWorld();
    world.stdin.write('x');
    expect(await run(world, ['cat'], {}, PIPE)).toBe(0);
    expect(await run(world, ['cat'], { stdin: true }, PIPE)).toBe(0);
    expect(world.stdin.destroyed).toBe(true);
    expect(heard.start['stdin']).toBe(true);
  });

  test('of a request is kept to the byte, and bounded', async () => {
    async function* source(...parts: Uint8Array[]) {
      yield* parts;
    }
    const text = Buffer.from('\ufeffaä\r\n\u0000');
    expect(await readStandardInput(source(text.subarray(0, 5), text.subarray(5)))).toEqual({ stdin: text.toString() });
    expect(await readStandardInput(source(Buffer.from([0xff, 0x00, 0x80])))).toEqual({
      stdin: '/wCA',
      stdin_encoding: 'base64',
    });
    await expect(readStandardInput(source(Buffer.alloc(1_048_577)))).rejects.toMatchObject({ code: 'invalid-request' });
  });
});

describe('our signals', () => {
  const SIGNAL = 'POST /devcontainers/dc-1/processes/ab12-1/signal';

  test('go to all that the command has started; the third ends it', async () => {
    const gone = createDeferred<void>();
    await withCommand(
      (ws) => {
        ws.on('close', () => gone.resolve());
        frames.started(ws);
        frames.output(ws, 1, 'on');
      },
      { routes: { [SIGNAL]: undefined } },
    );
    const world = testWorld();
    const ended = run(world);
    await vi.waitFor(() => expect(world.out().toString()).toBe('on'));
    world.signal('SIGINT');
    world.signal('SIGTERM');
    await vi.waitFor(() => expect(daemon?.calls().filter((call) => call === SIGNAL)).toHaveLength(2));
    expect(daemon?.json(SIGNAL)).toEqual({ signal: 'SIGINT', tree: true });
    world.signal('SIGINT');
    expect(await ended).toBe(130);
    await gone.promise;
  });

  test('that cannot be sent end it', async () => {
    await withCommand((ws) => {
      frames.started(ws);
      frames.output(ws, 1, 'on');
    });
    const world = testWorld();
    const ended = run(world);
    await vi.waitFor(() => expect(world.out().toString()).toBe('on'));
    world.signal('SIGHUP');
    expect(await ended).toBe(129);
  });
});

describe('a terminal', () => {
  const terminal = wireProcess({ tty: { width: 100, height: 30 } });

  test('is given where there is one here, raw as long as the command runs, with its size and its changes', async () => {
    const heard = await withCommand((ws, { text, input }) => {
      frames.started(ws, terminal);
      ws.on('message', () => {
        if (text.length > 0 && input.length > 0) frames.exit(ws, { code: 4 });
      });
      frames.output(ws, 1, '$ ');
    });
    const world = testWorld({ tty: true });
    const ended = run(world, ['vi']);
    await vi.waitFor(() => expect(world.raw).toEqual([true]));
    world.stdin.write('\u0003');
    world.resize(90, 20);
    expect(await ended).toBe(4);
    expect(heard.start).toMatchObject({ tty: { width: 100, height: 30 }, stdin: true });
    expect(heard.text).toEqual([{ type: 'resize', width: 90, height: 20 }]);
    expect(Buffer.concat(heard.input).toString()).toBe('\u0003');
    expect(world.raw).toEqual([true, false]);
  });

  test('is not given with -T, and with -t also where there is none', async () => {
    const heard = await withCommand((ws) => {
      frames.started(ws);
      frames.exit(ws);
    });
    await run(testWorld({ tty: true }), ['true'], { tty: false });
    expect(heard.start['tty']).toBeUndefined();
    await run(testWorld(), ['true'], { tty: true });
    expect(heard.start['tty']).toEqual({ width: 100, height: 30 });
  });

  test('is as it was before when the command is cut off, in its modes too', async () => {
    await withCommand((ws) => {
      frames.started(ws, terminal);
      frames.output(ws, 1, '\u001b[?1049h\u001b[?25l');
      setTimeout(() => frames.refuse(ws, { message: 'it broke', code: 'runtime-unavailable' }, 1_011), 20);
    });
    const world = testWorld({ tty: true });
    await expect(run(world)).rejects.toThrow('it broke');
    expect(world.raw).toEqual([true, false]);
    expect(world.out().toString()).toMatch(/\u001b\[\?1049l/);
    expect(world.out().toString()).toMatch(/\u001b\[\?25h/);
  });

  test('is in its own modes again when the command was ended in the middle, not when it ended by itself', async () => {
    const ends = [{ code: null, signal: 'SIGKILL', reason: 'oom' } as const, { code: 0 }];
    const shown: string[] = [];
    for (const end of ends) {
      await withCommand((ws) => {
        frames.started(ws, terminal);
        frames.output(ws, 1, '\u001b[?1049h');
        frames.exit(ws, end);
      });
      const world = testWorld({ tty: true });
      await run(world);
      shown.push(world.out().toString().replaceAll('\u001b', ''));
    }
    expect(shown).toEqual(['[?1049h[?1049l[0m', '[?1049h']);
  });

  test('takes an answer that is no object for none', async () => {
    await withCommand((ws) => {
      frames.started(ws, terminal);
      ws.send('null');
      frames.exit(ws, { code: 3 });
    });
    expect(await run(testWorld({ tty: true }))).toBe(3);
  });

  const refusal = {
    message: 'What runs in the container cannot be reached',
    code: 'runtime-unavailable',
    reason: 'resident-needed',
    detail: 'Opening a terminal failed: this daemon has none. It needs the resident, and this goes through the engine.',
  };
  test('that cannot be had is done without, or is an error with what is possible when it was asked for', async () => {
    const heard = await withCommand((ws, { start }) => {
      if (start['tty'] !== undefined) {
        delete start['tty'];
        return frames.refuse(ws, refusal);
      }
      frames.started(ws);
      frames.exit(ws, { code: 6 });
    });
    const world = testWorld({ tty: true });
    expect(await run(world)).toBe(6);
    expect(world.err()).toContain('running it without one');
    expect(heard.start['argv']).toEqual(['true']);
    await expect(run(testWorld(), ['true'], { tty: true })).rejects.toMatchObject({
      message: refusal.detail,
      details: { next: expect.stringContaining('agentcontainers exec -T app') },
    });
  });
});

describe('a daemon that goes away', () => {
  const KILL = 'POST /devcontainers/dc-1/processes/ab12-1/kill';

  test.each([1_001, 1_006])('with %i and comes back is gone on with, at the byte', async (code) => {
    const asked: string[] = [];
    await withCommand(
      (ws) => {
        frames.started(ws);
        frames.output(ws, 1, 'one ');
        frames.output(ws, 2, 'two ');
        setTimeout(() => (code === 1_006 ? ws.terminate() : ws.close(code)), 20);
      },
      {
        onAttach(ws, path) {
          asked.push(path);
          if (asked.length === 1) return frames.refuse(ws, { message: 'x', code: 'api-closed' });
          frames.started(ws, wireProcess(), 8);
          frames.output(ws, 1, 'three');
          frames.exit(ws, { code: 9 });
        },
      },
    );
    const world = testWorld();
    expect(await run(world)).toBe(9);
    expect(world.out().toString()).toBe('one three');
    expect(asked).toEqual(Array.from({ length: 2 }, () => '/devcontainers/dc-1/processes/ab12-1/attach?offset=8'));
    expect(world.err()).toMatch(/^two The daemon has gone; .*30 s.*\nBack again, nothing is lost\.\n$/);
  });

  test('says how much of the output is gone, and goes on behind that', async () => {
    const asked: string[] = [];
    await withCommand(
      (ws) => {
        frames.started(ws);
        setTimeout(() => ws.terminate(), 10);
      },
      {
        onAttach(ws, path) {
          asked.push(path.replace(/.*=/, ''));
          frames.started(ws, wireProcess(), asked.length === 1 ? 100 : 102);
          if (asked.length === 2) return frames.exit(ws);
          frames.output(ws, 1, 'ab');
          setTimeout(() => ws.terminate(), 10);
        },
      },
    );
    const world = testWorld();
    expect(await run(world)).toBe(0);
    expect(world.err()).toContain('100 bytes of output are no longer kept');
    expect(asked).toEqual(['0', '102']);
  });

  test('is given up after 30 s, with the way back', async () => {
    await withCommand((ws) => {
      frames.started(ws);
      void daemon?.crash();
    });
    const began = performance.now();
    let ahead = 0;
    const world = { ...testWorld(), now: () => performance.now() + (ahead += 5_000) };
    await expect(run(world)).rejects.toMatchObject({
      message: expect.stringContaining('more than 30 s'),
      details: { detail: expect.stringContaining('agentcontainers attach <name> ab12-1') },
    });
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  test('is not waited for after Ctrl-C', async () => {
    await withCommand((ws) => {
      frames.started(ws);
      void daemon?.crash();
    });
    const world = testWorld();
    const ended = run(world);
    await vi.waitFor(() => expect(world.err()).toContain('has gone'));
    world.signal('SIGINT');
    expect(await ended).toBe(130);
    expect(world.err()).toContain('It may run on as ab12-1.');
  });

  test('with standard input on its way ends the command, since a part of it may be lost', async () => {
    await withCommand(
      (ws) => {
        frames.started(ws);
        // It reads nothing, so that the daemon has it and the command does not.
        ws.pause();
        setTimeout(() => ws.terminate(), 50);
      },
      {
        routes: { [KILL]: wireProcess({ running: false, exit: EXITED }) },
        onAttach: (ws) => frames.started(ws, wireProcess({ stdin: { written: 65_536, open: true } }), 0),
      },
    );
    const world = testWorld();
    world.stdin.end('x'.repeat(100_000));
    await expect(run(world, ['cat'], {}, FILE)).rejects.toThrow('may be lost. The command was ended.');
    expect(daemon?.calls()).toContain(KILL);
  });

  test('after all of standard input was taken loses nothing', async () => {
    const heard = await withCommand(
      (ws, { input }) => {
        frames.started(ws);
        ws.on('message', () => {
          if (input.at(-1)?.length === 0) setTimeout(() => ws.terminate(), 50);
        });
      },
      {
        onAttach(ws) {
          frames.started(ws, wireProcess({ stdin: { written: 3, open: false } }), 0);
          frames.exit(ws, { code: 2 });
        },
      },
    );
    const world = testWorld();
    world.stdin.end('all');
    expect(await run(world, ['cat'], {}, FILE)).toBe(2);
    expect(Buffer.concat(heard.input).toString()).toBe('all');
  });

  test('takes nothing with it that we leave after it came back: that is ended by itself', async () => {
    await withCommand(
      (ws) => {
        frames.started(ws);
        setTimeout(() => ws.terminate(), 10);
      },
      {
        routes: { [KILL]: wireProcess({ running: false, exit: EXITED }) },
        onAttach(ws) {
          frames.started(ws, wireProcess(), 0);
          frames.output(ws, 1, 'back');
        },
      },
    );
    const world = testWorld();
    const ended = run(world);
    await vi.waitFor(() => expect(world.out().toString()).toBe('back'));
    world.breakOutput();
    expect(await ended).toBe(0);
    expect(daemon?.calls()).toContain(KILL);
  });
});

test('with --json the lines of the request come as they are', async () => {
  const lines = [
    { type: 'started', process_id: 'ab12-1', via: 'resident' },
    { type: 'stdout', data: 'a\n' },
    { type: 'exit', code: 3, signal: null, reason: 'exit', via: 'resident' },
  ];
  daemon = await startTestDaemon({
    routes: {
      'POST /devcontainers/dc-1/exec': Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join('')),
    },
  });
  const world = testWorld({ tty: true });
  world.stdin.end('in');
  expect(await run(world, ['cat'], { json: true, stdin: true })).toBe(3);
  const printed = world
    .out()
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  expect(printed).toEqual(lines);
  expect(daemon.json('POST /devcontainers/dc-1/exec')).toEqual({ argv: ['cat'], stdin: 'in' });
});
