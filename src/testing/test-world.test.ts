import { expect, it, vi } from 'vitest';
import { createRecordingLogger } from './recording-logger.ts';
import { createTestWorld } from './test-world.ts';

const signal = new AbortController().signal;

it('wires the fakes: a change of a file reaches the watcher, and an up the engine', async () => {
  const world = createTestWorld();
  world.addWorkspace('/src/app', {
    config: { image: 'one', customizations: { agentcontainers: { name: 'mine' } } },
    container: { name: 'app' },
  });
  const seen = vi.fn<() => void>();
  world.watcher.watch('/src/app/.devcontainer', seen);
  world.configFiles.write('/src/app', '.devcontainer/devcontainer.json', { image: 'two' });
  expect(seen).toHaveBeenCalledTimes(1);
  const key = { workspaceFolder: '/src/app', configPath: '/src/app/.devcontainer/devcontainer.json' };
  expect(await world.configFiles.canonicalKey('/src/app')).toEqual(key);
  await world.cli.up({ key, mode: 'find', onProgress: () => {}, signal }).done;
  expect(world.engine.container('app').running).toBe(true);
  expect((await world.cli.readConfiguration({ key, signal })).customizations).toEqual([
    { agentcontainers: { name: 'mine' } },
  ]);
});

it('hands out ids that count, in the form of UUIDs', () => {
  const { newId } = createTestWorld();
  expect([newId(), newId()]).toEqual(['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002']);
});

it('takes options and own ports, and a start of time', () => {
  const logger = createRecordingLogger();
  const world = createTestWorld({ adopt: 'none', logger, start: 42 });
  expect(world.options).toMatchObject({ adopt: 'none', logger });
  expect(world.options).not.toHaveProperty('start');
  expect(world.clock.now()).toBe(42);
  expect(world.options.engine).toBe(world.engine);
});

it('names everything that was left open', async () => {
  const world = createTestWorld();
  world.subAgentsSucceed();
  world.assertNoLeaks();
  world.clock.afterFunc(10, () => {}, 'update');
  world.watcher.watch('/src', () => {});
  await expect(world.engine.exec({ containerId: world.engine.addContainer().id, argv: ['ls'] })).rejects.toThrow(
    'Unscripted',
  );
  expect(() => world.assertNoLeaks()).toThrow(
    [
      'Something was left open:',
      'Unscripted call: engine.exec ["ls"]',
      '/src is watched',
      'timer "update" is still due in 10 ms',
    ].join('\n- '),
  );
});

it('keeps the log', () => {
  const logger = createRecordingLogger();
  logger.warn({ a: 1 }, 'careful');
  logger.info({}, 'fine');
  expect(logger.entries[0]).toEqual({ level: 'warn', fields: { a: 1 }, message: 'careful' });
  expect(logger.messages('info')).toEqual(['fine']);
});
