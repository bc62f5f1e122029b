import { describe, expect, test } from 'vitest';
import { engineUnderTest, until, within } from '../../test/engine/engine-under-test.ts';
import { json } from '../../test/engine/fake-engine-server.ts';

const current = engineUnderTest();

describe('an engine that misbehaves', () => {
  test.each([
    ['that is not JSON', (response: { end(text: string): void }) => response.end('<html>'), 'is not JSON'],
    ['that is cut off', (response: { end(text: string): void }) => response.end('[{"Id":"a"'), 'is not JSON'],
    ['of another shape', (response: { end(text: string): void }) => response.end('{"Id":"a"}'), 'is no list'],
  ])('an answer %s is an error of one line', async (_what, answer, reason) => {
    current().server.on('GET /containers/json', (response) => answer(response));
    await expect(current().list()).rejects.toMatchObject({
      code: 'engine-request-failed',
      message: expect.stringMatching(new RegExp(`^Listing containers failed: [^\\n]*${reason}`)),
    });
  });

  test('an error text with control characters comes out as one bounded line', async () => {
    current().server.on('GET /containers/json', json({ message: `bad\n\u001b[31m${'x'.repeat(5_000)}` }, 500));
    const error = (await current()
      .list()
      .catch((thrown: unknown) => thrown)) as Error;
    expect(error.message.length).toBeLessThan(600);
    // oxlint-disable-next-line no-control-regex -- they are what must not be there
    expect(error.message).not.toMatch(/[\u0000-\u001f]/);
  });

  test.each([
    [404, 'engine-object-not-found'],
    [409, 'engine-conflict'],
    [400, 'engine-request-failed'],
    [500, 'engine-request-failed'],
  ])('status %i is %s, with or without a text', async (status, code) => {
    current().server.on('GET /containers/c1/json', json({ message: 'the reason' }, status));
    await expect(current().engine.inspectContainer('c1', within())).rejects.toMatchObject({
      code,
      message: 'Inspecting container c1 failed: the reason.',
    });
    current().server.on('GET /containers/c1/json', (response) => void response.writeHead(status).end());
    await expect(current().engine.inspectContainer('c1', within())).rejects.toMatchObject({
      code,
      message: `Inspecting container c1 failed: the engine answered with status ${status}.`,
    });
  });

  test('one that closes inside an answer or an error is unreachable', async () => {
    for (const status of [200, 500]) {
      current().server.on('GET /containers/json', (response) => {
        response.writeHead(status, { 'Content-Length': '100' }).write('[');
        setImmediate(() => response.destroy());
      });
      await expect(current().list()).rejects.toMatchObject({ code: 'engine-unreachable' });
    }
  });

  test.each([
    ['accepts and never answers', () => {}],
    ['stops inside an answer', (response: { write(text: string): void }) => response.write('[')],
  ])('one that %s is left as soon as the signal aborts', async (_what, answer) => {
    current().server.on('GET /containers/json', (response) => answer(response));
    const controller = new AbortController();
    const listing = current().list(controller.signal);
    await until(() => current().asked().includes('GET /containers/json'));
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(listing).rejects.toMatchObject({ code: 'cancelled', cause: reason });
    await expect(current().list(AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
    await until(() => current().server.connections() === 0);
  });

  test('a time-out is called one', async () => {
    current().server.on('GET /containers/json', () => {});
    await expect(current().list(AbortSignal.timeout(20))).rejects.toMatchObject({ code: 'timeout' });
  });

  test('a name that leads to another path is refused without a request', async () => {
    for (const id of ['../images', 'a/b', '', 'a?b', 'x'.repeat(300)]) {
      await expect(current().engine.inspectContainer(id, within())).rejects.toMatchObject({
        code: 'engine-object-not-found',
      });
    }
    await expect(current().engine.imagePlatform('a/../../b', within())).rejects.toMatchObject({
      code: 'engine-object-not-found',
    });
    expect(
      current()
        .asked()
        .filter((route) => route !== 'GET /_ping'),
    ).toEqual([]);
  });
});
