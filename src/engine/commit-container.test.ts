import { describe, expect, test } from 'vitest';
import { engineUnderTest, within } from '../../test/engine/engine-under-test.ts';
import { json } from '../../test/engine/fake-engine-server.ts';

const current = engineUnderTest();
const HEX = 'f'.repeat(64);
const ID = `sha256:${HEX}`;

describe('keeping a container as an image', () => {
  test('pauses it, and gives labels in the two ways that engines take', async () => {
    current().server.on('POST /commit', json({ Id: HEX }, 201));
    const labels = { 'agentcontainers.op': 'op-1', odd: 'a "b" $C\nRUN x' };
    expect(await current().engine.commitContainer('c1', { labels }, within())).toBe(ID);
    const { query, body } = current().server.requests.at(-1) ?? {};
    expect(Object.fromEntries(query ?? [])).toEqual({
      container: 'c1',
      pause: 'true',
      changes: 'LABEL agentcontainers.op=op-1',
    });
    expect(JSON.parse(String(body))).toEqual({ Labels: labels });
  });

  test('is not tried twice, since that could make two images', async () => {
    current().server.on('POST /commit', (response) => void response.destroy());
    await expect(current().engine.commitContainer('c1', { labels: {} }, within())).rejects.toMatchObject({
      code: 'engine-unreachable',
    });
    expect(
      current()
        .asked()
        .filter((route) => route === 'POST /commit'),
    ).toHaveLength(1);
  });

  test('refuses an id that is none, and an answer without one', async () => {
    current().server.on('POST /commit', json({}, 201));
    for (const [id, code] of [
      ['c1', 'engine-request-failed'],
      ['../x', 'engine-object-not-found'],
    ] as const) {
      await expect(current().engine.commitContainer(id, { labels: {} }, within())).rejects.toMatchObject({ code });
    }
  });
});
