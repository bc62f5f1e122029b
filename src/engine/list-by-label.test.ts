import { describe, expect, test } from 'vitest';
import { engineUnderTest, within } from '../../test/engine/engine-under-test.ts';
import { json } from '../../test/engine/fake-engine-server.ts';

const current = engineUnderTest();
const HEX = 'f'.repeat(64);
const ID = `sha256:${HEX}`;

describe('what carries labels', () => {
  test('is listed by name or full id', async () => {
    const Labels = { a: 'b', c: '' };
    // As Podman answers, which lists what carries any of the labels.
    const volumes = [{ Name: 'v1', Labels }, { Labels }, { Name: 'v2', Labels: { a: 'b' } }, { Name: 'v3' }];
    current().server.on('GET /volumes', json({ Volumes: volumes, Warnings: null }));
    current().server.on(
      'GET /images/json',
      json([
        { Id: HEX, Labels },
        { Id: ID, Labels },
      ]),
    );
    current().server.on('GET /networks', json([{ Id: 'n1', Name: 'net', Labels }]));
    const query = { labels: ['a=b', 'c'], signal: within() };
    const { engine, server } = current();
    expect(await engine.listVolumes(query)).toEqual(['v1']);
    expect(await engine.listImages(query)).toEqual([ID]);
    expect(await engine.listNetworks(query)).toEqual(['net']);
    for (const { path, query } of server.requests) {
      if (path !== '/_ping') expect(query.get('filters')).toBe('{"label":["a=b"]}');
    }
    server.on('GET /volumes', json({ Volumes: null }));
    expect(await engine.listVolumes(query)).toEqual([]);
  });

  test('is never listed without a label, which would be everything', async () => {
    const query = { labels: [], signal: within() };
    for (const listing of ['listVolumes', 'listImages', 'listNetworks'] as const) {
      await expect(current().engine[listing](query)).rejects.toMatchObject({ code: 'broken-contract' });
    }
  });

  test.each([
    [204, true],
    [404, true],
    [409, false],
  ])('a volume is removed unless it is in use (status %i)', async (status, isGone) => {
    current().server.on('DELETE /volumes/v1', (response) => void response.writeHead(status).end());
    expect(await current().engine.removeVolume('v1', within())).toBe(isGone);
  });
});
