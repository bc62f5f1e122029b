import { mkdir, readFile, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DevcontainerCli } from '../../src/agentcontainers/ports.ts';
import { cliFor, failureOf, runUp, successOf, workspaceWith } from './support/devcontainer-cli.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';

// A machine that has Podman and no docker client. Run on Podman only.

const engine = testEngine();
let cli: DevcontainerCli;

beforeAll(async () => {
  const bin = join(await engine.makeFolder('bin'), 'bin');
  await mkdir(bin);
  for (const name of ['podman', 'sh']) await symlink(await whereIs(name), join(bin, name));
  cli = cliFor(engine, { env: { ...process.env, PATH: bin } });
});
afterAll(() => engine.cleanup());

async function whereIs(program: string): Promise<string> {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, program);
    if (await readFile(path).catch(() => undefined)) return path;
  }
  throw new Error(`Preparing the test failed: ${program} is not on PATH.`);
}

it.each([
  ['an image', { image: BASE_IMAGE, init: true }],
  ['a Dockerfile', { build: { dockerfile: 'Dockerfile' }, init: true, postCreateCommand: 'touch /hook-ran' }],
])('brings up %s through podman, on the engine that is used', async (_what, config) => {
  const files = { '.devcontainer/Dockerfile': `FROM ${BASE_IMAGE}\nRUN touch /built\n` };
  const key = await workspaceWith(engine, config, files);
  const { containerId } = successOf(await runUp(cli, key).done);
  expect(await engine.docker('inspect', '-f', '{{.State.Running}}', containerId)).toBe('true');
  if ('build' in config) await engine.docker('exec', containerId, 'ls', '/built', '/hook-ran');
});

it('a remote user other than root is refused by Podman of root, and the reason can be read', async () => {
  const key = await workspaceWith(engine, { remoteUser: 'dev', updateRemoteUserUID: false });
  const { message, outputTail } = failureOf(await runUp(cli, key).done);
  expect(`${message} ${outputTail}`).toContain('keep-id');
  expect(message).not.toMatch(/at async|devContainersSpecCLI/);
});
