import { beforeEach, describe, expect, it } from 'vitest';
import type { ContainerRuntime } from '../ports.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import type { FakeClock } from '../../testing/fake-clock.ts';
import { createFakeEngine } from '../../testing/fake-engine.ts';
import type { FakeEngine } from '../../testing/fake-engine.ts';
import type { ExecBehaviour } from '../../testing/fake-exec.ts';
import { createEngineRuntime } from './engine-runtime.ts';

let clock: FakeClock;
let engine: FakeEngine;
let runtime: ContainerRuntime;
let containerId: string;

beforeEach(() => {
  clock = createFakeClock();
  engine = createFakeEngine({ clock });
  containerId = engine.addContainer().id;
  const world = { engine, clock, containerId, user: 'dev', workingDir: '/w', env: {}, remoteEnv: {} };
  runtime = createEngineRuntime(world);
});

/** A file of so many bytes, and how it is read. */
function hasFile(size: number, reading: ExecBehaviour): void {
  engine.onExec(['/bin/sh', '-c'], { stdout: `81a4 ${size} 1700000000 1000 1000\n` });
  engine.onExec(({ argv }) => argv[2]?.startsWith('tail ') === true, reading);
}
async function content(
  range: { readonly offset?: number; readonly length?: number } = {},
  signal?: AbortSignal,
): Promise<string> {
  const { bytes } = await runtime.files.read('x', range, signal);
  let all = '';
  for await (const chunk of bytes) all += Buffer.from(chunk).toString();
  return all;
}

describe('a file that is read through the engine', () => {
  it('comes whole, or the part that was asked for', async () => {
    hasFile(6, { stdout: 'abcdef' });
    expect(await content()).toBe('abcdef');
    hasFile(6, { stdout: 'cd' });
    expect(await content({ offset: 2, length: 2 })).toBe('cd');
    hasFile(6, {});
    expect(await content({ offset: 9 })).toBe('');
  });

  it('comes as it is where its size is not known, or it has grown', async () => {
    hasFile(0, { stdout: 'made up by the kernel' });
    expect(await content()).toBe('made up by the kernel');
    hasFile(3, { stdout: 'abcdef' });
    expect(await content()).toBe('abcdef');
  });

  it('does not look whole when it may not be read', async () => {
    hasFile(6, { stderr: "tail: cannot open 'x' for reading: Permission denied\n", exitCode: 1 });
    await expect(content()).rejects.toMatchObject({
      code: 'command-refused',
      message: `Reading "x" failed: tail: cannot open 'x' for reading: Permission denied (exit code 1).`,
    });
  });

  it('does not look whole when a part of it may not be read', async () => {
    // What cuts it to its length ends well.
    hasFile(6, { stderr: "tail: cannot open 'x' for reading: Permission denied\n" });
    await expect(content({ length: 2 })).rejects.toMatchObject({
      code: 'command-refused',
      message: `Reading "x" failed: tail: cannot open 'x' for reading: Permission denied.`,
    });
  });

  it('does not look whole when it ends too early', async () => {
    hasFile(6, { stdout: 'abc' });
    await expect(content()).rejects.toMatchObject({
      code: 'runtime-unavailable',
      message: 'Reading "x" failed: it ended after 3 of 6 bytes.',
    });
  });

  it('does not look whole when its container goes', async () => {
    hasFile(6, async ({ stdout }) => {
      stdout('abcdef');
      await clock.settle();
      engine.remove(containerId);
      return 0;
    });
    await expect(content()).rejects.toMatchObject({ code: 'runtime-unavailable' });
  });

  it('ends with the reason of whoever gives it up', async () => {
    hasFile(6, ({ stdout, signal }) => {
      stdout('abc');
      giveUp.abort(new Error('enough'));
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(0)));
    });
    const giveUp = new AbortController();
    await expect(content({}, giveUp.signal)).rejects.toThrow('enough');
  });

  it('needs a container that has what reads it', async () => {
    hasFile(6, { stderr: 'sh: tail: not found\n', exitCode: 127 });
    await expect(content()).rejects.toMatchObject({
      code: 'runtime-unavailable',
      details: { reason: 'resident-needed' },
    });
  });

  it('is read no further when its reader leaves', async () => {
    hasFile(6, ({ stdout, signal }) => {
      stdout('abc');
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(0)));
    });
    const { bytes } = await runtime.files.read('x');
    for await (const chunk of bytes) {
      expect(Buffer.from(chunk).toString()).toBe('abc');
      break;
    }
    await clock.settle();
    expect(engine.openExecs).toEqual([]);
  });
});
