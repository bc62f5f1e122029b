import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { LocalConnection, LocalListening } from '../agentcontainers/ports.ts';
import { createLocalListener } from './local-listener.ts';

const listener = createLocalListener();
const cleanUp: (() => unknown)[] = [];

afterEach(async () => {
  for (const undo of cleanUp.splice(0).toReversed()) await undo();
});

async function listen(accept: (connection: LocalConnection) => void, port = 0): Promise<LocalListening> {
  const listening = await listener.listen(port, accept);
  cleanUp.push(() => listening.close());
  return listening;
}

/** A client, and the connection that the listener was given for it. */
async function connected(): Promise<{ listening: LocalListening; client: Socket; connection: LocalConnection }> {
  let given: (connection: LocalConnection) => void = () => {};
  const connection = new Promise<LocalConnection>((resolve) => {
    given = resolve;
  });
  const listening = await listen((one) => given(one));
  const client = connect({ port: listening.port, host: '127.0.0.1', allowHalfOpen: true });
  client.on('error', () => {});
  cleanUp.push(() => client.destroy());
  await once(client, 'connect');
  return { listening, client, connection: await connection };
}

async function bytesOf(chunks: AsyncIterable<Uint8Array> | AsyncIterableIterator<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
const textOf = async (chunks: AsyncIterable<Uint8Array>): Promise<string> => (await bytesOf(chunks)).toString();
const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Megabytes, of what the system keeps for a connection of which nobody reads. */
const MORE_THAN_BUFFERED = 64;

const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()));

/** Some whole megabytes of bytes that are not alike. */
function content(megabytes: number): Buffer {
  const bytes = Buffer.alloc(megabytes * 1_048_576);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at);
  return bytes;
}

test('bytes go both ways, and each side can end its own direction', async () => {
  const { client, connection } = await connected();
  client.end('question');
  expect(await textOf(connection.incoming)).toBe('question');
  await connection.write(Buffer.from('answer'));
  await connection.write(Buffer.from(' and more'));
  connection.end();
  expect(await textOf(client)).toBe('answer and more');
  await connection.closed;
});

test('the other direction goes on when ours has ended', async () => {
  const { client, connection } = await connected();
  connection.end();
  expect(await textOf(client.iterator({ destroyOnReturn: false }))).toBe('');
  client.end('late');
  expect(await textOf(connection.incoming)).toBe('late');
  await connection.closed;
});

test('a client that takes nothing holds the writer up, not the other direction, and gets all of it once it does', async () => {
  const { client, connection } = await connected();
  const sent = content(MORE_THAN_BUFFERED);
  let isWritten = false;
  const writing = connection.write(sent).then(() => {
    isWritten = true;
  });
  const incoming = connection.incoming[Symbol.asyncIterator]();
  for (const text of ['a', 'b', 'c']) {
    client.write(text);
    expect(Buffer.from((await incoming.next()).value as Uint8Array).toString()).toBe(text);
  }
  expect(isWritten).toBe(false);
  connection.end();
  expect(digestOf(await bytesOf(client.iterator({ destroyOnReturn: false })))).toBe(digestOf(sent));
  await writing;
});

test('what comes is read only as fast as it is taken', async () => {
  const { client, connection } = await connected();
  const sent = content(MORE_THAN_BUFFERED);
  client.end(sent);
  for (const text of ['a', 'b', 'c']) {
    await connection.write(Buffer.from(text));
    expect(String((await once(client, 'data'))[0])).toBe(text);
  }
  expect(client.writableFinished).toBe(false);
  expect(digestOf(await bytesOf(connection.incoming))).toBe(digestOf(sent));
});

describe('a connection that is broken off', () => {
  test('by the client is told to the reader and to the writer', async () => {
    const { client, connection } = await connected();
    const read = textOf(connection.incoming);
    client.resetAndDestroy();
    await expect(read).rejects.toThrow('ECONNRESET');
    await connection.closed;
    await expect(connection.write(Buffer.from('x'))).rejects.toThrow('ECONNRESET');
    connection.end();
    connection.close();
  });

  test('by the client while nobody reads is no unhandled error', async () => {
    const { client, connection } = await connected();
    client.resetAndDestroy();
    const writing = (async () => {
      // Only a write shows it.
      for (;;) await connection.write(Buffer.alloc(65_536));
    })();
    await expect(writing).rejects.toThrow(/ECONNRESET|EPIPE/);
    await connection.closed;
  });

  test('while a write waits rejects that', async () => {
    const { client, connection } = await connected();
    const written = connection.write(content(MORE_THAN_BUFFERED)).catch((error: unknown) => error);
    await once(client, 'readable');
    client.resetAndDestroy();
    expect(await written).toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) });
  });

  test('by us is seen as broken by the client, not as ended', async () => {
    const { client, connection } = await connected();
    const gone = closed(client);
    connection.close();
    await gone;
    expect(client.errored).toMatchObject({ code: 'ECONNRESET' });
    await connection.closed;
  });
});

describe('a port', () => {
  test('is on 127.0.0.1 alone', async () => {
    const { port } = await listen(() => {});
    expect(port).toBeGreaterThan(0);
    for (const host of ['127.0.0.2', '::1']) {
      const client = connect({ port, host });
      cleanUp.push(() => client.destroy());
      const outcome = await Promise.race([
        once(client, 'connect').then(() => 'connected'),
        new Promise((resolve) => client.once('error', () => resolve('refused'))),
      ]);
      expect(outcome).toBe('refused');
    }
  });

  test('that is in use is refused, with the next step', async () => {
    const other = createServer();
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    cleanUp.push(() => other.close());
    const { port } = other.address() as { port: number };
    await expect(listener.listen(port, () => {})).rejects.toMatchObject({
      code: 'port-taken',
      message: `Listening on 127.0.0.1:${port} failed: another program uses the port. End that program, or choose another port.`,
    });
  });

  test('is free again after the close, which ends its connections', async () => {
    const { listening, client, connection } = await connected();
    const gone = closed(client);
    await listening.close();
    await Promise.all([gone, connection.closed]);
    expect(await listening.ended).toBeUndefined();
    await listening.close();
    const again = await listen(() => {}, listening.port);
    expect(again.port).toBe(listening.port);
  });
});
