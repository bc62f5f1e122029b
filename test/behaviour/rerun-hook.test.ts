import { expect, test } from 'vitest';
import { createGate } from '../../src/testing/index.ts';
import { APP, beginWithApp, CONFIG } from './support/story.ts';

const SETUP = 'make setup';

async function textOf(chunks: AsyncIterable<{ readonly text: string }>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += chunk.text;
  return text;
}

test('a hook that failed is run again, and its error goes when it succeeds', async () => {
  let exitCode = 3;
  const { world, api, only, id, end } = await beginWithApp({
    workspace: { merged: { remoteUser: 'dev', hooks: { postCreateCommand: [SETUP, ['./seed', '--all']] } } },
    arrange: ({ engine }) => {
      engine.onExec(['/bin/sh', '-c', SETUP], () => exitCode);
      engine.onExec(['./seed', '--all'], { stdout: 'seeded\n' });
    },
  });
  const failed = await api.rerunHook(id, 'postCreateCommand');
  expect(failed.operation).toMatchObject({ kind: 'rerun-hook', phase: 'postCreateCommand', status: 'running' });
  await world.clock.settle();
  expect(await failed.done).toMatchObject({ status: 'failed', error: expect.stringContaining('exited with code 3') });
  expect(await only()).toMatchObject({
    status: 'running',
    degraded: [{ phase: 'postCreateCommand', command: `/bin/sh -c ${SETUP}`, exitCode: 3 }],
    agent: { status: 'running' },
  });
  exitCode = 0;
  const again = await api.rerunHook(id, 'postCreateCommand');
  await world.clock.settle();
  expect(await again.done).toMatchObject({ status: 'succeeded' });
  const now = await only();
  expect(now.error).toBeUndefined();
  expect(now.degraded).toBeUndefined();
  expect(await textOf(api.logs(id))).toContain('seeded\n');
  await end();
});

test('it has the environment that the profiles of its user make, and shows no secret of that', async () => {
  const { world, api, id, end } = await beginWithApp({
    workspace: {
      merged: {
        remoteUser: 'dev',
        remoteEnv: { A: 'remote' },
        userEnvProbe: 'loginShell',
        hooks: { postCreateCommand: [SETUP] },
      },
    },
    arrange: ({ engine }) => {
      engine.onExec(
        ({ argv }) => argv.at(-2)?.startsWith('environment-') === true,
        ({ spec, stdout }) => {
          stdout(`${spec.argv.at(-2)}\nA=x\0MY_TOKEN=canary-of-a-profile\0${spec.argv.at(-2)}\n`);
          return 0;
        },
      );
      engine.onExec(['/bin/sh', '-c', SETUP], ({ spec, stdout }) => {
        stdout(`with ${spec.env?.join(' ')}\n`);
        return 0;
      });
    },
  });
  const { done } = await api.rerunHook(id, 'postCreateCommand');
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  const log = await textOf(api.logs(id));
  expect(log).toMatch(/with .*A=remote/);
  expect(log).toContain('MY_TOKEN=');
  expect(log).not.toContain('canary');
  await end();
});

test('the parts of a hook that is an object run at the same time', async () => {
  const gate = createGate();
  const running = new Set<string>();
  const { world, api, id, end } = await beginWithApp({
    workspace: { merged: { hooks: { postStartCommand: [{ a: ['one'], b: ['two'] }] } } },
    arrange: ({ engine }) =>
      engine.onExec(/^(one|two)$/, async ({ spec }) => {
        running.add(spec.argv[0] ?? '');
        await gate.wait();
        return 0;
      }),
  });
  const { done } = await api.rerunHook(id, 'postStartCommand');
  await world.clock.settle();
  expect([...running].sort()).toEqual(['one', 'two']);
  gate.open();
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  await end();
});

test('a hook that there is none of, or of one that does not run, is refused', async () => {
  const { world, api, id, end } = await beginWithApp();
  const { done } = await api.rerunHook(id, 'postAttachCommand');
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: expect.stringContaining('has none') });
  await api.stopDevcontainer(id);
  await world.clock.settle();
  await expect(api.rerunHook(id, 'postAttachCommand')).rejects.toMatchObject({ code: 'devcontainer-not-running' });
  await end();
});

test('a lifecycle command ends a hook that is run again, without an error; and no two hooks run at a time', async () => {
  const { world, api, only, id, end } = await beginWithApp({
    workspace: { merged: { hooks: { postCreateCommand: [SETUP] } } },
    arrange: ({ engine }) => engine.onExec(['/bin/sh', '-c', SETUP], () => new Promise<number>(() => {})),
  });
  const { done } = await api.rerunHook(id, 'postCreateCommand');
  await world.clock.settle();
  await expect(api.rerunHook(id, 'postCreateCommand')).rejects.toMatchObject({ code: 'devcontainer-transitioning' });
  await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'cancelled' });
  const now = await only();
  expect(now).toMatchObject({ status: 'running' });
  expect(now.error).toBeUndefined();
  void APP;
  await end();
});

test.each(['inspectContainer', 'readConfiguration'] as const)(
  'a hook ends with a reason when %s hangs, and can be run again',
  async (call) => {
    const { world, api, id, end } = await beginWithApp({
      workspace: { config: { image: 'y' }, merged: { hooks: { postStartCommand: [SETUP] } } },
      arrange: ({ engine }) => engine.onExec(['/bin/sh', '-c', SETUP], () => 0),
    });
    // Another configuration, so that the merged one has to be read.
    world.configFiles.write('/src/app', CONFIG, { image: 'z' });
    await world.clock.settle();
    const gate = call === 'inspectContainer' ? world.engine.hang(call) : world.cli.hang(call);
    const { done } = await api.rerunHook(id, 'postStartCommand');
    await world.clock.run(40_000);
    expect(await done).toMatchObject({ status: 'failed', error: expect.stringContaining('no answer within') });
    gate.open();
    const again = await api.rerunHook(id, 'postStartCommand');
    await world.clock.settle();
    expect(await again.done).toMatchObject({ status: 'succeeded' });
    await end();
  },
);

test('what a hook says of secrets in its environment is not told on', async () => {
  const { world, api, only, id, end } = await beginWithApp({
    workspace: { merged: { remoteEnv: { API_KEY: 'canary-remote' }, hooks: { postStartCommand: [SETUP] } } },
    container: { env: ['GITHUB_TOKEN=canary-container', 'PATH=/bin'] },
    arrange: ({ engine }) =>
      engine.onExec(['/bin/sh', '-c', SETUP], {
        stdout: 'a canary-remote b\nPATH=/bin\n',
        stderr: 'canary-container\n',
        exitCode: 1,
      }),
  });
  const { done } = await api.rerunHook(id, 'postStartCommand');
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed' });
  const log = await textOf(api.logs(id));
  expect(log).toContain('PATH=/bin');
  expect(log).toContain('[redacted]');
  expect(`${log} ${JSON.stringify(await only())}`).not.toContain('canary');
  await end();
});

test('a hook that was edited runs as it is now, after those of features, and is no difference any more', async () => {
  const ran: string[] = [];
  const before = [{ id: 'feature', postCreateCommand: 'of feature' }, { postCreateCommand: 'old' }];
  const { world, api, only, id, end } = await beginWithApp({
    workspace: { config: { image: 'x', postCreateCommand: 'old' } },
    container: { labels: { 'devcontainer.metadata': JSON.stringify(before) } },
    arrange: ({ engine }) =>
      engine.onExec(['/bin/sh', '-c'], ({ spec }) => {
        ran.push(spec.argv[2] ?? '');
        return 0;
      }),
  });
  expect(await only()).toMatchObject({ dirty: false });
  world.configFiles.write('/src/app', CONFIG, { image: 'x', postCreateCommand: 'new' });
  // What the CLI says of a container: what it was made with; and the file as it is now.
  world.cli.readsConfiguration(APP, {
    hooks: { postCreateCommand: ['of feature', 'old'] },
    ownHooks: { postCreateCommand: 'new' },
  });
  await world.clock.run(1_000);
  expect(await only()).toMatchObject({
    dirty: true,
    dirtyReasons: [{ input: 'postCreateCommand', class: 'rerun-hook' }],
  });
  const { done } = await api.rerunHook(id, 'postCreateCommand');
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(ran).toEqual(['of feature', 'new']);
  expect(await only()).toMatchObject({ dirty: false });
  await end();
});

test('a hook that failed, or beside which something else was edited, leaves a difference', async () => {
  let exitCode = 1;
  const { world, api, only, id, end } = await beginWithApp({
    workspace: { config: { image: 'x', postCreateCommand: 'old' }, merged: { hooks: { postCreateCommand: ['new'] } } },
    arrange: ({ engine }) => engine.onExec(['/bin/sh', '-c'], () => exitCode),
  });
  world.configFiles.write('/src/app', CONFIG, { image: 'x', postCreateCommand: 'new', containerEnv: { A: '1' } });
  await world.clock.run(1_000);
  const inputs = async (): Promise<unknown> => (await only()).dirtyReasons?.map(({ input }) => input);
  expect(await inputs()).toEqual(['containerEnv', 'postCreateCommand']);
  for (const expected of [['containerEnv', 'postCreateCommand'], ['containerEnv']]) {
    const { done } = await api.rerunHook(id, 'postCreateCommand');
    await world.clock.settle();
    await done;
    expect(await inputs()).toEqual(expected);
    exitCode = 0;
  }
  await end();
});
