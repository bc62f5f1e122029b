import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createDaemonClient } from '../client/client.ts';
import { listenOnSocket, listenOnTcp } from './listen.ts';

let directory: string;
let path: string;
const servers: Server[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ac-listen-'));
  path = join(directory, 's');
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  await rm(directory, { recursive: true });
});
function server(): Server {
  const made = createServer((_req, res) => res.end('{}'));
  servers.push(made);
  return made;
}

test('only the owner can open the socket', async () => {
  await listenOnSocket(server(), path);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await createDaemonClient(path).answers()).toBe(true);
});

test('the socket of a daemon that was killed is replaced', async () => {
  const killed = spawnSync(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ]);
  expect(killed.signal).toBe('SIGKILL');
  expect((await stat(path)).isSocket()).toBe(true);
  await listenOnSocket(server(), path);
  expect(await createDaemonClient(path).answers()).toBe(true);
});

test('the socket of a living daemon is left alone', async () => {
  await listenOnSocket(server(), path);
  await expect(listenOnSocket(server(), path)).rejects.toMatchObject({ code: 'state-locked' });
  expect(await createDaemonClient(path).answers()).toBe(true);
});

test('a file that is no socket is never deleted', async () => {
  await writeFile(path, 'mine');
  await expect(listenOnSocket(server(), path)).rejects.toThrow('Give another --socket');
  expect((await stat(path)).size).toBe(4);
});

test('a free port is chosen and told, and a taken one is a clear error', async () => {
  const bound = await listenOnTcp(server(), { host: '127.0.0.1', port: 0 });
  expect(bound.port).toBeGreaterThan(0);
  await expect(listenOnTcp(server(), bound)).rejects.toThrow(`Listening on 127.0.0.1:${bound.port} failed`);
});
