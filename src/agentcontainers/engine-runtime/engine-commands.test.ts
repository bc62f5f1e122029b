import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContainerRuntime, OutputChunk } from '../ports.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import type { FakeClock } from '../../testing/fake-clock.ts';
import { createFakeEngine } from '../../testing/fake-engine.ts';
import type { FakeEngine } from '../../testing/fake-engine.ts';
import { createEngineRuntime } from './engine-runtime.ts';

let clock: FakeClock;
let engine: FakeEngine;
let runtime: ContainerRuntime;

beforeEach(() => {
  clock = createFakeClock();
  engine = createFakeEngine({ clock });
  const containerId = engine.addContainer().id;
  const world = { engine, clock, containerId, user: 'dev', workingDir: '/w', env: {}, remoteEnv: {} };
  runtime = createEngineRuntime(world);
  engine.onExec(['cat'], async ({ stdin, stdout }) => {
    for await (const text of stdin) stdout(text);
    return 0;
  });
});
afterEach(() => {
  expect(clock.pending()).toEqual([]);
  for (const exec of engine.openExecs) exec.end(0);
});

/** What comes without anything else happening. */
async function nextOf(output: AsyncIterator<OutputChunk>): Promise<string> {
  const next = output.next();
  const found = await Promise.race([next, clock.settle()]);
  if (!found) return '(nothing)';
  return found.done === true ? '(the end)' : Buffer.from(found.value.bytes).toString();
}

describe('output that is followed', () => {
  it('is told at once when it came while its reader was busy with what was before', async () => {
    const { id } = await runtime.spawn({ argv: ['cat'], stdin: true });
    const output = runtime.output(id, { follow: true })[Symbol.asyncIterator]();
    await runtime.writeStdin(id, 'first');
    expect(await nextOf(output)).toBe('first');
    await runtime.writeStdin(id, 'second');
    await clock.settle();
    expect(await nextOf(output)).toBe('second');
    await runtime.writeStdin(id, 'third', { eof: true });
    expect(await nextOf(output)).toBe('third');
    expect(await nextOf(output)).toBe('(the end)');
  });
});
