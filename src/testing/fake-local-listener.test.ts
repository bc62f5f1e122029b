import { describe, expect, test } from 'vitest';
import type { LocalConnection } from '../agentcontainers/ports.ts';
import { createFakeLocalListener } from './fake-local-listener.ts';

describe('the fake local listener', () => {
  test('gives a client to whoever listens, and nobody else', async () => {
    const listener = createFakeLocalListener();
    const given: LocalConnection[] = [];
    const { port } = await listener.listen(3000, (connection) => given.push(connection));
    expect(listener.listening).toEqual([3000]);
    const client = listener.connect(port);
    await given[0]?.write(Buffer.from('hello'));
    expect(client.received).toBe('hello');
    expect(() => listener.connect(3001)).toThrow('nobody listens there');
  });

  test('refuses a port that is taken, and gives any other one', async () => {
    const listener = createFakeLocalListener();
    listener.take(40_000);
    await expect(listener.listen(40_000, () => {})).rejects.toMatchObject({ code: 'port-taken' });
    const first = await listener.listen(0, () => {});
    const second = await listener.listen(0, () => {});
    expect([first.port, second.port]).toEqual([40_001, 40_002]);
    await expect(listener.listen(40_001, () => {})).rejects.toMatchObject({ code: 'port-taken' });
    listener.release(40_000);
    expect((await listener.listen(40_000, () => {})).port).toBe(40_000);
  });

  test('names what is left open', async () => {
    const listener = createFakeLocalListener();
    const listening = await listener.listen(3000, () => {});
    const client = listener.connect(3000);
    expect(listener.leaks()).toEqual(['127.0.0.1:3000 is listened on', 'a connection to 127.0.0.1:3000 is open']);
    await listening.close();
    expect(listener.leaks()).toEqual([]);
    expect(client.state).toBe('broken');
    expect(await listening.ended).toBeUndefined();
  });

  test('tells whoever listens that it has broken down', async () => {
    const listener = createFakeLocalListener();
    const listening = await listener.listen(3000, () => {});
    listener.breakDown(3000, new Error('no more'));
    expect(await listening.ended).toMatchObject({ message: 'no more' });
    expect(listener.listening).toEqual([]);
  });
});
