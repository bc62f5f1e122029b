import { expect, test } from 'vitest';
import { isServedUpgrade, isWatchUpgrade, readRuntimeAddress } from './upgrade-routes.ts';

const API = '/api/v0/containers';

test.each([
  ['/mnt/devcontainers/dc-1/exec', { kind: 'exec', id: 'dc-1' }],
  ['/devcontainers/dc-1/exec/?x=1', { kind: 'exec', id: 'dc-1' }],
  ['/devcontainers/a%20b/pty?reconnect=/exec', { kind: 'pty', id: 'a b' }],
  [`${API}/devcontainers/dc-1/processes/ab-7/attach`, { kind: 'attach', id: 'dc-1', processId: 'ab-7' }],
  ['/devcontainers/exec/pty', { kind: 'pty', id: 'exec' }],
])('%s is an address', (url, address) => {
  expect(readRuntimeAddress(url)).toEqual(address);
});

test.each([
  ['/devcontainers/dc-1', 'route-not-found'],
  ['/devcontainers/dc-1/exec/more', 'route-not-found'],
  ['/devcontainers/a/b/exec', 'route-not-found'],
  ['/mydevcontainers/dc-1/exec', 'route-not-found'],
  ['/devcontainers/dc-1/processes/attach', 'route-not-found'],
  ['/exec', 'route-not-found'],
  ['/devcontainers/%zz/exec', 'malformed-url'],
])('%s is none: %s', (url, reason) => {
  expect(() => readRuntimeAddress(url)).toThrow(expect.objectContaining({ reason }));
});

test.each(['/devcontainers//exec', '/devcontainers/%20/pty', '/devcontainers/dc-1/processes//attach'])(
  '%s lacks an id',
  (url) => {
    expect(() => readRuntimeAddress(url)).toThrow(expect.objectContaining({ code: 'devcontainer-id-missing' }));
  },
);

test.each([
  [`${API}/watch`, true],
  [`${API}/watch/?x`, true],
  [`${API}/devcontainers/dc-1/pty`, true],
  ['/devcontainers/dc-1/pty', true],
  ['/devcontainers/dc-1/processes/p/attach', true],
  ['/watch', false],
  ['/devcontainers/dc-1/watch', false],
  [`${API}/devcontainers/watch`, false],
  [`${API}/more/devcontainers/dc-1/pty`, false],
  ['/x/devcontainers/dc-1/pty', false],
  ['/devcontainers/dc-1/logs', false],
])('the app serves %s: %s', (url, isServed) => {
  expect(isServedUpgrade(url)).toBe(isServed);
});

test('an embedder mounts the watch where it likes', () => {
  expect([isWatchUpgrade('/mnt/watch'), isWatchUpgrade('/mnt/watch/'), isWatchUpgrade('/mnt/watch/x')]).toEqual([
    true,
    true,
    false,
  ]);
});
