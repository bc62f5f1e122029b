import { beforeEach, describe, expect, test } from 'vitest';
import { engineUnderTest, until, within } from '../../test/engine/engine-under-test.ts';
import { json } from '../../test/engine/fake-engine-server.ts';

const current = engineUnderTest();

describe('calls', () => {
  test('a listing is one request with all labels, and an entry without an id is left out', async () => {
    current().server.on('GET /containers/json', json([{ Id: 'a', State: 'running' }, { State: 'running' }]));
    const found = await current().engine.listContainers({ labels: ['k=v', 'w'], signal: within() });
    expect(found.map(({ id }) => id)).toEqual(['a']);
    const { query } = current().server.requests.at(-1) ?? {};
    expect(Object.fromEntries(query ?? [])).toEqual({ all: 'true', filters: '{"label":["k=v","w"]}' });
    expect(current().logger.messages('warn')).toHaveLength(1);
  });

  test('start and stop succeed when nothing is left to do', async () => {
    current().server.on('POST /containers/c1/start', (response) => void response.writeHead(304).end());
    current().server.on('POST /containers/c1/stop', (response) => void response.writeHead(304).end());
    current().server.on('POST /containers/c2/stop', json({ message: 'no such container' }, 404));
    await current().engine.startContainer('c1', within());
    await current().engine.stopContainer('c1', { graceSeconds: 2.5, signal: within() });
    expect(current().server.requests.at(-1)?.query.get('t')).toBe('3');
    await current().engine.stopContainer('c2', { graceSeconds: 0, signal: within() });
  });

  describe('of a removal that is in progress', () => {
    const remove = (signal = within()) =>
      current().engine.removeContainer('c1', { volumes: true, force: true, signal });
    const isWaiting = () =>
      current()
        .clock.pending()
        .some(({ tag }) => tag === 'remove-container');

    beforeEach(() => {
      current().server.on(
        'DELETE /containers/c1',
        json({ message: 'removal of container c1 is already in progress' }, 409),
      );
      current().server.on('GET /containers/c1/json', json({ Id: 'c1' }));
    });

    test('end when the container is gone', async () => {
      const removal = remove();
      await until(isWaiting);
      await current().clock.advance(100);
      await until(isWaiting);
      current().server.on('GET /containers/c1/json', json({ message: 'gone' }, 404));
      await current().clock.advance(100);
      await removal;
      const { query } = current().server.requests.find(({ method }) => method === 'DELETE') ?? {};
      expect(Object.fromEntries(query ?? [])).toEqual({ v: 'true', force: 'true' });
    });

    test('end soon when aborted', async () => {
      const controller = new AbortController();
      const removal = remove(controller.signal);
      await until(isWaiting);
      controller.abort();
      await expect(removal).rejects.toMatchObject({ code: 'cancelled' });
    });

    test('end as a conflict when it never ends', async () => {
      let error: unknown;
      const removal = remove().catch((thrown: unknown) => (error = thrown));
      for (let polls = 0; polls < 300; polls++) {
        await until(isWaiting);
        await current().clock.advance(100);
      }
      await removal;
      expect(error).toMatchObject({ code: 'engine-conflict', message: expect.stringContaining('after 30 s') });
    });
  });

  test('any other conflict of a removal is an error at once', async () => {
    current().server.on('DELETE /containers/c1', json({ message: 'container is running' }, 409));
    const removal = current().engine.removeContainer('c1', { volumes: false, force: false, signal: within() });
    await expect(removal).rejects.toMatchObject({ code: 'engine-conflict' });
  });

  test('volumes without a name go with their container, also those that its mounts name, and named ones stay', async () => {
    const hash = 'e'.repeat(64);
    const used = 'f'.repeat(64);
    const volume = (Name: string) => ({ Type: 'volume', Name, Destination: `/${Name.slice(0, 3)}` });
    const Mounts = [volume(hash), volume(used), volume('named'), { Type: 'bind', Source: hash, Destination: '/b' }];
    current().server.on('GET /containers/c1/json', json({ Id: 'c1', Mounts }));
    current().server.on('DELETE /containers/c1', (response) => void response.writeHead(204).end());
    current().server.on(`DELETE /volumes/${hash}`, json({ message: 'no such volume' }, 404));
    current().server.on(`DELETE /volumes/${used}`, json({ message: 'volume is in use' }, 409));
    await current().engine.removeContainer('c1', { volumes: true, force: true, signal: within() });
    const deleted = (): string[] =>
      current()
        .asked()
        .filter((route) => route.startsWith('DELETE'));
    expect(deleted()).toEqual(['DELETE /containers/c1', `DELETE /volumes/${hash}`, `DELETE /volumes/${used}`]);
    await current().engine.removeContainer('c1', { volumes: false, force: true, signal: within() });
    expect(deleted().slice(3)).toEqual(['DELETE /containers/c1']);
  });

  test('networks are only removed by label, those in use stay', async () => {
    current().server.on('GET /networks', json(['n1', 'n2'].map((Id) => ({ Id, Labels: { a: 'b' } }))));
    current().server.on('DELETE /networks/n1', json({ message: 'has active endpoints' }, 403));
    current().server.on('DELETE /networks/n2', (response) => void response.writeHead(204).end());
    await current().engine.removeNetworks({ labels: ['a=b'], signal: within() });
    expect(current().asked().slice(-2)).toEqual(['DELETE /networks/n1', 'DELETE /networks/n2']);
    await expect(current().engine.removeNetworks({ labels: [], signal: within() })).rejects.toMatchObject({
      code: 'broken-contract',
    });
  });

  test('a path is described from the header, and an unreadable header is an error', async () => {
    const describePath = (stat: unknown) =>
      current().server.on('HEAD /containers/c1/archive', (response) => {
        const header = Buffer.from(JSON.stringify(stat)).toString('base64');
        response.writeHead(200, { 'X-Docker-Container-Path-Stat': header }).end();
      });
    const look = () => current().engine.statPath('c1', '/a b', within());
    describePath({ name: 'a b', size: 7, mode: 2 ** 31 + 2 ** 23 + 2 ** 20 + 0o755 });
    expect(await look()).toEqual({ name: 'a b', size: 7, mode: 0o5755, isDirectory: true });
    expect(current().server.requests.at(-1)?.query.get('path')).toBe('/a b');
    describePath({ size: 7 });
    await expect(look()).rejects.toMatchObject({ code: 'engine-request-failed' });
  });

  test('an archive is sent with its length from a buffer and in chunks from a stream', async () => {
    current().server.on('PUT /containers/c1/archive', (response) => void response.writeHead(200).end());
    const bytes = new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4);
    await current().engine.putArchive('c1', '/', bytes, within());
    expect(current().server.requests.at(-1)).toMatchObject({
      headers: { 'content-length': '3' },
      body: Buffer.from([1, 2, 3]),
    });
    async function* pieces() {
      yield bytes;
      yield bytes;
    }
    await current().engine.putArchive('c1', '/', pieces(), within());
    expect(current().server.requests.at(-1)).toMatchObject({
      headers: { 'transfer-encoding': 'chunked' },
      body: Buffer.from([1, 2, 3, 1, 2, 3]),
    });
  });

  test('a stream whose source fails or is no longer wanted is left', async () => {
    current().server.on('PUT /containers/c1/archive', (response) => void response.writeHead(200).end());
    async function* failing() {
      yield Buffer.from('x');
      throw new Error('the disk is gone');
    }
    await expect(current().engine.putArchive('c1', '/', failing(), within())).rejects.toMatchObject({
      code: 'engine-request-failed',
      message: expect.stringContaining('the disk is gone'),
    });
    let left = false;
    const controller = new AbortController();
    async function* endless() {
      try {
        for (;;) yield await new Promise<Buffer>((resolve) => setImmediate(() => resolve(Buffer.alloc(10))));
      } finally {
        left = true;
      }
    }
    const putting = current().engine.putArchive('c1', '/', endless(), controller.signal);
    await until(() => current().server.connections() > 0);
    controller.abort();
    await expect(putting).rejects.toMatchObject({ code: 'cancelled' });
    await until(() => left);
  });
});

describe('the end of a log', () => {
  const frame = (stream: number, text: string): Buffer =>
    Buffer.concat([Buffer.from([stream, 0, 0, 0, 0, 0, 0, text.length]), Buffer.from(text)]);

  test.each([
    ['with frames', Buffer.concat([frame(1, 'one\n'), frame(2, 'two\n')]), 'one\ntwo\n'],
    ['from a terminal', Buffer.from('raw\r\n'), 'raw\r\n'],
    ['with nothing in it', Buffer.alloc(0), ''],
  ])('%s is text', async (_what, bytes, text) => {
    current().server.on('GET /containers/c1/logs', (response) => void response.end(bytes));
    expect(await current().engine.containerLogTail('c1', 5_000, within())).toBe(text);
    expect(current().server.requests.at(-1)?.query.get('tail')).toBe('1000');
  });
});
