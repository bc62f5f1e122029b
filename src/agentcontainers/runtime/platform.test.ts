import { describe, expect, it } from 'vitest';
import { AgentContainersError } from '../../errors.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import { createFakeEngine } from '../../testing/fake-engine.ts';
import { platformOf } from './platform.ts';

const signal = new AbortController().signal;

async function platformSaidBy(output: string) {
  const engine = createFakeEngine({ clock: createFakeClock() });
  const { id } = engine.addContainer({ workspaceFolder: '/w/a' });
  engine.failNext('imagePlatform', new AgentContainersError('engine-object-not-found', 'No such image.'));
  engine.onExec(['uname', '-m'], { stdout: output });
  return platformOf(engine, await engine.inspectContainer(id, signal), signal);
}

describe('the platform of a container', () => {
  it('comes from its image, without a process in it', async () => {
    const engine = createFakeEngine({ clock: createFakeClock() });
    const { id } = engine.addContainer({ workspaceFolder: '/w/a' });
    const details = await engine.inspectContainer(id, signal);
    expect(await platformOf(engine, details, signal)).toMatchObject({
      operatingSystem: 'linux',
      architecture: 'amd64',
    });
    expect(engine.calls.exec).toBe(0);
  });

  it.each([
    ['x86_64\n', 'amd64'],
    ['aarch64\n', 'arm64'],
    ['riscv64\n', 'riscv64'],
    ['constructor\n', 'constructor'],
  ])('is what uname says where the image is gone: %j is %s', async (output, architecture) => {
    expect(await platformSaidBy(output)).toEqual({ operatingSystem: 'linux', architecture });
  });

  it.each(['', 'a b', 'x'.repeat(1000), '\u001b[31mred'])('is not taken from %j', async (output) => {
    await expect(platformSaidBy(output)).rejects.toMatchObject({ code: 'sub-agent-unsupported' });
  });
});
