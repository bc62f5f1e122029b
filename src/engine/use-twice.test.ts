import { describe, expect, test } from 'vitest';
import { engineUnderTest, within } from '../../test/engine/engine-under-test.ts';

const current = engineUnderTest();
const done = (response: { writeHead(status: number): { end(): void } }): void => response.writeHead(200).end();

const requests = () =>
  current()
    .asked()
    .filter((route) => route !== 'GET /_ping');

describe('a call whose answer was lost', () => {
  test('is repeated once, on a connection that was made anew', async () => {
    let tries = 0;
    current().server.on('POST /containers/c1/start', (response) => {
      if (++tries === 1) response.destroy();
      else done(response);
    });
    await current().engine.startContainer('c1', within());
    expect(requests()).toEqual(['POST /containers/c1/start', 'POST /containers/c1/start']);
  });

  test('fails when the second is lost too, or the engine has gone meanwhile', async () => {
    current().server.on('GET /containers/json', (response) => void response.destroy());
    await expect(current().list()).rejects.toMatchObject({ code: 'engine-unreachable' });
    expect(requests()).toHaveLength(2);
    current().server.on('GET /containers/json', (response) => {
      void current().server.stop();
      response.destroy();
    });
    await expect(current().list()).rejects.toMatchObject({
      code: 'engine-unreachable',
      message: expect.stringMatching(/^Listing containers failed: the container engine closed the connection/),
    });
  });

  test('is not repeated when it was given up', async () => {
    const controller = new AbortController();
    current().server.on('GET /containers/json', (response) => {
      controller.abort();
      response.destroy();
    });
    await expect(current().list(controller.signal)).rejects.toMatchObject({ code: 'cancelled' });
    expect(requests()).toHaveLength(1);
  });
});
