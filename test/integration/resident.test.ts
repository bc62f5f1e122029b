import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { copyFile, appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock/system-clock.ts';
import { createDockerEngine } from '../../src/engine/docker-engine.ts';
import { silentLogger } from '../../src/logger.ts';
import { processesIn } from './support/container-processes.ts';
import { detached } from './support/detached.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import { collect, isResidentBuilt, launchResident, residentBinary, sh } from './resident-support.ts';
import type { LaunchedResident } from './resident-support.ts';

const world = testEngine();
const engine = createDockerEngine({ dockerHost: world.dockerHost, clock: systemClock, logger: silentLogger });
const open: LaunchedResident[] = [];
const SECRET = 'secret-of-these-tests';

const container = (...options: string[]): Promise<string> =>
  world.docker('run', '-d', '--label', world.label, '--stop-timeout', '0', ...options, BASE_IMAGE, 'sleep', '900');
async function launch(
  containerId: string,
  options: Parameters<typeof launchResident>[2] = {},
): Promise<LaunchedResident> {
  const launched = await launchResident(engine, containerId, options);
  open.push(launched);
  return launched;
}
const argsIn = async (containerId: string): Promise<string[]> =>
  (await processesIn(world, containerId)).map(({ args }) => args);
/** Asks until it holds, for `ms` at most. */
async function eventually(check: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`It did not become true within ${ms} ms.`);
    await delay(25);
  }
}

describe.skipIf(!isResidentBuilt)('the resident', () => {
  let shared: LaunchedResident;
  let id: string;
  beforeAll(async () => {
    id = await container();
    shared = await launchResident(engine, id, { secret: SECRET, env: { GREETING: 'hello' } });
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each.stop(500)));
  });
  afterAll(async () => {
    await shared?.stop(500);
    await world.cleanup();
    await engine.close();
  });

  describe('runs commands', () => {
    it('with both outputs apart, an exit code, and the environment that was given, without the token', async () => {
      const ran = await sh(shared.runtime, 'echo out; echo err >&2; echo $GREETING; env; exit 7');
      expect(ran).toMatchObject({ errors: 'err\n', code: 7 });
      expect(ran.text).toMatch(/^out\nhello\n/);
      expect(ran.text).not.toContain('token-of-this-test');
      const merged = await shared.runtime.exec({ command: 'echo 1; echo 2 >&2; echo 3', merged: true });
      expect((await collect(merged.output)).stdout.toString()).toBe('1\n2\n3\n');
    });

    it.each([
      ['a signal', { command: 'kill -9 $$' }, { code: null, signal: 'SIGKILL', reason: 'signal' }],
      ['success', { argv: ['true'] }, { code: 0, signal: null, reason: 'exit' }],
      ['a child that holds its output', { command: 'sleep 30 & echo x' }, { code: 0, backgroundHeld: true }],
      ['a time-out', { command: 'sleep 60', timeoutMs: 200, graceMs: 200 }, { reason: 'timeout', survivors: [] }],
    ])('that end by %s', async (_, spec, exit) => {
      const command = await shared.runtime.exec(spec);
      await collect(command.output);
      expect(await command.exited).toMatchObject(exit);
      await sh(shared.runtime, 'killall sleep');
    });

    it.each([
      ['no such program', { argv: ['/not/there'] }, 'command-refused'],
      ['nothing', { argv: [] }, 'invalid-request'],
      ['no such directory', { argv: ['true'], cwd: '/not/there' }, 'command-refused'],
      ['no such user', { argv: ['true'], user: 'nobody-of-that-name' }, 'command-refused'],
    ])('and refuses %s', async (_, spec, code) => {
      await expect(shared.runtime.exec(spec)).rejects.toMatchObject({ code });
    });

    it('with 10 MB of standard input, byte by byte', async () => {
      const bytes = Buffer.alloc(10 * 1_048_576);
      for (let at = 0; at < bytes.length; at++) bytes[at] = (at * 31) & 255;
      const counted = await shared.runtime.exec({ command: 'wc -c', stdin: true });
      await counted.write(bytes);
      counted.closeStdin();
      expect((await collect(counted.output)).stdout.toString().trim()).toBe(String(bytes.length));

      const echoed = await shared.runtime.exec({ argv: ['cat'], stdin: true });
      const reading = collect(echoed.output);
      for (let at = 0; at < bytes.length; at += 1_000_003) await echoed.write(bytes.subarray(at, at + 1_000_003));
      echoed.closeStdin();
      expect((await reading).stdout.equals(bytes)).toBe(true);
    });

    it('whose output waits for a slow reader, which holds up nobody else', async () => {
      const slow = await shared.runtime.exec({ command: 'yes' });
      const before = process.memoryUsage().rss;
      for (let round = 0; round < 20; round++)
        expect(await sh(shared.runtime, 'echo quick')).toMatchObject({ code: 0 });
      expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1_048_576);
      const { output } = await shared.runtime.process(slow.process.id);
      expect(output.end).toBeLessThan(4 * 1_048_576);
      expect(await slow.kill(200)).toMatchObject({ reason: 'killed', survivors: [] });
    });

    it('whose whole tree ends, double forks too, by a time-out, an abort and a kill', async () => {
      const line = (marker: string): string =>
        `${detached(`sh -c "setsid sleep ${marker} & sleep ${marker}"`)} & (sleep ${marker} &) ; sleep ${marker}`;
      const isGone = async (marker: string): Promise<boolean> =>
        !(await argsIn(id)).some((args) => args.includes(marker));

      const timed = await shared.runtime.exec({ command: line('7071'), timeoutMs: 500, graceMs: 200 });
      expect(await timed.exited).toMatchObject({ reason: 'timeout', survivors: [] });
      expect(await isGone('7071')).toBe(true);

      const controller = new AbortController();
      const aborted = await shared.runtime.exec({ command: line('7072'), graceMs: 200 }, controller.signal);
      await eventually(async () => !(await isGone('7072')));
      controller.abort();
      expect(await aborted.exited).toMatchObject({ reason: 'killed', survivors: [] });
      expect(await isGone('7072')).toBe(true);

      const killed = await shared.runtime.exec({ command: line('7073') });
      await eventually(async () => !(await isGone('7073')));
      expect(await killed.kill(200)).toMatchObject({ reason: 'killed', survivors: [] });
      expect(await isGone('7073')).toBe(true);
    });

    it('at the same time, in any number', async () => {
      const all = await Promise.all(Array.from({ length: 50 }, (_, n) => sh(shared.runtime, `echo ${n}`)));
      expect(all.map(({ text }) => Number(text))).toEqual(all.map((_, n) => n));
    });
  });

  describe('keeps processes', () => {
    it('in the background, with output by offset, input, waiting and forgetting', async () => {
      const { runtime } = shared;
      const spec = { command: 'echo begin; read line; echo "got $line"', stdin: true, key: 'once' };
      const process = await runtime.spawn(spec);
      expect(await runtime.spawn(spec)).toMatchObject({ id: process.id });
      await expect(runtime.spawn({ ...spec, command: 'another' })).rejects.toMatchObject({ code: 'command-refused' });
      expect((await runtime.processes()).find(({ id }) => id === process.id)).toMatchObject({
        running: true,
        kind: 'background',
        key: 'once',
      });
      const first = await collect(runtime.output(process.id, { waitMs: 10_000, limit: 6 }));
      expect(first.stdout.toString()).toBe('begin\n');
      await expect(runtime.forget(process.id)).rejects.toMatchObject({ code: 'command-refused' });
      await runtime.writeStdin(process.id, 'ice\n', { eof: true });
      const rest = await collect(runtime.output(process.id, { offset: 6, follow: true }));
      expect(rest.stdout.toString()).toBe('got ice\n');
      expect(await runtime.process(process.id, { waitMs: 10_000 })).toMatchObject({
        running: false,
        exit: { code: 0 },
      });
      await runtime.forget(process.id);
      await expect(runtime.process(process.id)).rejects.toMatchObject({ code: 'process-not-found' });
      await expect(runtime.process('zzzz-1')).rejects.toMatchObject({ code: 'process-not-found' });
    });

    it('in terminals, with their size, several viewers, read-only ones, and what was before they came', async () => {
      const { runtime } = shared;
      const terminal = await runtime.spawn({ argv: ['sh'], tty: { width: 80, height: 24 } });
      expect(terminal).toMatchObject({ kind: 'terminal', tty: { width: 80, height: 24 } });
      const one = await runtime.attach(terminal.id, { size: { width: 132, height: 43 } });
      await one.write('stty size; echo first\n');
      let seen = '';
      const reading = (async () => {
        for await (const { bytes } of one.output) seen += Buffer.from(bytes).toString();
      })();
      await eventually(() => /43 132[\s\S]*\nfirst/.test(seen));

      const two = await runtime.attach(terminal.id, { readOnly: true });
      let replayed = '';
      const replaying = (async () => {
        for await (const { bytes } of two.output) replayed += Buffer.from(bytes).toString();
      })();
      await eventually(() => replayed === seen);
      await expect(two.write('x')).rejects.toThrow('was not asked for');
      one.detach();
      await reading;
      expect(await runtime.process(terminal.id)).toMatchObject({ running: true });
      await runtime.writeStdin(terminal.id, 'exit 5\n');
      expect(await two.exited).toMatchObject({ code: 5 });
      await replaying;
    });

    it('and tells what it is busy with', async () => {
      const told: (string | undefined)[] = [];
      const own = await launch(await container(), { onBusy: (reason) => told.push(reason) });
      const command = await own.runtime.exec({ argv: ['sleep', '60'] });
      const terminal = await own.runtime.spawn({ argv: ['sh'], tty: { width: 80, height: 24 } });
      await eventually(() => told.at(-1) === '1 command, 1 terminal');
      await own.runtime.kill(terminal.id, { graceMs: 100 });
      await command.kill(100);
      await eventually(() => told.at(-1) === undefined);
    });
  });

  describe('serves the container', () => {
    it('with its files', async () => {
      const { files } = shared.runtime;
      const bytes = Buffer.alloc(3_000_000, 'some content ');
      expect(await files.write('/tmp/dir/a file', bytes, { parents: true, mode: '0600' })).toMatchObject({
        type: 'file',
        size: bytes.length,
        mode: '0600',
      });
      const { size, bytes: content } = await files.read('/tmp/dir/a file', { offset: 5, length: 2_000_000 });
      const read: Uint8Array[] = [];
      for await (const piece of content) read.push(piece);
      expect(size).toBe(bytes.length);
      expect(Buffer.concat(read).equals(bytes.subarray(5, 2_000_005))).toBe(true);
      expect(await files.stat('/tmp/dir/none')).toBeUndefined();
      expect(await files.mkdir('/tmp/dir/sub')).toMatchObject({ type: 'directory' });
      await files.move('/tmp/dir/a file', '/tmp/dir/sub/b');
      expect((await files.list('/tmp/dir/sub')).entries.map(({ path }) => path.split('/').at(-1))).toEqual(['b']);
      await expect(files.write('/tmp/dir/sub/b', bytes, { createOnly: true })).rejects.toMatchObject({
        code: 'command-refused',
      });
      async function* failing(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('half');
        throw new Error('the source broke');
      }
      await expect(files.write('/tmp/dir/sub/b', failing())).rejects.toThrow('the source broke');
      expect(await files.stat('/tmp/dir/sub/b')).toMatchObject({ size: bytes.length });
      await files.write('/tmp/dir/sub/c', Buffer.from('a line\nthe needle is here\n'));
      const found = [];
      for await (const line of files.search('/tmp/dir', { text: 'needle' })) found.push(line);
      expect(found).toMatchObject([{ line: 2, text: 'the needle is here' }]);
      await expect(files.remove('/tmp/dir')).rejects.toMatchObject({ code: 'command-refused' });
      await files.remove('/tmp/dir', { recursive: true });
      await expect(files.remove('/tmp/dir')).rejects.toMatchObject({ code: 'path-not-found' });
      await expect(files.list('/tmp/dir')).rejects.toMatchObject({ code: 'path-not-found' });
    });

    it('with its ports, also those that listen on its own address only', async () => {
      const { runtime } = shared;
      const told: number[][] = [];
      const controller = new AbortController();
      const watching = runtime.watchPorts((ports) => told.push(ports.map(({ port }) => port)), controller.signal);
      const server = await runtime.exec({ argv: ['nc', '-ll', '-p', '4711', '-e', 'cat'] });
      const local = await runtime.exec({ argv: ['httpd', '-f', '-p', '127.0.0.1:4712'] });
      await eventually(() => told.at(-1)?.includes(4711) === true && told.at(-1)?.includes(4712) === true);
      expect(await runtime.ports()).toContainEqual(
        expect.objectContaining({
          port: 4712,
          address: '127.0.0.1',
          family: 4,
          process: local.process.id,
          name: 'httpd',
        }),
      );
      const connection = await runtime.connect('127.0.0.1', 4711);
      const bytes = Buffer.alloc(2_000_000, 'over the wire ');
      const received = createHash('sha256');
      const reading = (async () => {
        for await (const piece of connection.incoming) received.update(piece);
      })();
      await connection.write(bytes);
      connection.end();
      await reading;
      await connection.closed;
      expect(received.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
      await Promise.all([server.kill(100), local.kill(100)]);
      await eventually(() => told.at(-1)?.includes(4711) === false);
      controller.abort();
      await watching;
      await expect(runtime.connect('127.0.0.1', 4711)).rejects.toMatchObject({ code: 'connection-refused' });
    });

    it('with its statistics', async () => {
      const stats = await shared.runtime.stats();
      expect(stats.residentBytes).toBeGreaterThan(1_000_000);
      expect(stats.memory.current).toBeGreaterThan(0);
    });
  });

  describe('outlives its daemon', () => {
    it('that is killed hard: the next one finds command, terminal and complete output', async () => {
      const own = await container();
      const child = spawn(
        process.execPath,
        [
          '--input-type=module',
          '-e',
          `import { runnerImport } from 'vite'; await runnerImport(${JSON.stringify(new URL('resident-client.ts', import.meta.url).pathname)});`,
        ],
        {
          env: {
            ...process.env,
            TEST_DOCKER_HOST: world.dockerHost,
            TEST_CONTAINER: own,
            TEST_SECRET: SECRET,
            TEST_COMMAND: 'i=0; while [ $i -lt 600 ]; do echo "line $i"; i=$((i+1)); sleep 0.01; done; exit 9',
          },
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      let printed = '';
      child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
      await eventually(() => printed.split('\n').length > 20, 60_000);
      child.kill('SIGKILL');
      await once(child, 'exit');
      const ids = JSON.parse(printed.split('\n', 1)[0]!) as { command: string; terminal: string };

      const next = await launch(own, { secret: SECRET });
      expect((await next.runtime.processes()).map(({ id, running }) => [id, running])).toEqual([
        [ids.command, true],
        [ids.terminal, true],
      ]);
      const { stdout } = await collect(next.runtime.output(ids.command, { follow: true }));
      expect(stdout.toString()).toBe(Array.from({ length: 600 }, (_, line) => `line ${line}\n`).join(''));
      expect(await next.runtime.process(ids.command)).toMatchObject({ exit: { code: 9 } });
      const terminal = await next.runtime.attach(ids.terminal);
      await terminal.write('exit 3\n');
      expect(await terminal.exited).toMatchObject({ code: 3 });
      expect((await argsIn(own)).filter((args) => args.endsWith(' agent'))).toHaveLength(1);
    });

    it('that lets go of it, and answers nobody with another token', async () => {
      const own = await container();
      const first = await launchResident(engine, own, { secret: SECRET });
      const process = await first.runtime.spawn({ argv: ['sleep', '600'] });
      await first.detach?.();
      await expect(launchResident(engine, own, { secret: 'another' })).rejects.toMatchObject({
        code: 'sub-agent-start-failed',
        details: { reason: 'wrong-token' },
      });
      const next = await launch(own, { secret: SECRET });
      expect(await next.runtime.process(process.id)).toMatchObject({ running: true });
    });

    it('whose connection is cut, without a byte lost', async () => {
      const own = await container();
      const resident = await launch(own, { secret: SECRET });
      const command = await resident.runtime.exec({
        command: 'i=0; while [ $i -lt 300 ]; do echo "line $i"; i=$((i+1)); sleep 0.01; done',
      });
      let text = '';
      let cuts = 0;
      for await (const { bytes } of command.output) {
        text += Buffer.from(bytes).toString();
        if (cuts < 3 && text.length > (cuts + 1) * 500) {
          cuts++;
          for (const { pid, args } of await processesIn(world, own)) {
            if (args.endsWith(' connect')) process.kill(pid, 'SIGKILL');
          }
        }
      }
      expect(cuts).toBe(3);
      expect(text).toBe(Array.from({ length: 300 }, (_, line) => `line ${line}\n`).join(''));
      expect(await command.exited).toMatchObject({ code: 0 });
    });
  });

  describe('ends', () => {
    it.each(['kill', 'stop'])('with a reason when it, or its container, is ended (%s)', async (how) => {
      const own = await container();
      const resident = await launch(own, { secret: SECRET });
      const command = await resident.runtime.exec({ argv: ['sleep', '600'] });
      let exitedAt = Infinity;
      void resident.exited.then(() => (exitedAt = performance.now()));
      const agent = (await processesIn(world, own)).find(({ args }) => args.endsWith(' agent'));
      expect(agent).toBeDefined();
      if (how === 'kill') process.kill(agent!.pid, 'SIGKILL');
      else await world.docker('kill', own);
      const killedAt = performance.now();
      expect(await resident.exited).toMatchObject({ reason: how === 'kill' ? 'exit' : 'container-gone' });
      expect(exitedAt - killedAt).toBeLessThan(10_000);
      expect(await command.exited).toMatchObject({ code: null, reason: 'lost' });
      await expect(resident.runtime.exec({ argv: ['true'] })).rejects.toMatchObject({
        code: how === 'kill' ? 'runtime-unavailable' : 'devcontainer-not-running',
      });
    });

    it('with all that runs under it when it is told to', async () => {
      const own = await container();
      const resident = await launch(own);
      expect(resident.detach).toBeUndefined();
      await resident.runtime.spawn({ command: 'trap "" TERM; while :; do sleep 1; done' });
      await resident.stop(500);
      expect(await resident.exited).toMatchObject({ reason: 'stopped', exitCode: 0 });
      expect(await argsIn(own)).toEqual(['sleep 900']);
    });

    it('by force when it does not answer any more, and so does what runs under it', async () => {
      const own = await container();
      await (await launchResident(engine, own, { secret: SECRET })).detach?.();
      const resident = await launch(own, { secret: SECRET });
      await resident.runtime.spawn({ command: 'trap "" TERM; (setsid sleep 601 &); while :; do sleep 1; done' });
      const agent = (await processesIn(world, own)).find(({ args }) => args.endsWith(' agent'));
      process.kill(agent!.pid, 'SIGSTOP');
      await resident.stop(200);
      expect(await resident.exited).toMatchObject({
        reason: 'stopped',
        message: 'The sub-agent was told to end. It did not end by itself and was killed.',
      });
      await eventually(async () => (await argsIn(own)).join() === 'sleep 900');
    });

    it('beside its successor, when nothing runs under it any more', async () => {
      const own = await container();
      const old = await launchResident(engine, own, { secret: SECRET });
      const spec = { command: 'echo from before; sleep 600', key: 'k' };
      const process = await old.runtime.spawn(spec);
      await old.detach?.();
      const folder = await mkdtemp(join(tmpdir(), 'resident-next-'));
      try {
        const path = join(folder, 'resident');
        await copyFile((await residentBinary()).path, path);
        await appendFile(path, 'another build');
        const told: (string | undefined)[] = [];
        const next = await launch(own, {
          secret: SECRET,
          binary: await residentBinary(path),
          onBusy: (reason) => told.push(reason),
        });
        const { runtime } = next;
        const fresh = await runtime.spawn({ argv: ['sleep', '600'] });
        expect((await runtime.processes()).map(({ id }) => id).toSorted()).toEqual([process.id, fresh.id].toSorted());
        expect(await runtime.spawn(spec)).toMatchObject({ id: process.id });
        expect((await collect(runtime.output(process.id))).stdout.toString()).toBe('from before\n');
        await eventually(() => told.at(-1) === '2 commands');
        await runtime.kill(process.id, { graceMs: 100 });
        await eventually(async () => (await argsIn(own)).filter((args) => args.endsWith(' agent')).length === 1);
        await eventually(() => told.at(-1) === '1 command');
        expect((await runtime.processes()).map(({ id }) => id)).toEqual([fresh.id]);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  });
});
