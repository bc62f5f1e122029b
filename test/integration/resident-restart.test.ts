/** Daemons that are killed hard, residents that are killed, and containers that are paused, stopped or out of memory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createStateStorage } from '../../src/daemon/state/state-storage.ts';
import { stateDirectoryAt } from '../../src/daemon/state/state-directory.ts';
import { silentLogger } from '../../src/logger.ts';
import type { AgentContainersOptions, Devcontainer, DevcontainerRuntime, PortForward } from '../../src/index.ts';
import { residentSubAgentProvider } from '../../src/subagent/provider.ts';
import { processesIn, subAgentsIn } from './support/container-processes.ts';
import { testEngine } from './support/engine-harness.ts';
import { eventually } from './support/eventually.ts';
import { hasAgent, startLibrary } from './support/library.ts';
import type { Library } from './support/library.ts';
import { RESIDENT_DIRECTORY, collect, isResidentBuilt, runDevcontainer } from './resident-support.ts';

const world = testEngine();
const SECRET = 'secret-of-these-tests';
const LONG = 120_000;

const startOne = (options: AgentContainersOptions = {}): Promise<Library> =>
  startLibrary(world, {
    subAgentProvider: residentSubAgentProvider({ directory: RESIDENT_DIRECTORY }),
    labelSecret: SECRET,
    injectTimeoutMs: 60_000,
    ...options,
  });

interface Started {
  readonly id: string;
  readonly pid: number;
}
interface Ready {
  readonly id: string;
  readonly started: Readonly<Record<string, Started>>;
  readonly exec: Started;
  readonly forward: PortForward;
}

/** What another process says, line by line. */
interface Victim {
  ready(): Promise<Ready>;
  /** Of all that it was shown of a terminal. */
  screen(name: string): Buffer;
  read(): number;
  uploaded(): number;
  kill(): Promise<void>;
}

async function startVictim(folder: string, state: string, commands: object): Promise<Victim> {
  const module = new URL('resident-victim.ts', import.meta.url).pathname;
  const script = `import { runnerImport } from 'vite'; await runnerImport(${JSON.stringify(module)});`;
  const env = {
    ...process.env,
    TEST_DOCKER_HOST: world.dockerHost,
    TEST_ROOT: dirname(folder),
    TEST_FOLDER: folder,
    TEST_STATE: state,
    TEST_SECRET: SECRET,
    TEST_COMMANDS: JSON.stringify(commands),
  };
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let ready: Ready | undefined;
  const screens = new Map<string, Buffer[]>();
  let read = 0;
  let uploaded = 0;
  let rest = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const told = JSON.parse(line) as { event: string } & Record<string, never>;
      if (told.event === 'ready') ready = told as unknown as Ready;
      else if (told.event === 'read') read = told['bytes'] ?? 0;
      else if (told.event === 'uploaded') uploaded = told['pieces'] ?? 0;
      else if (told.event === 'screen') {
        const name = String(told['name']);
        screens.set(name, [...(screens.get(name) ?? []), Buffer.from(String(told['bytes']), 'base64')]);
      } else throw new Error(`The other process failed: ${line}`);
    }
  });
  return {
    ready: () => eventually('the other process is at work', () => ready, 90_000),
    screen: (name) => Buffer.concat(screens.get(name) ?? []),
    read: () => read,
    uploaded: () => uploaded,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

async function outputOf(runtime: DevcontainerRuntime, id: string): Promise<string> {
  const { stdout } = await collect(runtime.output(id, { follow: true }));
  return stdout.toString();
}

/** What is kept of a terminal now. */
async function replay(runtime: DevcontainerRuntime, id: string): Promise<Buffer> {
  return (await collect(runtime.output(id, { offset: 0 }))).stdout;
}

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function echoes(socket: Socket, text: string): Promise<void> {
  let back = '';
  socket.on('data', (chunk: Buffer) => (back += chunk.toString()));
  socket.write(text);
  await eventually('the echo', () => back.includes(text));
}

describe.skipIf(!isResidentBuilt)('what runs in a container', () => {
  let library: Library | undefined;
  let victim: Victim | undefined;
  beforeAll(() => world.makeFolder('root'));
  afterEach(async () => {
    await victim?.kill();
    await library?.api.close();
    library = undefined;
    const ids = await world.docker('ps', '-aq', '--filter', `label=${world.label}`);
    if (ids !== '') await world.docker('rm', '-f', '-v', ...ids.split('\n'));
  });
  afterAll(() => world.cleanup());

  it(
    'outlives a daemon that is killed hard in the middle of everything',
    async () => {
      const { folder, containerId } = await runDevcontainer(world);
      await world.docker('exec', containerId, 'sh', '-c', 'mkdir /uploads; echo before >/uploads/file');
      const state = await world.makeFolder('state');
      victim = await startVictim(folder, state, {
        // More than is kept in memory, so that the rest is in a file.
        many: {
          command: `i=0; while [ $i -lt 600 ]; do printf 'line %d %01000d\\n' $i $i; i=$((i+1)); usleep 10000; done; exit 9`,
          overflow: 'spill',
          ringBytes: 65_536,
        },
        short: { command: 'sleep 1; echo done; exit 7' },
        echo: { argv: ['nc', '-ll', '-p', '4711', '-e', 'cat'] },
        editor: { argv: ['vi', '/uploads/edited'], tty: { width: 80, height: 24 } },
        top: { argv: ['top', '-d', '1'], tty: { width: 80, height: 24 } },
      });
      const { id, started, exec, forward } = await victim.ready();
      const { many, short, echo, editor, top } = started as Record<string, Started> as Record<
        'many' | 'short' | 'echo' | 'editor' | 'top',
        Started
      >;
      const held = await dial(forward.hostPort);
      await echoes(held, 'before the end\n');
      const watched = victim;
      await eventually(
        'all is under way',
        () =>
          watched.read() > 200 &&
          watched.uploaded() >= 20 &&
          watched.screen('editor').includes('hello') &&
          watched.screen('top').includes('CPU:'),
      );
      const agents = await subAgentsIn(world, containerId);
      expect(agents).toHaveLength(1);
      await victim.kill();
      const ended = held.closed ? undefined : once(held, 'close');
      await ended;

      library = await startOne({ storage: createStateStorage(stateDirectoryAt(state), silentLogger) });
      const devcontainer = await library.until(folder, 'running with its sub-agent', hasAgent);
      expect(devcontainer.id).toBe(id);
      const runtime = library.api.devcontainer(id);

      // The same ones, under the same resident.
      expect(await subAgentsIn(world, containerId)).toEqual(agents);
      const found = new Map((await runtime.processes()).map((process) => [process.id, process]));
      for (const one of [many, short, echo, editor, top, exec])
        expect(found.get(one.id)).toMatchObject({ pid: one.pid });
      expect(found.size).toBe(6);

      // Not a byte is lost or twice, and each end is known.
      const [all, small] = await Promise.all([outputOf(runtime, many.id), outputOf(runtime, exec.id)]);
      const lines = Array.from({ length: 600 }, (_, line) => line);
      expect(small).toBe(lines.map((line) => `line ${line}\n`).join(''));
      expect(all).toBe(lines.map((line) => `line ${line} ${String(line).padStart(1_000, '0')}\n`).join(''));
      expect(await runtime.process(many.id, { waitMs: 30_000 })).toMatchObject({ exit: { code: 9, reason: 'exit' } });
      expect(await runtime.process(exec.id, { waitMs: 30_000 })).toMatchObject({ exit: { code: 8, reason: 'exit' } });
      expect(await runtime.process(short.id, { waitMs: 30_000 })).toMatchObject({ exit: { code: 7 } });

      // The screens are those that were there, and go on.
      for (const [name, terminal] of [
        ['editor', editor],
        ['top', top],
      ] as const) {
        const before = victim.screen(name);
        const now = await replay(runtime, terminal.id);
        expect(now.subarray(0, before.length).equals(before)).toBe(true);
        expect(now.length).toBeGreaterThanOrEqual(before.length);
      }
      const seen = await replay(runtime, editor.id);
      const attached = await runtime.attach(editor.id);
      const shown: Buffer[] = [];
      const viewing = (async () => {
        for await (const { bytes } of attached.output) shown.push(Buffer.from(bytes));
      })();
      await eventually('the same screen', () => Buffer.concat(shown).length >= seen.length);
      expect(Buffer.concat(shown).subarray(0, seen.length).equals(seen)).toBe(true);
      await attached.write(' again');
      await eventually('what was typed', () => Buffer.concat(shown).includes('again'));
      // What follows it at once is taken for the rest of a key: the mode that the last line shows says that it was read.
      const typed = Buffer.concat(shown).length;
      await attached.write('\x1b');
      await eventually('the end of typing', () => Buffer.concat(shown).length > typed);
      await attached.write(':wq\r');
      expect(await attached.exited).toMatchObject({ code: 0 });
      await viewing;
      expect(await world.docker('exec', containerId, 'cat', '/uploads/edited')).toBe('hello again');
      await runtime.writeStdin(top.id, 'q');
      expect(await runtime.process(top.id, { waitMs: 30_000 })).toMatchObject({ running: false, exit: { code: 0 } });

      // Half an upload is none, and nothing of it lies about.
      await eventually('no file of the upload is left', async () => {
        const { entries } = await runtime.files.list('/uploads');
        const names = new Set(entries.map(({ path }) => path.split('/').at(-1)));
        return names.size === 2 && names.has('edited') && names.has('file');
      });
      expect(await world.docker('exec', containerId, 'cat', '/uploads/file')).toBe('before');

      // The connection of before has ended in the container too; there are new ones, on the same port.
      await eventually('the end of the connection in the container', async () =>
        (await processesIn(world, containerId)).every(({ args }) => args !== 'cat'),
      );
      expect(await runtime.forwards()).toMatchObject([{ port: 4711, hostPort: forward.hostPort, status: 'listening' }]);
      const next = await dial(forward.hostPort);
      await echoes(next, 'after it\n');
      next.destroy();
      expect(await subAgentsIn(world, containerId)).toEqual(agents);
    },
    LONG,
  );

  it('is told to be lost within a moment when its resident is killed, and the next one is there soon', async () => {
    const { folder, containerId } = await runDevcontainer(world);
    library = await startOne();
    const { devcontainer, agentPid } = await library.injected(folder);
    const runtime = library.api.devcontainer(devcontainer.id);
    const command = await runtime.exec({ argv: ['sleep', '600'] });
    const told = new Promise<{ readonly devcontainer: Devcontainer; readonly at: number }>((resolve) => {
      library?.api.subscribe(({ devcontainers }) => {
        const now = devcontainers.find(({ id }) => id === devcontainer.id);
        if (now?.agent?.status === 'exited') resolve({ devcontainer: now, at: performance.now() });
      });
    });
    const killedAt = performance.now();
    process.kill(agentPid, 'SIGKILL');
    const { devcontainer: seen, at } = await told;
    console.info(`kill of the resident to the report: ${Math.round(at - killedAt)} ms`);
    expect(at - killedAt).toBeLessThan(10_000);
    expect(seen.agent).toMatchObject({
      status: 'exited',
      reason: 'The resident ended although its container runs; what ran under it is lost.',
    });
    expect(await command.exited).toMatchObject({ code: null, reason: 'lost' });
    const next = await library.until(folder, 'running with its sub-agent again', hasAgent);
    console.info(`kill of the resident to the next one: ${Math.round(performance.now() - killedAt)} ms`);
    expect(next.status).toBe('running');
    const agents = await eventually('one sub-agent', async () => {
      const pids = await subAgentsIn(world, containerId);
      return pids.length === 1 && pids;
    });
    expect(agents).not.toEqual([agentPid]);
    expect(await (await runtime.exec({ argv: ['true'] })).exited).toMatchObject({ code: 0, via: 'resident' });
  });

  it('stands still while its container is paused, and goes on after that', async () => {
    const { folder, containerId } = await runDevcontainer(world);
    library = await startOne();
    const { devcontainer, agentPid } = await library.injected(folder);
    const runtime = library.api.devcontainer(devcontainer.id);
    const command = await runtime.exec({ command: 'read line; echo "got $line"; exit 4', stdin: true });
    await world.docker('pause', containerId);
    await library.until(folder, 'paused', (seen) => seen.container?.state === 'paused');
    const late = runtime.exec({ argv: ['true'] }).then(
      () => 'ran',
      (error: { code?: string }) => error.code,
    );
    const written = command.write('ice\n').catch(() => {});
    await world.docker('unpause', containerId);
    await library.until(folder, 'running again', (seen) => seen.container?.state === 'running' && hasAgent(seen));
    await written;
    expect((await collect(command.output)).stdout.toString()).toBe('got ice\n');
    expect(await command.exited).toMatchObject({ code: 4, reason: 'exit' });
    // What was asked for meanwhile was refused, or waited.
    expect(['ran', 'devcontainer-not-running']).toContain(await late);
    expect(await subAgentsIn(world, containerId)).toEqual([agentPid]);
  });

  it.each(['stop', 'kill'])('ends with its container (%s), which is told', async (how) => {
    const { folder, containerId } = await runDevcontainer(world);
    library = await startOne();
    const { devcontainer } = await library.injected(folder);
    const runtime = library.api.devcontainer(devcontainer.id);
    const command = await runtime.exec({ argv: ['sleep', '600'] });
    await world.docker(how, containerId);
    expect(await command.exited).toMatchObject({ code: null, reason: 'lost' });
    const seen = await library.until(folder, 'stopped', ({ status }) => status === 'stopped');
    expect(seen.container).toMatchObject({ running: false });
    await expect(runtime.exec({ argv: ['true'] })).rejects.toMatchObject({ code: 'devcontainer-not-running' });
    await world.docker('start', containerId);
    await library.until(folder, 'running with its sub-agent', hasAgent);
    expect(await (await runtime.exec({ argv: ['true'] })).exited).toMatchObject({ code: 0, via: 'resident' });
  });

  it('is told to have had too little memory, and the resident outlives that', async () => {
    const { folder, containerId } = await runDevcontainer(world, {
      options: ['--memory', '96m', '--memory-swap', '96m'],
    });
    library = await startOne();
    const { devcontainer, agentPid } = await library.injected(folder);
    const runtime = library.api.devcontainer(devcontainer.id);
    const command = await runtime.exec({ argv: ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=512M', 'count=1'] });
    expect(await command.exited).toMatchObject({ code: null, signal: 'SIGKILL', reason: 'oom' });
    expect(await (await runtime.exec({ argv: ['true'] })).exited).toMatchObject({ code: 0 });
    expect(await subAgentsIn(world, containerId)).toEqual([agentPid]);
    const bash = await runtime.bash({ command: 'dd if=/dev/zero of=/dev/null bs=512M count=1' });
    expect(bash).toMatchObject({ exitCode: 137, output: expect.stringContaining('no memory left') });
  });

  it('ends with a container whose first process had too little memory, which is told', async () => {
    const { folder, containerId } = await runDevcontainer(world, {
      options: ['--memory', '96m', '--memory-swap', '96m'],
      does: ['sh', '-c', 'until [ -e /go ]; do sleep 0.1; done; exec dd if=/dev/zero of=/dev/null bs=512M count=1'],
    });
    library = await startOne();
    const { devcontainer } = await library.injected(folder);
    const runtime = library.api.devcontainer(devcontainer.id);
    const reasons: (string | undefined)[] = [];
    library.api.subscribe(({ devcontainers }) => {
      const now = devcontainers.find(({ id }) => id === devcontainer.id);
      if (now?.agent && 'reason' in now.agent) reasons.push(now.agent.reason);
    });
    const command = await runtime.exec({ argv: ['sleep', '600'] });
    await world.docker('exec', containerId, 'touch', '/go');
    expect(await command.exited).toMatchObject({ code: null, reason: 'lost' });
    const seen = await library.until(folder, 'stopped', ({ status }) => status === 'stopped');
    expect(seen.container).toMatchObject({ running: false });
    await expect(runtime.exec({ argv: ['true'] })).rejects.toMatchObject({ code: 'devcontainer-not-running' });
    console.info(`told of the sub-agent: ${reasons.join(' | ')}; of the container: ${seen.container?.status}`);
  });
});
