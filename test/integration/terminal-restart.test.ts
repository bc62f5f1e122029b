import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSocket, type SocketClient } from '../../src/http/test-sockets.ts';
import type { WireProcess } from '../../src/http/runtime-wire-schemas.ts';
import type { WireDevcontainer, WireReceipt } from '../../src/http/wire-schemas.ts';
import { isResidentBuilt } from './resident-support.ts';
import { API, type DaemonProcess, isInjected, JSON_TYPE } from './support/daemon.ts';
import { eventually } from './support/eventually.ts';
import { makeOneFolder, type OneFolder } from './support/one-folder.ts';
import { screenOf } from './support/screen.ts';

// A page comes back to its terminal: over a daemon that was killed hard, and after more output than is kept.

const SIZE = { width: 90, height: 24 };
const MIB = 1024 * 1024;

let one: OneFolder;
let daemon: DaemonProcess;
let id: string;

/** The daemon is killed, and another one finds the same container and its resident. */
async function restart(): Promise<void> {
  await daemon.end('SIGKILL');
  daemon = await one.serve();
  await daemon.until(id, 'the same container', isInjected);
}

function pty(reconnect: string, query = ''): Promise<SocketClient> {
  const path = `${API}/devcontainers/${id}/pty?reconnect=${reconnect}&width=${SIZE.width}&height=${SIZE.height}${query}`;
  return openSocket(`ws+unix:${daemon.socket}:${path}`, {});
}
const processOf = (client: SocketClient): Promise<WireProcess> =>
  daemon.get(`${API}/devcontainers/${id}/processes/${String(client.headers['agentcontainers-process'])}`);
async function bash(command: string): Promise<void> {
  const request = { method: 'POST', headers: JSON_TYPE, body: JSON.stringify({ command }) };
  expect((await daemon.ask(`${API}/devcontainers/${id}/bash`, request)).json).toMatchObject({ exit_code: 0 });
}

/** All rows but that of the status line. */
const textOf = (client: SocketClient): string[] => screenOf(client.bytes(), SIZE).slice(0, -1);
const showsFile = (client: SocketClient): Promise<unknown> =>
  eventually('the file on the screen', () => textOf(client)[0]?.startsWith('line 1 of') && textOf(client)[22] !== '');

const LINES = 'for n in $(seq 1 40); do echo "line $n of the file"; done >/tmp/file';

describe.skipIf(!isResidentBuilt)('a terminal by its value', () => {
  beforeAll(async () => {
    one = await makeOneFolder('ac-ptyrestart-');
    daemon = await one.serve();
    ({ id } = await one.bringUp(daemon));
  }, 240_000);
  afterAll(async () => {
    await daemon?.end('SIGKILL');
    await one?.remove();
  }, 120_000);

  test('holds a recreate off, and so does a command; it is cut off by force', async () => {
    const client = await pty(randomUUID(), '&command=cat');
    client.send({ data: 'typed\r' });
    await eventually('the terminal', () => client.bytes().toString().includes('typed'));
    const start = { argv: ['sleep', '6543'] };
    const started = await daemon.ask(`${API}/devcontainers/${id}/processes`, {
      ...{ method: 'POST', headers: JSON_TYPE, body: JSON.stringify(start) },
    });
    expect(started.status).toBe(201);
    const recreate = (force: boolean) =>
      daemon.ask(`${API}/devcontainers/${id}/recreate`, {
        ...{ method: 'POST', headers: JSON_TYPE, body: JSON.stringify({ force }) },
      });
    // Both are told one after the other.
    await eventually('a busy devcontainer', async () => {
      const { status, json } = await daemon.ask(`${API}/devcontainers/${id}`);
      return status === 200 && JSON.stringify(json).includes('1 command, 1 terminal');
    });
    const refused = await recreate(false);
    expect(refused).toMatchObject({ status: 409, json: { message: 'Devcontainer is busy' } });
    const { holders } = refused.json as { holders: { description: string }[] };
    expect(holders.map(({ description }) => description)).toEqual(['1 command, 1 terminal']);
    expect(client.ws.readyState).toBe(client.ws.OPEN);

    const before = (await daemon.get<WireDevcontainer>(`${API}/devcontainers/${id}`)).container?.id;
    const accepted = await recreate(true);
    expect(accepted.status).toBe(202);
    expect(await daemon.ended((accepted.json as WireReceipt).operation_id)).toMatchObject({ status: 'succeeded' });
    await client.closed;
    const { container } = await daemon.until(id, 'a new container with its resident', isInjected);
    expect(container?.id).not.toBe(before);
  });

  test('shows the same after the daemon was killed hard, and takes what is typed', async () => {
    const key = randomUUID();
    const first = await pty(key, `&command=${encodeURIComponent(`${LINES}; exec vi /tmp/file`)}`);
    await showsFile(first);
    first.send({ data: 'jjA and more' });
    await eventually('what was typed', () => textOf(first)[2] === 'line 3 of the file and more');
    const { pid } = await processOf(first);
    await restart();
    await first.closed;
    const again = await pty(key);
    await eventually('the same bytes', () => again.bytes().length >= first.bytes().length);
    expect(again.bytes().subarray(0, first.bytes().length)).toEqual(first.bytes());
    expect(screenOf(again.bytes(), SIZE)).toEqual(screenOf(first.bytes(), SIZE));
    expect(await processOf(again)).toMatchObject({ pid, running: true });
    again.send({ data: ' again\u001b' });
    await eventually('what is typed', () => textOf(again)[2] === 'line 3 of the file and more again');
    again.send({ data: ':wq\r' });
    expect((await again.closed).code).toBe(1000);
  });

  test.each(['another viewer', 'another daemon'])('is drawn anew when more came than is kept: %s', async (who) => {
    const key = randomUUID();
    const go = `/tmp/go-${key}`;
    // Only the status line changes, so that nothing of the file is left in what is kept.
    const noise = `awk 'BEGIN { for (n = 0; n < 70000; n++) printf "\\033[24;1H%016d", n }'`;
    const command = `${LINES}; (until [ -e ${go} ]; do sleep 0.1; done; ${noise}) & exec vi /tmp/file`;
    const first = await pty(key, `&command=${encodeURIComponent(command)}`);
    await showsFile(first);
    const before = textOf(first);
    first.ws.close();
    await first.closed;
    await bash(`touch ${go}`);
    await eventually('more output than is kept', async () => {
      const { output, running } = await processOf(first);
      expect(running).toBe(true);
      return output.end > 1.4 * MIB && output.start > 65_536;
    });
    if (who === 'another daemon') await restart();

    const again = await pty(key);
    await eventually('the same screen', () => String(textOf(again)) === String(before));
    // The first that it is sent is no rest of a sequence that begins before it.
    expect([0x1b, 0x0a]).toContain(again.bytes()[0]);
    expect((await processOf(again)).tty).toEqual(SIZE);
    again.send({ data: ':q!\r' });
    expect((await again.closed).code).toBe(1000);
  });
});
