import { describe, expect, test } from 'vitest';
import { createFakeClock } from './fake-clock.ts';
import { createFakeContainerRuntime } from './fake-container-runtime.ts';

const create = (): ReturnType<typeof createFakeContainerRuntime> =>
  createFakeContainerRuntime({ clock: createFakeClock() });

describe('the fake container runtime', () => {
  test('plays a command: output, an end, and a reader that follows', async () => {
    const runtime = create();
    const { id } = await runtime.spawn({ command: 'make' });
    const reading = (async () => {
      let text = '';
      for await (const { bytes } of runtime.output(id, { follow: true })) text += Buffer.from(bytes).toString();
      return text;
    })();
    runtime.commands[0]?.write('a');
    runtime.commands[0]?.write('b', 'stderr');
    runtime.commands[0]?.exit(2);
    expect(await reading).toBe('ab');
    expect(await runtime.process(id)).toMatchObject({ running: false, exit: { code: 2 }, output: { end: 2 } });
  });

  test('starts one command for a key', async () => {
    const runtime = create();
    const first = await runtime.spawn({ command: 'make', key: 'k' });
    expect(await runtime.spawn({ command: 'make', key: 'k' })).toEqual(first);
    expect(runtime.commands).toHaveLength(1);
  });

  test('ends a command by its time-out, and by the abort of its caller', async () => {
    const clock = createFakeClock();
    const runtime = createFakeContainerRuntime({ clock });
    const caller = new AbortController();
    const slow = await runtime.exec({ command: 'a', timeoutMs: 10 });
    const left = await runtime.exec({ command: 'b' }, caller.signal);
    await clock.run(10);
    caller.abort();
    expect(await slow.exited).toMatchObject({ reason: 'timeout' });
    expect(await left.exited).toMatchObject({ reason: 'killed' });
  });

  test('loses its commands and breaks its connections off when the container is gone', async () => {
    const runtime = create();
    const { exited } = await runtime.exec({ command: 'a' });
    const { closed } = await runtime.connect('db', 5432);
    expect(runtime.leaks()).toEqual(['a connection to db:5432 of a container is open']);
    runtime.end();
    expect(await exited).toMatchObject({ reason: 'lost', code: null });
    await closed;
    expect(runtime.connections).toMatchObject([{ host: 'db', port: 5432, state: 'broken' }]);
    expect(runtime.leaks()).toEqual([]);
  });

  test('refuses what it does not play, by name', async () => {
    const runtime = create();
    await expect(runtime.files.stat('/x')).rejects.toThrow('Unscripted call: containerRuntime.files.stat');
    await expect(runtime.stats()).rejects.toThrow('Unscripted call: containerRuntime.stats');
    expect(runtime.leaks()).toHaveLength(2);
    await expect(runtime.process('p9')).rejects.toMatchObject({ code: 'process-not-found' });
  });
});
