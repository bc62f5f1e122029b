import { describe, expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import type { OutputChunk } from '../../src/index.ts';
import { createGate } from '../../src/testing/index.ts';
import type { TestWorld } from '../../src/testing/index.ts';
import { withResidents, type Residents } from './support/residents.ts';
import { begin, beginWithApp, restarted, tell, type AppStory } from './support/story.ts';

async function textOf(output: AsyncIterable<OutputChunk>): Promise<string> {
  let text = '';
  for await (const { bytes } of output) text += Buffer.from(bytes).toString();
  return text;
}

interface ResidentStory extends AppStory {
  readonly residents: Residents;
}

async function beginWithResident(
  given: Parameters<typeof beginWithApp>[0] = {},
  arrange: (world: TestWorld) => void = () => {},
): Promise<ResidentStory> {
  let residents: Residents | undefined;
  const story = await beginWithApp({
    ...given,
    arrange(world) {
      residents = withResidents(world);
      arrange(world);
    },
  });
  if (!residents) throw new Error('there are no residents');
  return { ...story, residents };
}

/**
 * Commands that go on until they are ended, and the command by which the engine ends them.
 * @param by the first signal that they do not ignore
 */
function sleeps({ engine }: Pick<TestWorld, 'engine'>, by: 'TERM' | 'KILL' = 'TERM'): void {
  engine.onExec(['sleep'], () => new Promise<number>(() => {}));
  engine.onExec(
    ({ argv }) => argv[0] === '/bin/sh' && argv.at(-2)?.startsWith('AGENTCONTAINERS_RUN_ID=') === true,
    ({ spec }) => {
      const [mark, signal] = spec.argv.slice(-2);
      const marked = engine.openExecs.filter((one) => mark !== undefined && one.spec.env?.includes(mark));
      if (signal === by) for (const session of marked) session.end(143);
      return 0;
    },
  );
}

describe('where the sub-agent serves nothing', () => {
  test('a command goes through the engine, as the remote user, in the workspace folder, with the remote environment', async () => {
    const { world, api, id, end } = await beginWithApp({
      workspace: { merged: { remoteUser: 'dev', workspaceFolder: '/workspaces/app', remoteEnv: { A: '1' } } },
      arrange: ({ engine }) =>
        engine.onExec(['env'], ({ spec, stdout }) => {
          stdout(`${spec.user} ${spec.workingDir} ${spec.env?.filter((one) => /^[AB]=/.test(one)).join(' ')}`);
          return 5;
        }),
    });
    const runtime = api.devcontainer(id);
    expect(await runtime.via()).toBe('engine');
    const running = await runtime.exec({ argv: ['env'], env: { B: '2' } });
    expect(running).toMatchObject({ via: 'engine', process: { id: 'engine-1' } });
    expect(await textOf(running.output)).toBe('dev /workspaces/app A=1 B=2');
    expect(await running.exited).toMatchObject({ code: 5, reason: 'exit', via: 'engine' });
    await world.clock.settle();
    await end();
  });

  test('its environment is what the profiles of the user make of it, found out once', async () => {
    let probes = 0;
    const { api, id, end } = await beginWithApp({
      workspace: { merged: { remoteUser: 'dev', remoteEnv: { A: 'remote' }, userEnvProbe: 'loginShell' } },
      container: { env: ['PATH=/opt/bin:/bin'] },
      arrange({ engine }) {
        engine.onExec(
          ({ argv }) => argv.at(-2)?.startsWith('environment-') === true,
          ({ spec, stdout }) => {
            probes++;
            expect(spec.user).toBe('dev');
            stdout(
              `${spec.argv.at(-2)}\nA=profile\0B=profile\0HOME=/home/dev\0PATH=/home/dev/bin:/bin\0${spec.argv.at(-2)}\n`,
            );
            return 0;
          },
        );
        engine.onExec(['env'], ({ spec, stdout }) => {
          stdout(
            `${spec.env
              ?.filter((one) => !one.startsWith('AGENTCONTAINERS'))
              .sort()
              .join(' ')}`,
          );
          return 0;
        });
      },
    });
    const runtime = api.devcontainer(id);
    const commands = await Promise.all([
      runtime.exec({ argv: ['env'] }),
      runtime.exec({ argv: ['env'], user: 'dev' }),
      runtime.exec({ argv: ['env'], user: 'root' }),
    ]);
    expect(await Promise.all(commands.map(({ output }) => textOf(output)))).toEqual([
      'A=remote B=profile HOME=/home/dev PATH=/opt/bin:/home/dev/bin:/bin',
      'A=remote B=profile HOME=/home/dev PATH=/opt/bin:/home/dev/bin:/bin',
      // What the profiles of one user say, which anything that runs as that user can write, is not for another one.
      'A=remote',
    ]);
    expect(probes).toBe(1);
    await end();
  });

  test('profiles that could not be asked are asked again, but not by each command', async () => {
    let probes = 0;
    const { world, api, id, end } = await beginWithApp({
      workspace: { merged: { userEnvProbe: 'loginShell', remoteEnv: { A: '1' } } },
      arrange({ engine }) {
        engine.onExec(
          ({ argv }) => argv.at(-2)?.startsWith('environment-') === true,
          ({ spec, stdout }) => {
            if (++probes === 1) return 2;
            stdout(`${spec.argv.at(-2)}\nB=profile\0${spec.argv.at(-2)}\n`);
            return 0;
          },
        );
        engine.onExec(({ argv }) => argv.at(-1) === 'KILL', { exitCode: 0 });
        engine.onExec(['env'], ({ spec, stdout }) => {
          stdout(`${spec.env?.filter((one) => !one.startsWith('AGENTCONTAINERS')).join(' ')}`);
          return 0;
        });
      },
    });
    const runtime = api.devcontainer(id);
    const env = async (): Promise<string> => textOf((await runtime.exec({ argv: ['env'] })).output);
    expect([await env(), await env()]).toEqual(['A=1', 'A=1']);
    expect(probes).toBe(1);
    await world.clock.run(60_000);
    expect([await env(), await env()]).toEqual(['B=profile A=1', 'B=profile A=1']);
    expect(probes).toBe(2);
    // Those from before are known all the same.
    expect(await runtime.process('engine-1')).toMatchObject({ running: false });
    await end();
  });

  test('profiles that fail hold up nothing, and that is said', async () => {
    const { world, api, id, end } = await beginWithApp({
      workspace: { merged: { userEnvProbe: 'loginInteractiveShell', remoteEnv: { A: '1' } } },
      arrange({ engine }) {
        engine.onExec(({ argv }) => argv[0] === '/bin/sh', { exitCode: 2, stderr: 'sh: bad profile\n' });
        engine.onExec(['env'], ({ spec, stdout }) => {
          stdout(`${spec.env?.filter((one) => one.startsWith('A=')).join(' ')}`);
          return 0;
        });
      },
    });
    const running = await api.devcontainer(id).exec({ argv: ['env'] });
    expect(await textOf(running.output)).toBe('A=1');
    const told = 'Probing the environment of the user failed: exit code 2.';
    expect(
      world.logger.entries.filter(({ level, message }) => level === 'warn' && message.startsWith(told)),
    ).toHaveLength(1);
    let log = '';
    for await (const { text } of api.logs(id)) log += text;
    expect(log).toContain(told);
    await end();
  });

  test('an agent gets its answer from there, too', async () => {
    const { api, id, end } = await beginWithApp({
      arrange: ({ engine }) => engine.onExec(/make/, { stdout: 'made\n', exitCode: 2 }),
    });
    const answer = await api.devcontainer(id).bash({ command: 'make' });
    expect(answer).toEqual({ output: 'made', exitCode: 2, via: 'engine' });
    await end();
  });

  test('a command is a holder as long as it runs, and holds a recreate off', async () => {
    const { world, api, only, id, end } = await beginWithApp({ arrange: sleeps });
    const runtime = api.devcontainer(id);
    const running = await runtime.exec({ argv: ['sleep', '--password=secret'] });
    const spawned = await runtime.spawn({ argv: ['sleep', '9'] });
    expect((await only()).holders).toMatchObject([
      { kind: 'exec', description: 'sleep' },
      { kind: 'exec', description: 'sleep' },
    ]);
    await expect(api.recreate(id)).rejects.toMatchObject({ code: 'devcontainer-busy' });
    await running.kill(100);
    await runtime.kill(spawned.id, { graceMs: 100 });
    await world.clock.settle();
    expect((await only()).holders).toBeUndefined();
    await end();
  });

  test('a command that cannot be started is no holder', async () => {
    const { world, api, only, id, end } = await beginWithApp();
    world.engine.failNext('exec', new AgentContainersError('engine-request-failed', 'No.'), 2);
    const runtime = api.devcontainer(id);
    await expect(runtime.exec({ argv: ['x'] })).rejects.toMatchObject({ code: 'engine-request-failed' });
    await expect(runtime.spawn({ argv: ['x'] })).rejects.toMatchObject({ code: 'engine-request-failed' });
    expect((await only()).holders).toBeUndefined();
    await end();
  });

  test('a process is known by its id until its container is replaced', async () => {
    const { world, api, id, end } = await beginWithApp({ arrange: sleeps });
    const runtime = api.devcontainer(id);
    const { id: processId } = await runtime.spawn({ argv: ['sleep', '9'] });
    expect(await runtime.process(processId)).toMatchObject({ running: true });
    expect(await runtime.processes()).toMatchObject([{ id: processId }]);
    const { done } = await api.recreate(id, { force: true });
    await world.clock.run(1_000);
    expect(await done).toMatchObject({ status: 'succeeded' });
    await expect(runtime.process(processId)).rejects.toMatchObject({ code: 'process-not-found' });
    expect(await runtime.processes()).toEqual([]);
    await end();
  });

  test.each([
    [
      'a terminal',
      (runtime: ReturnType<AppStory['api']['devcontainer']>) =>
        runtime.spawn({ argv: ['sh'], tty: { width: 80, height: 24 } }),
    ],
    ['a connection', (runtime: ReturnType<AppStory['api']['devcontainer']>) => runtime.connect('127.0.0.1', 80)],
    ['a process of a resident', (runtime: ReturnType<AppStory['api']['devcontainer']>) => runtime.process('p1')],
    ['its output', (runtime: ReturnType<AppStory['api']['devcontainer']>) => textOf(runtime.output('p1'))],
  ])('%s is refused', async (_what, ask) => {
    const { api, only, id, end } = await beginWithApp();
    await expect(ask(api.devcontainer(id))).rejects.toMatchObject({ code: 'runtime-unavailable' });
    expect((await only()).holders).toBeUndefined();
    await end();
  });

  test('a close ends a command, since nobody could find it again', async () => {
    const { api, id, end } = await beginWithApp({ arrange: sleeps });
    const running = await api.devcontainer(id).exec({ argv: ['sleep', '9'] });
    await end();
    expect(await running.exited).toMatchObject({ reason: 'killed' });
  });

  test('a close ends a process in the background, too', async () => {
    const { world, api, id, end } = await beginWithApp({ arrange: sleeps });
    await api.devcontainer(id).spawn({ argv: ['sleep', '9'] });
    await end();
    expect(world.engine.openExecs).toEqual([]);
  });

  test('a close waits for a command that has to be killed', async () => {
    const { world, api, id, end } = await beginWithApp({ arrange: (world) => sleeps(world, 'KILL') });
    const running = await api.devcontainer(id).exec({ argv: ['sleep', '9'] });
    const closing = end();
    await world.clock.run(2_000);
    await closing;
    expect(await running.exited).toMatchObject({ reason: 'killed' });
  });

  test('a command that has ended leaves nothing for a close to do', async () => {
    const { world, api, id, end } = await beginWithApp({ arrange: ({ engine }) => engine.onExec(['x'], {}) });
    const runtime = api.devcontainer(id);
    await (
      await runtime.exec({ argv: ['x'] })
    ).exited;
    const { id: processId } = await runtime.spawn({ argv: ['x'] });
    expect(await runtime.process(processId, { waitMs: 1_000 })).toMatchObject({ exit: { code: 0 } });
    await world.clock.settle();
    const { exec } = world.engine.calls;
    await end();
    expect(world.engine.calls.exec).toBe(exec);
  });
});

describe('where a resident serves', () => {
  test('everything goes there', async () => {
    const { world, api, id, containerId, residents, end } = await beginWithResident();
    const runtime = api.devcontainer(id);
    expect(await runtime.via()).toBe('resident');
    const running = await runtime.exec({ argv: ['make'], stdin: true });
    const [command] = residents.in(containerId).commands;
    command?.write('hello');
    command?.exit(3);
    expect(await textOf(running.output)).toBe('hello');
    expect(await running.exited).toMatchObject({ code: 3, via: 'resident' });

    const { id: processId } = await runtime.spawn({ argv: ['serve'] });
    await runtime.writeStdin(processId, 'x');
    await runtime.signal(processId, 'SIGINT');
    expect(residents.in(containerId).commands[1]).toMatchObject({ stdin: 'x', signals: ['SIGINT'] });
    expect((await runtime.processes()).map(({ id: one }) => one)).toEqual(['p1', 'p2']);
    await runtime.kill(processId, { graceMs: 7 });
    expect(residents.in(containerId).commands[1]?.kills).toEqual([7]);
    await runtime.forget(processId);
    await expect(runtime.process(processId)).rejects.toMatchObject({ code: 'process-not-found' });
    expect(world.engine.calls.exec).toBe(0);
    await end();
    residents.assertNoLeaks();
  });

  test('a recreate is held off while a command is being started; from then on the resident says what it is busy with', async () => {
    const { world, api, only, id, containerId, residents, end } = await beginWithResident();
    const gate = residents.in(containerId).hang('spawn');
    const spawning = api
      .devcontainer(id)
      .spawn({ command: '  make all --token=secret', tty: { width: 80, height: 24 } });
    await gate.reached();
    // What starts at once is no news for those who watch.
    expect((await only()).holders).toBeUndefined();
    await expect(api.recreate(id)).rejects.toMatchObject({ code: 'devcontainer-busy' });
    expect((await only()).holders).toMatchObject([{ kind: 'terminal', description: 'make' }]);
    gate.open();
    await spawning;
    expect((await only()).holders).toBeUndefined();
    residents.in(containerId).failNext('spawn', new AgentContainersError('runtime-unavailable', 'Gone.'));
    await expect(api.devcontainer(id).spawn({ argv: ['x'] })).rejects.toMatchObject({ code: 'runtime-unavailable' });
    expect((await only()).holders).toBeUndefined();
    const slow = residents.in(containerId).hang('spawn');
    const late = api.devcontainer(id).spawn({ argv: ['slow'] });
    await slow.reached();
    await world.clock.run(200);
    expect((await only()).holders).toMatchObject([{ kind: 'exec', description: 'slow' }]);
    slow.open();
    await late;
    expect((await only()).holders).toBeUndefined();
    await end();
  });

  test('a recreate is held off while a command of an agent is being started', async () => {
    const { world, api, only, id, containerId, residents, end } = await beginWithResident();
    const gate = residents.in(containerId).hang('spawn');
    const running = api.devcontainer(id).bash({ command: 'make all' });
    await gate.reached();
    await expect(api.recreate(id)).rejects.toMatchObject({ code: 'devcontainer-busy' });
    expect((await only()).holders).toMatchObject([{ kind: 'exec', description: 'make' }]);
    gate.open();
    await world.clock.settle();
    // From now on the resident itself says that it is busy.
    expect(residents.in(containerId).commands).toHaveLength(1);
    expect((await only()).holders).toBeUndefined();
    residents.in(containerId).commands[0]?.exit(0);
    await running;
    await end();
  });

  describe('as another user than the resident may', () => {
    const refusal = (): AgentContainersError =>
      new AgentContainersError('command-refused', 'No.', { details: { reason: 'other-user' } });

    test.each(['exec', 'spawn'] as const)('a command goes through the engine, and says so: %s', async (how) => {
      const { world, api, only, id, containerId, residents, end } = await beginWithResident({}, (given) => {
        sleeps(given);
        given.engine.onExec(['id'], ({ spec, stdout }) => {
          stdout(`${spec.user}`);
          return 0;
        });
      });
      const runtime = api.devcontainer(id);
      residents.in(containerId).failNext(how, refusal());
      const spec = { argv: ['id'], user: 'root' };
      const started = await runtime[how](spec);
      const process = 'process' in started ? started.process : started;
      expect(process).toMatchObject({ id: 'engine-1', user: 'root' });
      expect(await textOf(runtime.output(process.id, { follow: true }))).toBe('root');
      expect(await runtime.process(process.id)).toMatchObject({ exit: { via: 'engine', code: 0 } });
      expect(await runtime.via()).toBe('resident');

      residents.in(containerId).failNext(how, refusal());
      const sleeping = await runtime[how]({ argv: ['sleep', '9'], user: 'root' });
      expect((await only()).holders).toMatchObject([{ description: 'sleep' }]);
      await runtime.kill('process' in sleeping ? sleeping.process.id : sleeping.id, { graceMs: 100 });
      await world.clock.settle();
      expect((await only()).holders).toBeUndefined();
      await end();
    });

    test('a terminal is refused with the reason and what to do', async () => {
      const { world, api, only, id, containerId, residents, end } = await beginWithResident();
      residents.in(containerId).failNext('spawn', refusal());
      const terminal = { argv: ['sh'], user: 'ro\not', tty: { width: 80, height: 24 } };
      await expect(api.devcontainer(id).spawn(terminal)).rejects.toMatchObject({
        code: 'command-refused',
        message: expect.stringMatching(/^Opening a terminal as "ro ot" failed: .* sudo or su .*\.$/),
      });
      expect(world.engine.calls.exec).toBe(0);
      expect((await only()).holders).toBeUndefined();
      await end();
    });

    test('another refusal stays one', async () => {
      const { world, api, id, containerId, residents, end } = await beginWithResident();
      residents.in(containerId).failNext('exec', new AgentContainersError('command-refused', 'No.'));
      await expect(api.devcontainer(id).exec({ argv: ['x'], user: 'root' })).rejects.toThrow('No.');
      expect(world.engine.calls.exec).toBe(0);
      await end();
    });
  });

  test.each([true, false])('a close with keepSubAgents %s leaves it, or ends it', async (keepSubAgents) => {
    const story = await beginWithResident({ options: { keepSubAgents } });
    const { world, api, id, containerId, residents } = story;
    const { id: processId } = await api.devcontainer(id).spawn({ argv: ['serve'] });
    const [process] = world.subAgentLauncher.processes;
    if (!keepSubAgents) {
      await story.end();
      expect(process).toMatchObject({ isDetached: false, stops: [5_000] });
      return;
    }
    const next = await restarted(story);
    expect(process).toMatchObject({ isDetached: true, stops: [] });
    expect(await next.api.devcontainer(id).process(processId)).toMatchObject({ running: true });
    expect(residents.in(containerId).commands[0]?.kills).toEqual([]);
    await next.end();
  });

  test('with keepSubAgents a sub-agent that cannot run on is ended all the same', async () => {
    const { world, end } = await beginWithApp({ options: { keepSubAgents: true } });
    await end();
    expect(world.subAgentLauncher.processes).toMatchObject([{ isDetached: false, stops: [5_000] }]);
  });

  test('when it has crashed, a call waits for the next one only while that is being started', async () => {
    const { world, api, id, containerId, residents, end } = await beginWithResident();
    world.subAgentLauncher.running(containerId)[0]?.crash();
    await world.clock.settle();
    const gate = world.subAgentLauncher.hang('deliver');
    world.subAgentLauncher.running(containerId)[0]?.crash();
    await world.clock.run(1_000);
    const running = api.devcontainer(id).exec({ argv: ['x'] });
    await gate.reached();
    expect(residents.in(containerId).commands).toEqual([]);
    gate.open();
    expect(await running).toMatchObject({ via: 'resident' });
    await end();
  });
});

describe('while the sub-agent is being started', () => {
  async function starting(): Promise<ResidentStory & { readonly gate: ReturnType<typeof createGate> }> {
    let gate = createGate();
    const story = await beginWithResident({}, (world) => {
      gate = world.subAgentLauncher.hang('deliver');
      world.engine.onExec(['x'], {});
    });
    return { ...story, gate };
  }

  test('a call waits for it', async () => {
    const { world, api, id, gate, end } = await starting();
    const via = api.devcontainer(id).via();
    await world.clock.settle();
    gate.open();
    expect(await via).toBe('resident');
    await end();
  });

  test.each(['fails', 'cannot run there'])('a call goes through the engine when it %s', async (how) => {
    const { world, api, id, gate, end } = await starting();
    const code = how === 'fails' ? 'sub-agent-delivery-failed' : 'sub-agent-unsupported';
    world.subAgentLauncher.failNext('deliver', new AgentContainersError(code, 'No.'));
    const running = api.devcontainer(id).exec({ argv: ['x'] });
    await world.clock.settle();
    gate.open();
    expect(await running).toMatchObject({ via: 'engine' });
    await end();
  });

  test('a call goes through the engine when it takes too long', async () => {
    const { world, api, id, end } = await starting();
    const running = api.devcontainer(id).exec({ argv: ['x'] });
    // One second has passed since it began.
    await world.clock.run(14_000);
    expect(await running).toMatchObject({ via: 'engine' });
    await end();
  });

  test('a call that is given up waits no longer', async () => {
    const { api, id, gate, end } = await starting();
    const caller = new AbortController();
    const via = api.devcontainer(id).via(caller.signal);
    await gate.reached();
    caller.abort(new Error('left'));
    await expect(via).rejects.toThrow('left');
    await end();
  });

  test('a close does not wait for a call that waits', async () => {
    const { api, id, world, end } = await starting();
    const via = api.devcontainer(id).via();
    const settled = via.then(
      () => 'served',
      () => 'refused',
    );
    await world.clock.settle();
    await end();
    expect(['served', 'refused']).toContain(await settled);
  });

  test('what began through the engine is found again by its id when the resident is there', async () => {
    const { world, api, id, containerId, residents, end } = await beginWithResident({}, (given) => {
      given.subAgentLauncher.failNext('deliver', new AgentContainersError('sub-agent-delivery-failed', 'No.'), 2);
      sleeps(given);
    });
    const runtime = api.devcontainer(id);
    const { id: processId } = await runtime.spawn({ argv: ['sleep', '9'] });
    expect(processId).toMatch(/^engine-/);
    await world.clock.run(10_000);
    expect(await runtime.via()).toBe('resident');
    await runtime.spawn({ argv: ['serve'] });
    expect((await runtime.processes()).map((one) => one.id)).toEqual(['p1', processId]);
    expect(await runtime.process(processId)).toMatchObject({ running: true });
    await runtime.kill(processId, { graceMs: 10 });
    expect(residents.in(containerId).commands).toMatchObject([{ kills: [] }]);
    await end();
  });
});

test('an id of the engine that nothing runs under is not found', async () => {
  const { api, id, end } = await beginWithApp();
  await expect(api.devcontainer(id).process('engine-7')).rejects.toMatchObject({ code: 'process-not-found' });
  await end();
});

test('what cannot have a command is refused for what it is', async () => {
  const { world, api, id, containerId, afterEvent, end } = await beginWithApp();
  const code = async (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => 'done',
      (error: unknown) => (error as AgentContainersError).code,
    );
  expect(await code(api.devcontainer('none').via())).toBe('devcontainer-not-found');
  world.engine.stop(containerId);
  await afterEvent();
  const runtime = api.devcontainer(id);
  expect(await code(runtime.exec({ argv: ['x'] }))).toBe('devcontainer-not-running');
  expect(await code(runtime.bash({ command: 'x' }))).toBe('devcontainer-not-running');
  expect(await code(runtime.files.stat('/'))).toBe('devcontainer-not-running');
  expect(await code(runtime.process('engine-1'))).toBe('devcontainer-not-running');
  await end();
  expect(await code(runtime.via())).toBe('api-closed');
  expect(await code(runtime.process('engine-1'))).toBe('api-closed');
});

test('what is only seen has no commands', async () => {
  const { api, only, end } = await begin({ adopt: 'none' }, ({ addWorkspace, engine }) => {
    addWorkspace('/src/app');
    engine.addContainer({ workspaceFolder: '/src/app' });
  });
  const { id } = await only();
  await expect(api.devcontainer(id).via()).rejects.toMatchObject({ code: 'devcontainer-not-adopted' });
  await end();
});

test('nothing is served before the library has started', async () => {
  const { world, end } = await begin();
  await end();
  const next = tell(world);
  await expect(next.api.devcontainer('x').via()).rejects.toMatchObject({ code: 'broken-contract' });
  await next.end();
});
