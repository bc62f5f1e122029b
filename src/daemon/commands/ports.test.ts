import { describe, expect, test } from 'vitest';
import type { WireForward } from '../../http/runtime-wire-schemas.ts';
import { forward } from './forward.ts';
import { parseForwardTarget } from './forward-target.ts';
import { ports } from './ports.ts';
import { testContext, wireEntry } from './test-context.ts';

const LIST = { 'GET /devcontainers': { devcontainers: [wireEntry()] } };
const FORWARDS = '/devcontainers/dc-1/forwards';
const wire = (part: Partial<WireForward> = {}): WireForward => ({
  id: 'f1',
  host: '127.0.0.1',
  port: 3000,
  host_port: 3000,
  status: 'listening',
  ...part,
});

describe('what is forwarded', () => {
  test.each([
    ['3000', { port: 3000 }],
    ['db:5432', { host: 'db', port: 5432 }],
    ['8080:3000', { host_port: 8080, port: 3000 }],
    ['15432:db:5432', { host_port: 15_432, host: 'db', port: 5432 }],
    ['10.0.0.5:80', { host: '10.0.0.5', port: 80 }],
    ['1.example.test:80', { host: '1.example.test', port: 80 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['8080:[fe80::1]:80', { host_port: 8080, host: 'fe80::1', port: 80 }],
  ])('%s is read', (text, expected) => {
    expect(parseForwardTarget(text)).toEqual(expected);
  });

  test.each([
    '',
    'x',
    '0',
    '70000',
    '0:80',
    'a:b:80',
    '1:2:3:4',
    '12:34:56',
    ':80',
    '80:',
    'http://x:80',
    '-x:80',
    '::1:80',
    '80 ',
  ])('%j is refused', (text) => {
    expect(() => parseForwardTarget(text)).toThrow(/^Reading ".*" as what to forward failed: /);
  });
});

describe('forward', () => {
  test('prints the address alone, for a script too, and how to end it', async () => {
    const context = testContext({ ...LIST, [`POST ${FORWARDS}`]: wire({ host: 'db', port: 5432, host_port: 40_001 }) });
    expect(await forward(context, {}, 'app', '40001:db:5432')).toBe(0);
    expect(context.requests.at(-1)?.body).toEqual({ host_port: 40_001, host: 'db', port: 5432 });
    expect(context.stdout()).toBe('127.0.0.1:40001\n');
    expect(context.stderr()).toMatch(/leads to db:5432 .*agentcontainers forward --end app f1/);
  });

  test('that cannot listen fails with the reason', async () => {
    const failed = wire({ status: 'failed', error: 'the port is taken.' });
    const context = testContext({ ...LIST, [`POST ${FORWARDS}`]: failed });
    expect(await forward(context, {}, 'app', '3000')).toBe(1);
    expect(context.stderr()).toContain('127.0.0.1:3000 failed: the port is taken. End it with');
    expect(context.stdout()).toBe('');
  });

  test('without an address lists them', async () => {
    const answers = {
      ...LIST,
      [`GET ${FORWARDS}`]: { forwards: [wire(), wire({ id: 'f2', host: '::1', status: 'failed', error: 'x' })] },
    };
    const context = testContext(answers);
    await forward(context, {}, 'app', undefined);
    expect(context.stdout()).toMatch(
      /^ID +ADDRESS +LEADS TO +STATUS\nf1 +127\.0\.0\.1:3000 +127\.0\.0\.1:3000 +listening\nf2 .*\[::1\]:3000 +failed: x\n$/,
    );
    const none = testContext({ ...LIST, [`GET ${FORWARDS}`]: { forwards: [] } });
    await forward(none, {}, 'app', undefined);
    expect(none.stdout()).toBe('Nothing is forwarded to app.\n');
  });

  test.each(['f1', '3000'])('with --end ends the one that %s names', async (what) => {
    const answers = { ...LIST, [`GET ${FORWARDS}`]: { forwards: [wire()] }, [`DELETE ${FORWARDS}/f1`]: undefined };
    const context = testContext(answers);
    expect(await forward(context, { end: true }, 'app', what)).toBe(0);
    expect(context.stdout()).toContain('no more');
    await expect(forward(context, { end: true }, 'app', '9')).rejects.toMatchObject({ code: 'forward-not-found' });
    await expect(forward(context, { end: true }, 'app', undefined)).rejects.toMatchObject({ code: 'invalid-request' });
  });
});

describe('ports', () => {
  test('shows what listens and the forwards that lead there, also those that lead elsewhere', async () => {
    const listening = [
      { port: 8080, address: '::', family: 6, name: 'node\u001b[31m', pid: 7, process: 'ab12-1' },
      { port: 3000, address: '127.0.0.1', family: 4 },
    ];
    const context = testContext({
      ...LIST,
      'GET /devcontainers/dc-1/ports': { ports: listening },
      [`GET ${FORWARDS}`]: { forwards: [wire(), wire({ id: 'f2', host: 'db', port: 5432, host_port: 5432 })] },
    });
    expect(await ports(context, {}, 'app')).toBe(0);
    expect(context.stdout().split('\n')).toEqual([
      expect.stringMatching(/^PORT +ADDRESS +PROGRAM +PROCESS +FORWARD$/),
      expect.stringMatching(/^3000 +127\.0\.0\.1 +- +- +127\.0\.0\.1:3000$/),
      expect.stringMatching(/^8080 +:: +node \(7\) +ab12-1 +-$/),
      expect.stringMatching(/^5432 +db +- +- +127\.0\.0\.1:5432$/),
      '',
    ]);
    expect(context.stderr()).toContain('agentcontainers forward app 8080');
  });

  test('says when nothing listens', async () => {
    const answers = { ...LIST, 'GET /devcontainers/dc-1/ports': { ports: [] }, [`GET ${FORWARDS}`]: { forwards: [] } };
    const context = testContext(answers);
    await ports(context, {}, 'app');
    expect(context.stdout()).toBe('Nothing listens in app.\n');
  });
});
