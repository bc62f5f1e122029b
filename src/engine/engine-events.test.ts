import { describe, expect, test } from 'vitest';
import { engineUnderTest, until, within } from '../../test/engine/engine-under-test.ts';

const current = engineUnderTest();

describe('events', () => {
  const event = (Action: string, timeNano = 1_700_000_000_123_456_000) =>
    JSON.stringify({ Type: 'container', Action, Actor: { ID: 'c1', Attributes: { k: 'ü', n: 1 } }, timeNano });

  test('arrive whatever the chunks are, without those that make no sense', async () => {
    current().server.on('GET /events', (response) => {
      const bytes = Buffer.from(`${event('start')}\n{"broken\n\n${event('died')}\r\n[]\n${event('remove')}`);
      for (const byte of bytes) response.write(Buffer.of(byte));
      response.end();
    });
    const seen = [];
    for await (const one of current().engine.events({ since: 1_700_000_000_123, signal: within() })) seen.push(one);
    const rest = { type: 'container', subjectId: 'c1', at: 1_700_000_000_123, labels: { k: 'ü' } };
    expect(seen).toEqual(['start', 'die', 'destroy'].map((action) => ({ action, ...rest })));
    expect(current().logger.messages('warn')).toHaveLength(2);
    const { query } = current().server.requests.at(-1) ?? {};
    expect(query?.get('since')).toBe('1700000000.123');
    const filters = JSON.parse(query?.get('filters') ?? '') as { type: string[]; event: string[] };
    expect(filters.type).toEqual(['container', 'image']);
    expect(filters.event).toContain('start');
    expect(filters.event.join()).not.toMatch(/exec|health/);
  });

  test('of images are told apart from those of containers, in one set of words', async () => {
    const image = (Action: string) =>
      JSON.stringify({ Type: 'image', Action, Actor: { ID: 'sha256:1', Attributes: { name: 'a:1' } }, time: 7 });
    current().server.on('GET /events', (response) => {
      response.end(['tag', 'untag', 'remove', 'delete', 'loadfromarchive', 'pull'].map(image).join('\n'));
    });
    const seen = [];
    for await (const one of current().engine.events({ since: 0, signal: within() })) seen.push(one);
    expect(seen.map(({ action }) => action)).toEqual(['tag', 'untag', 'delete', 'delete', 'load', 'pull']);
    expect(seen[0]).toEqual({
      type: 'image',
      action: 'tag',
      subjectId: 'sha256:1',
      at: 7_000,
      labels: { name: 'a:1' },
    });
    const { event } = JSON.parse(current().server.requests.at(-1)?.query.get('filters') ?? '') as { event: string[] };
    expect(event).toEqual(expect.arrayContaining(['pull', 'load', 'import', 'tag', 'untag', 'delete']));
    expect(new Set(event).size).toBe(event.length);
  });

  test('an engine that withholds its headers until the first event is waited for', async () => {
    let release = (): void => {};
    current().server.on('GET /events', (response) => (release = () => void response.write(`${event('start')}\n`)));
    const events = current().engine.events({ since: 0, signal: within() })[Symbol.asyncIterator]();
    const first = events.next();
    await until(() => current().asked().includes('GET /events'));
    release();
    expect((await first).value).toMatchObject({ action: 'start' });
    await events.return?.();
    await until(() => current().server.connections() === 0);
  });

  test('a stream that breaks throws, one that is aborted throws the reason', async () => {
    current().server.on('GET /events', (response) => {
      response.write(`${event('start')}\n`);
      setImmediate(() => response.destroy());
    });
    const read = async (signal: AbortSignal): Promise<void> => {
      for await (const one of current().engine.events({ since: 0, signal })) expect(one.action).toBe('start');
    };
    await expect(read(within())).rejects.toMatchObject({ code: 'engine-unreachable' });
    current().server.on('GET /events', (response) => void response.write(`${event('start')}\n`));
    await expect(read(AbortSignal.timeout(50))).rejects.toMatchObject({ code: 'timeout' });
  });
});
