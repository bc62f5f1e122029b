/** Commands as other users than the resident's, and the environment that profiles make. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DevcontainerRuntime } from '../../src/index.ts';
import { residentSubAgentProvider } from '../../src/subagent/provider.ts';
import { testEngine } from './support/engine-harness.ts';
import { hasAgent, startLibrary } from './support/library.ts';
import type { Library } from './support/library.ts';
import { RESIDENT_DIRECTORY, collect, isResidentBuilt, runDevcontainer } from './resident-support.ts';

const world = testEngine();
const PROFILE = `echo 'a profile speaks'
export FROM_PROFILE=yes PATH=/home/dev/bin:$PATH
case $- in *i*) export FROM_INTERACTIVE=yes ;; esac
`;

describe.skipIf(!isResidentBuilt)('a resident that is not root', () => {
  let library: Library;
  let runtime: DevcontainerRuntime;
  const said: string[] = [];

  /** A container with a profile. */
  async function start(config: object, profile = PROFILE): Promise<{ runtime: DevcontainerRuntime; id: string }> {
    const path = join(await world.makeFolder('profile'), 'profile');
    await writeFile(path, profile);
    const { folder } = await runDevcontainer(world, {
      options: ['-v', `${path}:/etc/profile:ro`, '-e', 'OF_CONTAINER=yes'],
      config: { remoteUser: 'dev', remoteEnv: { OF_CONFIG: 'yes', FROM_BOTH: 'config' }, ...config },
    });
    const { id } = await library.until(folder, 'its resident', hasAgent);
    return { runtime: library.api.devcontainer(id), id };
  }
  async function environment(of: DevcontainerRuntime, more: { user?: string } = {}): Promise<string[]> {
    const running = await of.exec({ argv: ['env'], ...more });
    return (await collect(running.output)).stdout.toString().split('\n');
  }

  beforeAll(async () => {
    const level = (text: unknown): void => void said.push(String(text));
    const logger = { debug() {}, info() {}, error() {}, warn: (_fields: object, text?: string) => level(text) };
    library = await startLibrary(world, {
      subAgentProvider: residentSubAgentProvider({ directory: RESIDENT_DIRECTORY }),
      injectTimeoutMs: 60_000,
      logger: logger as never,
    });
    ({ runtime } = await start({}));
  });
  afterAll(async () => {
    await library?.[Symbol.asyncDispose]();
    await world.cleanup();
  });

  it('gives commands what the profiles of its user set', async () => {
    expect(await runtime.via()).toBe('resident');
    const names = ['FROM_PROFILE=yes', 'FROM_INTERACTIVE=yes', 'OF_CONTAINER=yes', 'OF_CONFIG=yes', 'HOME=/home/dev'];
    const own = await environment(runtime);
    expect(own).toEqual(expect.arrayContaining(names));
    expect(own.find((pair) => pair.startsWith('PATH='))).toMatch(/^PATH=\/home\/dev\/bin:/);
    expect(own.filter((pair) => /^(RUN_ID|SHLVL|OLDPWD|AGENTCONTAINERS_(TOKEN|RUN_ID))=/.test(pair))).toEqual([]);
    expect(await runtime.bash({ command: 'echo $FROM_PROFILE' })).toMatchObject({ output: 'yes', via: 'resident' });
  });

  it.each([
    ['none', { FROM_PROFILE: false, FROM_INTERACTIVE: false }],
    ['loginShell', { FROM_PROFILE: true, FROM_INTERACTIVE: false }],
  ])('as the configuration has it: %s', async (userEnvProbe, expected) => {
    const other = await start({ userEnvProbe });
    const own = await environment(other.runtime);
    for (const [name, isSet] of Object.entries(expected))
      expect([name, own.includes(`${name}=yes`)]).toEqual([name, isSet]);
  });

  it('goes on without profiles that fail, and says so', async () => {
    const broken = await start({}, 'export FROM_PROFILE=yes\nexit 3\n');
    const own = await environment(broken.runtime);
    expect(own).toContain('OF_CONFIG=yes');
    expect(own).not.toContain('FROM_PROFILE=yes');
    const told = 'Probing the environment of the user failed: exit code 3.';
    expect(said.some((text) => text.includes(told))).toBe(true);
    expect(await library.logText(broken.id)).toContain(told);
  });

  it('leaves commands as other users to the engine, and says so', async () => {
    const running = await runtime.exec({ command: 'id -u; echo $HOME $OF_CONFIG; cat', user: 'root', stdin: true });
    expect(running).toMatchObject({ via: 'engine', process: { user: 'root' } });
    await running.write('typed');
    running.closeStdin();
    expect((await collect(running.output)).stdout.toString()).toBe('0\n/root yes\ntyped');
    expect(await running.exited).toMatchObject({ code: 0, via: 'engine' });

    const { id } = await runtime.spawn({ argv: ['sleep', '8101'], user: '0' });
    expect((await runtime.processes()).find((one) => one.id === id)).toMatchObject({ running: true });
    expect(await runtime.kill(id, { graceMs: 100 })).toMatchObject({ exit: { reason: 'killed', via: 'engine' } });
    const own = await runtime.exec({ argv: ['id', '-u'], user: 'dev' });
    expect(own.via).toBe('resident');
    expect((await collect(own.output)).stdout.toString()).toBe('1000\n');
  });

  it('refuses terminals of other users with the reason, and what to do', async () => {
    const terminal = { argv: ['sh'], user: 'root', tty: { width: 80, height: 24 } };
    await expect(runtime.spawn(terminal)).rejects.toMatchObject({
      code: 'command-refused',
      message: expect.stringMatching(/^Opening a terminal as "root" failed: the resident is not root .* sudo or su /),
    });
    await expect(runtime.exec({ argv: ['true'], user: 'nobody-of-that-name' })).rejects.toMatchObject({
      code: 'command-refused',
    });
  });
});
