/** What commands can do to us, and what we do to them: whole trees, much output, odd bytes, slow readers. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runBash } from '../../src/agentcontainers/bash/run-bash.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { createDockerEngine } from '../../src/engine/docker-engine.ts';
import { silentLogger } from '../../src/logger.ts';
import { detached } from './support/detached.ts';
import { processesIn } from './support/container-processes.ts';
import { eventsSince } from './support/engine-features.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import { eventually } from './support/eventually.ts';
import { createSubAgentLauncher } from '../../src/subagent/launcher.ts';
import { collect, isResidentBuilt, launchResident, residentBinary, sh } from './resident-support.ts';
import { launchRequest, within } from './sub-agent-support.ts';
import type { LaunchedResident } from './resident-support.ts';

const world = testEngine();
const engine = createDockerEngine({ dockerHost: world.dockerHost, clock: systemClock, logger: silentLogger });
const MIB = 1_048_576;
const GIB = 1_024 * MIB;
const LONG = 300_000;
/** Long enough for all of a tree to be up before, on a machine that is busy. ms */
const TIMED = 15_000;
/** No promise, but far below what a stream that is held up would take. ms */
const SOON = 10_000;

const container = (...options: string[]): Promise<string> =>
  world.docker('run', '-d', '--label', world.label, '--stop-timeout', '0', ...options, BASE_IMAGE, 'sleep', '900');

describe.skipIf(!isResidentBuilt)('a command', () => {
  let resident: LaunchedResident;
  let id: string;
  const others: LaunchedResident[] = [];
  beforeAll(async () => {
    id = await container();
    resident = await launchResident(engine, id);
  });
  afterEach(async () => {
    await Promise.all(others.splice(0).map((each) => each.stop(200)));
  });
  afterAll(async () => {
    await resident?.stop(200);
    await world.cleanup();
    await engine.close();
  });

  describe('is gone with all that it has started', () => {
    /** Pids, in the container, of what has this in its environment. */
    async function marked(mark: string): Promise<string[]> {
      const found = await world.docker(
        'exec',
        id,
        'sh',
        '-c',
        `grep -l "${mark}" /proc/[0-9]*/environ 2>/dev/null; true`,
      );
      return found.split('\n').filter(Boolean);
    }
    const sleepers = async () => (await processesIn(world, id)).filter(({ args }) => args === 'sleep 500');
    const RUNAWAYS = [
      `${detached(`sh -c "(setsid sleep 500 &); sleep 500"`)} &`,
      `(trap "" TERM HUP INT; sleep 500 & wait) &`,
      `(setsid sh -c 'trap "" TERM; while :; do sleep 1; done' &)`,
      `env -u AGENTCONTAINERS_PROCESS setsid sleep 500 &`,
      `sleep 500`,
    ].join('\n');

    it.each(['a time-out', 'an abort', 'a kill', 'the time-out of an agent'])('by %s', async (how) => {
      const mark = `MARK_OF_TEST=${how.replaceAll(' ', '-')}`;
      const env = { MARK_OF_TEST: how.replaceAll(' ', '-') };
      const controller = new AbortController();
      const isTimed = how.includes('time-out');
      const spec = { command: RUNAWAYS, env, graceMs: 200, timeoutMs: isTimed ? TIMED : undefined };
      const { runtime } = resident;
      const isUp = (): Promise<unknown> =>
        eventually(
          'all of it runs',
          // The shell itself, the one that goes on for ever, and all that sleeps.
          async () => (await sleepers()).length === 5 && (await marked(mark)).length >= 7,
          TIMED,
        );
      if (how === 'the time-out of an agent') {
        const bash = { command: `echo begun\n${RUNAWAYS}`, env, timeoutMs: TIMED };
        const [answer] = await Promise.all([runBash(runtime, systemClock, bash), isUp()]);
        expect(answer).toMatchObject({
          exitCode: 124,
          output: 'begun\nCommand canceled due to timeout',
        });
      } else {
        const command = await runtime.exec(spec, controller.signal);
        await isUp();
        expect(command.process.running).toBe(true);
        if (how === 'an abort') controller.abort();
        if (how === 'a kill') await command.kill(200);
        expect(await command.exited).toMatchObject({ reason: isTimed ? 'timeout' : 'killed', survivors: [] });
      }
      expect(await marked(mark)).toEqual([]);
      expect(await sleepers()).toEqual([]);
    });
  });

  it.each(['a time-out', 'an abort'])(
    'is gone by %s with daemons that have cleared their environment, and those of others stay',
    async (how) => {
      const { runtime } = resident;
      const sleepers = async (seconds: number): Promise<number> =>
        (await processesIn(world, id)).filter(({ args }) => args === `sleep ${seconds}`).length;
      const daemons = (seconds: number): string =>
        [
          `(env -i setsid sleep ${seconds} &)`,
          `(env -i setsid sh -c 'trap "" TERM HUP; (env -i setsid env -i sleep ${seconds} &); exit 0' &)`,
          'sleep 501',
        ].join('\n');
      const other = await runtime.exec({ command: daemons(503) });
      await eventually('the daemons of another command run', async () => (await sleepers(503)) === 2);
      const controller = new AbortController();
      const timeoutMs = how === 'a time-out' ? TIMED : undefined;
      const command = await runtime.exec({ command: daemons(502), graceMs: 200, timeoutMs }, controller.signal);
      await eventually('its daemons run', async () => (await sleepers(502)) === 2, TIMED);
      if (how === 'an abort') controller.abort();
      const reason = how === 'a time-out' ? 'timeout' : 'killed';
      expect(await command.exited).toMatchObject({ reason, survivors: [] });
      expect(await sleepers(502)).toBe(0);
      expect(await sleepers(503)).toBe(2);
      expect(await other.kill(200)).toMatchObject({ survivors: [] });
      expect(await sleepers(503)).toBe(0);
    },
  );

  it('that leaves something running in background returns at once and says so; that can be ended later', async () => {
    const { runtime } = resident;
    const began = performance.now();
    const command = await runtime.exec({ command: 'sleep 100 & echo started' });
    expect((await collect(command.output)).stdout.toString()).toBe('started\n');
    expect(await command.exited).toMatchObject({ code: 0, reason: 'exit', backgroundHeld: true });
    const bash = await runBash(runtime, systemClock, { command: 'sleep 100 & echo started' });
    expect(bash).toMatchObject({ exitCode: 0, processId: expect.any(String) });
    expect(bash.output).toMatch(/^started\nProcesses that the command has started still run/);
    expect(performance.now() - began).toBeLessThan(60_000);
    const sleepers = async (): Promise<number> =>
      (await processesIn(world, id)).filter(({ args }) => args === 'sleep 100').length;
    expect(await sleepers()).toBe(2);
    await runtime.kill(command.process.id, { graceMs: 100 });
    await runtime.kill(bash.processId ?? '', { graceMs: 100 });
    expect(await sleepers()).toBe(0);
  });

  it('needs no exec of the engine, nor do a terminal and files: all go over the one of the resident', async () => {
    const since = Math.floor(Date.now() / 1_000) - 1;
    const own = await container();
    const launched = await launchResident(engine, own);
    others.push(launched);
    const { runtime } = launched;
    const execs = async (): Promise<number> =>
      (await eventsSince(world.docker, since))
        .split('\n')
        .filter((line) => line.includes(own) && /"Action":"exec(_create: [^"]*)?"/.test(line)).length;
    const before = await execs();
    const lines = await Promise.all(Array.from({ length: 50 }, (_, at) => sh(runtime, `echo ${at}`)));
    expect(lines.map(({ text }) => text)).toEqual(Array.from({ length: 50 }, (_, at) => `${at}\n`));
    const { id: terminal } = await runtime.spawn({ argv: ['cat'], tty: { width: 80, height: 24 } });
    const view = await runtime.attach(terminal);
    await view.write('typed\n');
    view.detach();
    await runtime.files.write('/tmp/file', Buffer.alloc(MIB));
    await runtime.kill(terminal, { graceMs: 100 });
    expect(await execs()).toBe(before);
    // They would have been seen.
    await world.docker('exec', own, 'true');
    expect(await execs()).toBe(before + 1);
  });

  it('writes any bytes, which come as they are, from a file and into one', async () => {
    const { runtime } = resident;
    const bytes = Buffer.alloc(3 * MIB + 17);
    for (let at = 0; at < bytes.length; at++) bytes[at] = (at * 31 + (at >> 8)) & 255;
    await runtime.files.write('/tmp/any bytes', bytes);
    for (const spec of [{ argv: ['cat', '/tmp/any bytes'] }, { command: 'cat "/tmp/any bytes" >&2', merged: true }]) {
      const { stdout } = await collect((await runtime.exec(spec)).output);
      expect(stdout.equals(bytes)).toBe(true);
    }
    const { stderr } = await collect((await runtime.exec({ command: 'cat "/tmp/any bytes" >&2' })).output);
    expect(stderr.equals(bytes)).toBe(true);
  });

  it('may cut its characters anywhere', async () => {
    const { runtime } = resident;
    const command = String.raw`printf 'a\342'; sleep 0.2; printf '\202'; sleep 0.2; printf '\254 \360\237'; sleep 0.2; printf '\230\200z'`;
    const chunks: Uint8Array[] = [];
    for await (const { bytes } of (await runtime.exec({ command })).output) chunks.push(bytes);
    expect(Buffer.concat(chunks).toString()).toBe('a€ 😀z');
    expect((await runBash(runtime, systemClock, { command })).output).toBe('a€ 😀z');
  });

  describe('writes without loss, while our memory stays as it is,', () => {
    const sizes = [65_536, MIB, 16 * MIB, GIB];
    it.each(sizes)(
      '%i bytes',
      async (size) => {
        const line = '0123456789abcde\n';
        const command = await resident.runtime.exec({ command: `yes ${line.trim()} | head -c ${size}` });
        const before = process.memoryUsage().rss;
        const received = createHash('sha256');
        let length = 0;
        let highest = before;
        const began = performance.now();
        for await (const { bytes, offset } of command.output) {
          if (offset !== length) throw new Error(`${offset} follows ${length}`);
          length += bytes.length;
          received.update(bytes);
          if ((length & 0xfffff) < bytes.length) highest = Math.max(highest, process.memoryUsage().rss);
        }
        const took = performance.now() - began;
        expect(length).toBe(size);
        const expected = createHash('sha256');
        const piece = Buffer.from(line.repeat(4_096));
        for (let left = size; left > 0; left -= piece.length) expected.update(piece.subarray(0, left));
        expect(received.digest('hex')).toBe(expected.digest('hex'));
        expect(await command.exited).toMatchObject({ code: 0 });
        const grown = Math.round((highest - before) / MIB);
        const { residentBytes } = await resident.runtime.stats();
        const rate = Math.round(size / MIB / (took / 1_000));
        console.info(`${size} bytes: ${rate} MiB/s, we grew by ${grown} MiB, resident ${residentBytes}`);
        expect(grown).toBeLessThan(160);
        expect(residentBytes).toBeLessThan(48 * MIB);
      },
      LONG,
    );
  });

  it('that writes without end to a slow reader stops only its own stream, and Ctrl-C ends it', async () => {
    const { runtime } = resident;
    const endless = await runtime.exec({ command: 'yes', tty: { width: 80, height: 24 } });
    let read = 0;
    let isDone = false;
    const reading = (async () => {
      for await (const { bytes } of endless.output) {
        read += bytes.length;
        if (!isDone) await delay(100);
      }
    })();
    let slowest = 0;
    for (const until = performance.now() + 30_000; performance.now() < until; await delay(100)) {
      const began = performance.now();
      expect(await sh(runtime, 'echo quick')).toMatchObject({ text: 'quick\n', code: 0 });
      slowest = Math.max(slowest, performance.now() - began);
    }
    const { output } = await runtime.process(endless.process.id);
    expect(output.end - read).toBeLessThan(8 * MIB);
    const began = performance.now();
    await endless.write('\x03');
    expect(await endless.exited).toMatchObject({ signal: 'SIGINT', reason: 'signal' });
    const took = performance.now() - began;
    console.info(`beside it ${Math.round(slowest)} ms at most, Ctrl-C ${Math.round(took)} ms`);
    expect(slowest).toBeLessThan(SOON);
    expect(took).toBeLessThan(SOON);
    isDone = true;
    await reading;
  });

  it('has a connection that ends on both sides when the way to it breaks, and new ones after that', async () => {
    const own = await container();
    const launched = await launchResident(engine, own);
    others.push(launched);
    const { runtime } = launched;
    await runtime.exec({ argv: ['nc', '-ll', '-p', '4711', '-e', 'cat'] });
    await eventually('it listens', async () => (await runtime.ports()).some(({ port }) => port === 4711));
    const echoed = async (text: string) => {
      const connection = await runtime.connect('127.0.0.1', 4711);
      const incoming = connection.incoming[Symbol.asyncIterator]();
      await connection.write(Buffer.from(text));
      const { value } = await incoming.next();
      expect(Buffer.from(value as Uint8Array).toString()).toBe(text);
      return { connection, incoming };
    };
    const { connection, incoming } = await echoed('before');
    const cats = async (): Promise<number> =>
      (await processesIn(world, own)).filter(({ args }) => args === 'cat').length;
    expect(await cats()).toBe(1);
    for (const { pid, args } of await processesIn(world, own))
      if (args.endsWith(' connect')) process.kill(pid, 'SIGKILL');
    await expect(incoming.next()).rejects.toMatchObject({ code: 'runtime-unavailable' });
    await connection.closed;
    await expect(connection.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'runtime-unavailable' });
    await eventually('the end in the container', async () => (await cats()) === 0);
    (await echoed('after')).connection.close();
  });

  it('goes with its container when that has no memory left, and that is the reason', async () => {
    const own = await world.docker(
      ...['run', '-d', '--label', world.label, '--memory', '96m', '--memory-swap', '96m', BASE_IMAGE],
      ...['sh', '-c', 'until [ -e /go ]; do sleep 0.1; done; exec dd if=/dev/zero of=/dev/null bs=512M count=1'],
    );
    const launched = await launchResident(engine, own);
    const command = await launched.runtime.exec({ argv: ['sleep', '600'] });
    await world.docker('exec', own, 'touch', '/go');
    const exit = await launched.exited;
    // Now and then an engine that tells it does not: the container had ended before it heard of that.
    const isTold = (await world.docker('inspect', '-f', '{{.State.OOMKilled}}', own)) === 'true';
    expect(exit).toMatchObject(
      isTold ? { reason: 'oom', message: 'The sub-agent was ended for lack of memory.' } : { reason: 'container-gone' },
    );
    expect(await command.exited).toMatchObject({ code: null, reason: 'lost' });
  });

  it('that is killed for lack of memory says so, and a break of the connection after it ends nothing', async () => {
    const own = await container('--memory', '96m', '--memory-swap', '96m');
    const launched = await launchResident(engine, own);
    others.push(launched);
    const { runtime } = launched;
    const other = await runtime.exec({ argv: ['cat'], stdin: true });
    const eater = await runtime.exec({ argv: ['tail', '/dev/zero'] });
    expect(await eater.exited).toMatchObject({ code: null, signal: 'SIGKILL', reason: 'oom' });
    const connects = (await processesIn(world, own)).filter(({ args }) => args.endsWith(' connect'));
    for (const { pid } of connects) process.kill(pid, 'SIGKILL');
    // What is written to a connection that breaks at that moment would be lost with it.
    await eventually('another connection', async () =>
      (await processesIn(world, own)).some(
        ({ pid, args }) => args.endsWith(' connect') && !connects.some((old) => old.pid === pid),
      ),
    );
    expect(await sh(runtime, 'echo on')).toMatchObject({ text: 'on\n', code: 0 });
    await other.write('still here');
    other.closeStdin();
    expect((await collect(other.output)).stdout.toString()).toBe('still here');
    expect(await other.exited).toMatchObject({ code: 0, reason: 'exit' });
  });

  it('that closed its input runs on when the connection breaks', async () => {
    const own = await container();
    const launched = await launchResident(engine, own);
    others.push(launched);
    const { runtime } = launched;
    const command = await runtime.exec({ command: 'head -c1; exec <&-; sleep 4; echo end', stdin: true });
    const text = collect(command.output);
    const writing = command.write(Buffer.alloc(4 * MIB, 'x'));
    writing.catch(() => {});
    await eventually('it has closed its input', async () => {
      const { stdin } = await runtime.process(command.process.id);
      return stdin?.isOpen === false || undefined;
    });
    for (const { pid, args } of await processesIn(world, own))
      if (args.endsWith(' connect')) process.kill(pid, 'SIGKILL');
    expect((await text).stdout.toString()).toBe('xend\n');
    expect(await command.exited).toMatchObject({ code: 0, reason: 'exit' });
  });

  it('runs on when the adoption of its resident is given up at any time', async () => {
    const own = await container();
    const secret = 'secret of an adoption';
    const first = await launchResident(engine, own, { secret });
    const { id: processId } = await first.runtime.spawn({ argv: ['sleep', '7001'] });
    await first.detach?.();
    const binary = await residentBinary();
    const launcher = createSubAgentLauncher({
      engine,
      clock: systemClock,
      logger: silentLogger,
      residentSecret: secret,
    });
    const { path } = await launcher.deliver({ containerId: own, binary, signal: within() });
    for (const after of [0, 5, 20, 40, 60, 80, 120, 200]) {
      const leaving = new AbortController();
      const request = { ...launchRequest({ containerId: own, binary, path }), signal: leaving.signal };
      const adopting = launcher.launch(request).then(
        // It was there before: then it is let go of.
        (adopted) => adopted.detach?.(),
        () => {},
      );
      await delay(after);
      // An adoption that is complete is a daemon's own to end: this is about those that are not.
      let isOver = false;
      void adopting.then(() => (isOver = true));
      await delay(0);
      if (!isOver) leaving.abort(new Error('given up'));
      await adopting;
    }
    const last = await launchResident(engine, own, { secret });
    others.push(last);
    expect(await last.runtime.process(processId)).toMatchObject({ running: true });
  });
});
