import { expect, test } from 'vitest';
import { beginWithApp } from './support/story.ts';

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += Buffer.from(chunk).toString();
  return text;
}

const MERGED = { workspaceFolder: '/code', remoteUser: 'dev', remoteEnv: { LANG: 'C', HERE: '${containerEnv:HOME}' } };

test('a command runs as the remote user, in the workspace folder, with the remote environment', async () => {
  const { world, api, id, containerId, end } = await beginWithApp({
    workspace: { merged: MERGED },
    container: { env: ['HOME=/home/dev'] },
    arrange: ({ engine }) => engine.onExec(['env'], ({ spec, stdout }) => (stdout(JSON.stringify(spec)), 3)),
  });
  const session = await api.exec(id, { argv: ['env'], env: ['MORE=1', 'LANG=en'] });
  expect(JSON.parse(await textOf(session.stdout))).toMatchObject({
    containerId,
    argv: ['env'],
    user: 'dev',
    workingDir: '/code',
    env: ['LANG=C', 'HERE=/home/dev', 'MORE=1', 'LANG=en'],
  });
  expect(await session.exited).toMatchObject({ exitCode: 3 });
  await world.clock.settle();
  await end();
});

test('user and folder can be chosen, and input reaches the command', async () => {
  const { world, api, id, end } = await beginWithApp({
    workspace: { merged: MERGED },
    arrange: ({ engine }) =>
      engine.onExec(['cat'], async ({ stdin, stdout }) => {
        for await (const text of stdin) stdout(text);
        return 0;
      }),
  });
  const session = await api.exec(id, { argv: ['cat'], user: 'root', workingDir: '/tmp', stdin: true });
  expect(world.engine.openExecs).toMatchObject([{ spec: { user: 'root', workingDir: '/tmp' } }]);
  await session.write('hello');
  session.closeStdin();
  expect(await textOf(session.stdout)).toBe('hello');
  expect(await session.exited).toMatchObject({ exitCode: 0 });
  await world.clock.settle();
  await end();
});

test('in what does not run, or is not there, no command runs', async () => {
  const { world, api, id, end } = await beginWithApp({ container: { state: 'exited' } });
  await expect(api.exec(id, { argv: ['true'] })).rejects.toMatchObject({
    code: 'devcontainer-not-running',
    details: { detail: expect.stringContaining('start app') },
  });
  await expect(api.exec('nothing', { argv: ['true'] })).rejects.toMatchObject({ code: 'devcontainer-not-found' });
  expect(world.engine.calls.exec).toBe(0);
  await end();
});

test('who leaves ends the session', async () => {
  const { world, api, id, end } = await beginWithApp({
    arrange: ({ engine }) =>
      engine.onExec(
        ['sleep'],
        ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(0))),
      ),
  });
  const leave = new AbortController();
  const session = await api.exec(id, { argv: ['sleep'], signal: leave.signal });
  expect(world.engine.openExecs).toHaveLength(1);
  leave.abort();
  expect(await session.exited).toMatchObject({ exitCode: null });
  await world.clock.settle();
  expect(world.engine.openExecs).toEqual([]);
  await end();
});
