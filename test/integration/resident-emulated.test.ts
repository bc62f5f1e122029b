/** The resident for arm64, in a container whose programs are all of arm64: on other machines under qemu. */
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createStateStorage } from '../../src/daemon/state/state-storage.ts';
import { stateDirectoryAt } from '../../src/daemon/state/state-directory.ts';
import { silentLogger } from '../../src/logger.ts';
import type { DevcontainerRuntime } from '../../src/index.ts';
import { residentSubAgentProvider } from '../../src/subagent/provider.ts';
import { processesIn, subAgentsIn } from './support/container-processes.ts';
import { foreignImage } from './support/emulation.ts';
import { testEngine } from './support/engine-harness.ts';
import { eventually } from './support/eventually.ts';
import { hasAgent, startLibrary } from './support/library.ts';
import type { Library } from './support/library.ts';
import { RESIDENT_DIRECTORY, collect, isResidentBuilt, runDevcontainer } from './resident-support.ts';

const world = testEngine();
/** Each program has to be translated first. */
const LONG = 180_000;
const start = (state: string): Promise<Library> =>
  startLibrary(world, {
    subAgentProvider: residentSubAgentProvider({ directory: RESIDENT_DIRECTORY }),
    labelSecret: 'secret-of-this-test',
    injectTimeoutMs: 120_000,
    keepSubAgents: true,
    storage: createStateStorage(stateDirectoryAt(state), silentLogger),
  });

describe.skipIf(!isResidentBuilt)('a container of arm64', { timeout: LONG }, () => {
  let missing: string | undefined;
  let library: Library;
  let folder: string;
  let state: string;
  let containerId: string;
  let runtime: DevcontainerRuntime;

  beforeAll(async () => {
    const found = await foreignImage(world, 'arm64');
    missing = found.missing;
    if (found.missing !== undefined) {
      console.warn(`\nTHE RESIDENT FOR ARM64 IS NOT TESTED: ${missing}\n`);
      return;
    }
    state = await world.makeFolder('state');
    ({ folder, containerId } = await runDevcontainer(world, {
      image: found.image,
      does: ['/bin/stubborn', '900'],
      config: { image: found.image, remoteUser: 'dev', remoteEnv: { COLOUR: 'green' } },
    }));
    library = await start(state);
    const { devcontainer } = await library.injected(folder);
    runtime = library.api.devcontainer(devcontainer.id);
  }, LONG);
  afterAll(async () => {
    await library?.api.close();
    await world.cleanup();
  });

  beforeEach(({ skip }) => {
    if (missing === undefined) return;
    if (process.env['CI'] === 'true') throw new Error(`In CI this may not be skipped: ${missing}`);
    skip(missing);
  });

  async function ran(argv: readonly string[]) {
    const command = await runtime.exec({ argv, timeoutMs: 60_000 });
    const { stdout } = await collect(command.output);
    return { text: stdout.toString(), exit: await command.exited };
  }

  it('has the resident for arm64, as its remote user', async () => {
    // Of a process that is emulated the host sees the emulator; its file is in the container.
    const own = await readFile(join(RESIDENT_DIRECTORY, 'linux-arm64/resident'));
    const sha256 = createHash('sha256').update(own).digest('hex');
    const delivered = `/.agentcontainers/resident-${sha256.slice(0, 12)}`;
    const copy = join(await world.makeFolder('delivered'), 'resident');
    await world.docker('cp', `${containerId}:${delivered}`, copy);
    expect((await readFile(copy)).equals(own)).toBe(true);
    expect(await runtime.via()).toBe('resident');
    expect(await ran(['arch'])).toMatchObject({ text: 'arm64\n', exit: { code: 0, via: 'resident' } });
    expect(await ran(['id'])).toMatchObject({ text: '1000\n' });
    expect((await ran(['env'])).text).toMatch(/^COLOUR=green$/m);
  });

  it('runs commands: input, output, exit codes, lines of a shell, and what is not there', async () => {
    const cat = await runtime.exec({ argv: ['cat'], stdin: true });
    const bytes = Buffer.alloc(3_000_000, 'in and out ');
    const reading = collect(cat.output);
    await cat.write(bytes);
    cat.closeStdin();
    expect((await reading).stdout.equals(bytes)).toBe(true);
    expect(await cat.exited).toMatchObject({ code: 0 });
    expect(await runtime.bash({ command: 'echo one; id; exit 7' })).toMatchObject({
      output: 'one\n1000',
      exitCode: 7,
      via: 'resident',
    });
    await expect(runtime.exec({ argv: ['/not/there'] })).rejects.toMatchObject({ code: 'command-refused' });
  });

  it('has its trees ended whole', async () => {
    // Without those whose arguments only name them.
    const those = async (): Promise<number> =>
      (await processesIn(world, containerId)).filter(
        ({ args }) => /[/ ]?(stubborn|sleep) 50\d$/.test(args) && !args.includes(' -c '),
      ).length;
    const bash = await runtime.bash({
      command: 'echo begun; setsid stubborn 501 &; setsid setsid sleep 502 &; stubborn 503',
      timeoutMs: 5_000,
    });
    expect(bash).toMatchObject({ exitCode: 124, output: 'begun\nCommand canceled due to timeout' });
    expect(await those()).toBe(0);

    const command = await runtime.exec({ command: 'setsid stubborn 504 &; sleep 505' });
    await eventually('both of them', async () => (await those()) === 2);
    expect(await command.kill(100)).toMatchObject({ reason: 'killed', survivors: [] });
    expect(await those()).toBe(0);
  });

  it('has terminals, files and ports', async () => {
    const terminal = await runtime.spawn({ argv: ['cat'], tty: { width: 80, height: 24 } });
    await runtime.writeStdin(terminal.id, 'typed\r');
    await eventually('what was typed, twice', async () => {
      const { stdout } = await collect(runtime.output(terminal.id, { offset: 0 }));
      return stdout.toString() === 'typed\r\ntyped\r\n';
    });
    await runtime.writeStdin(terminal.id, '\x03');
    expect(await runtime.process(terminal.id, { waitMs: 60_000 })).toMatchObject({ exit: { signal: 'SIGINT' } });

    await runtime.files.write('/dev/shm/file', Buffer.from('content'));
    expect(await runtime.files.stat('/dev/shm/file')).toMatchObject({ size: 7, uid: 1000 });

    const { id } = await runtime.spawn({ argv: ['answer', '4711'] });
    await eventually('its port', async () =>
      (await runtime.ports()).some(({ port, process }) => port === 4711 && process === id),
    );
    const { hostPort, id: forwardId } = await runtime.forward({ port: 4711 });
    const socket = connect(hostPort, '127.0.0.1');
    socket.write('over the wire');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toBe('over the wire');
    socket.destroy();
    await runtime.endForward(forwardId);
    await runtime.kill(id, { graceMs: 100 });
  });

  it('keeps what runs when the daemon goes, for the next one, under the same resident', async () => {
    const agents = await subAgentsIn(world, containerId);
    expect(agents).toHaveLength(1);
    const { id, pid } = await runtime.spawn({ argv: ['count', '600'], overflow: 'spill' });
    await eventually('some of it', async () => (await runtime.process(id)).output.end > 100);
    await library.api.close();
    library = await start(state);
    const { devcontainer } = await library.injected(folder);
    runtime = library.api.devcontainer(devcontainer.id);
    expect(await subAgentsIn(world, containerId)).toEqual(agents);
    expect(await runtime.process(id)).toMatchObject({ pid });
    const { stdout } = await collect(runtime.output(id, { offset: 0, follow: true }));
    expect(stdout.toString()).toBe(Array.from({ length: 600 }, (_, line) => `line ${line}\n`).join(''));
    expect(await runtime.process(id, { waitMs: 60_000 })).toMatchObject({ exit: { code: 0, reason: 'exit' } });
    expect(hasAgent((await library.api.list()).devcontainers.find((one) => one.workspaceFolder === folder)!)).toBe(
      true,
    );
  });
});
