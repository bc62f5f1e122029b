import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testEngine } from './support/engine-harness.ts';
import { editConfig, hasAgent, startLibrary, type Library } from './support/library.ts';

// A recreate that does not come to its end leaves what there was before: real engine, real CLI.

const engine = testEngine();
let library: Library;
beforeAll(async () => {
  library = await startLibrary(engine, { stopGraceSeconds: 1, trust: 'all' });
});
afterAll(async () => {
  await library?.api.close();
  await engine.cleanup();
});

/** What tells one process from a later one with its pid. */
const startOf = async (pid: number): Promise<string | undefined> =>
  (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')[19];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const containersOf = async (folder: string): Promise<string[]> =>
  (await engine.docker('ps', '-aq', '--no-trunc', '--filter', `label=devcontainer.local_folder=${folder}`))
    .split('\n')
    .filter(Boolean);

describe('a recreate', () => {
  it('whose build fails touches nothing: the container runs on, and its sub-agent is the same process', async () => {
    const folder = await engine.copyFixture('dockerfile');
    const before = await library.up(folder);
    const started = await startOf(before.agentPid);
    const dockerfile = join(folder, '.devcontainer/Dockerfile');
    await writeFile(dockerfile, `${await readFile(dockerfile, 'utf8')}RUN false\n`);
    await library.until(folder, 'dirty', (seen) => seen.dirty);

    const ended = await (await library.api.recreate(before.devcontainer.id)).done;
    expect(ended).toMatchObject({ kind: 'recreate', status: 'failed' });
    expect(ended.error).toMatch(/`false` exited with code 1/);
    expect(ended.error).not.toMatch(/\n|node_modules|\.js:\d/);
    const seen = await library.until(folder, 'the error', ({ error }) => error !== undefined);
    expect(seen).toMatchObject({
      status: 'running',
      dirty: true,
      container: { id: before.containerId },
      agent: { status: 'running' },
    });
    expect(await startOf(before.agentPid)).toBe(started);
    expect(await library.injected(folder)).toMatchObject({ agentPid: before.agentPid });
    expect(await containersOf(folder)).toEqual([before.containerId]);
  });

  it('whose new container does not start brings the old one back, with its published port and what is in it', async () => {
    const folder = await engine.copyFixture('image');
    const port = await freePort();
    await editConfig(folder, (text) => text.replace('{', `{ "runArgs": ["-p", "127.0.0.1:${port}:8000"],`));
    const before = await library.up(folder);
    await engine.docker('exec', before.containerId, 'sh', '-c', 'echo kept >/kept');
    await editConfig(folder, (text) => text.replace('{', '{ "containerUser": "nobody-of-this-name",'));
    await library.until(folder, 'dirty', (seen) => seen.dirty);

    expect(await (await library.api.recreate(before.devcontainer.id)).done).toMatchObject({ status: 'failed' });
    const seen = await library.until(folder, 'the old one', (one) => hasAgent(one) && one.error !== undefined);
    expect(seen).toMatchObject({
      dirty: true,
      container: { ports: [{ port: 8000, hostPort: port }] },
      error: expect.stringContaining('nobody-of-this-name'),
    });
    const id = seen.container?.id ?? '';
    expect(await engine.docker('exec', id, 'cat', '/kept')).toBe('kept');
    expect(await engine.docker('port', id)).toBe(`8000/tcp -> 127.0.0.1:${port}`);
    expect(await containersOf(folder)).toEqual([id]);
  });

  it('of a compose project whose new container does not start brings the old ones back', async () => {
    const folder = await engine.copyFixture('compose');
    const before = await library.up(folder);
    const project = before.devcontainer.container?.labels['com.docker.compose.project'];
    const names = (): Promise<string> =>
      engine.docker('ps', '--filter', `label=com.docker.compose.project=${project}`, '--format', '{{.Names}}');
    const running = (await names()).split('\n').toSorted();
    await editConfig(folder, (text) => text.replace('{', '{ "containerUser": "nobody-of-this-name",'));
    await library.until(folder, 'dirty', (seen) => seen.dirty);

    expect(await (await library.api.recreate(before.devcontainer.id)).done).toMatchObject({ status: 'failed' });
    const seen = await library.until(folder, 'the old one', (one) => hasAgent(one) && one.error !== undefined);
    expect(seen.dirty).toBe(true);
    expect((await names()).split('\n').toSorted()).toEqual(running);
    await library.api.remove(seen.id, { volumes: 'anonymous' });
    expect(await names()).toBe('');
  });
});
