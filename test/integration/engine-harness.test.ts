import { access, readdir } from 'node:fs/promises';
import { afterAll, expect, it } from 'vitest';
import { BASE_IMAGE, startPrivateEngine, testEngine } from './support/engine-harness.ts';

const engine = testEngine();
afterAll(() => engine.cleanup());

it('runs the base image as root and as dev', async () => {
  expect(await engine.docker('run', '--rm', '--label', engine.label, BASE_IMAGE, 'id', '-un')).toBe('root');
  expect(await engine.docker('run', '--rm', '--label', engine.label, '-u', 'dev', BASE_IMAGE, 'id', '-u')).toBe('1000');
  expect(await engine.docker('run', '--rm', '--label', engine.label, BASE_IMAGE, '/usr/bin/env', 'true')).toBe('');
});

it('removes what a test made and nothing else', async () => {
  const other = testEngine();
  const folder = await other.makeFolder();
  await other.docker('network', 'create', `${other.prefix}-net`);
  await other.docker('create', '--label', `devcontainer.local_folder=${folder}`, BASE_IMAGE);
  await other.docker('create', '--name', `${other.prefix}-named`, BASE_IMAGE);
  const mine = await engine.docker('create', '--label', engine.label, BASE_IMAGE);

  await other.cleanup();

  const left = await engine.docker('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.Labels}}');
  expect(left).not.toContain(other.prefix);
  expect(left).toContain(mine);
  expect(await engine.docker('network', 'ls', '--format', '{{.Name}}')).not.toContain(other.prefix);
  await expect(access(folder)).rejects.toThrow('ENOENT');
});

it('starts an engine that can be killed and comes back with its containers', async () => {
  const privateEngine = await startPrivateEngine();
  try {
    const inside = testEngine(privateEngine.dockerHost);
    const id = await inside.docker(
      'run',
      '-d',
      '--stop-timeout',
      '1',
      '--label',
      inside.label,
      BASE_IMAGE,
      'sleep',
      '600',
    );
    await privateEngine.kill();
    await expect(inside.docker('ps')).rejects.toThrow('failed');
    await privateEngine.start();
    expect(await inside.docker('ps', '-aq', '--no-trunc')).toBe(id);
    expect(await inside.docker('inspect', '-f', '{{.State.Running}}', id)).toBe(
      String(privateEngine.containersOutliveIt),
    );
    await inside.docker('start', id);
    await privateEngine.stop();
  } finally {
    await privateEngine.close();
  }
  const folder = privateEngine.dockerHost.slice('unix://'.length);
  await expect(access(folder)).rejects.toThrow('ENOENT');
  // Its bridges and mounts are gone, too.
  expect((await readdir('/sys/class/net')).filter((name) => name.startsWith('veth')).length).toBeLessThan(50);
}, 120_000);
