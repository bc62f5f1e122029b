import { expect, test } from 'vitest';
import { assertBindAllowed } from './assert-bind-allowed.ts';

const plain = { tls: false, allowRemote: false };

test.each(['127.0.0.1', '127.8.9.1', '::1', '[::1]', 'localhost', 'LOCALHOST'])('%s needs nothing', (host) => {
  expect(() => assertBindAllowed({ host, ...plain })).not.toThrow();
});

test.each([
  '0.0.0.0',
  '::',
  '',
  '192.168.1.4',
  '10.0.0.1',
  'fe80::1',
  'example.com',
  'localhost.example.com',
  '127.0.0.1.example',
])('"%s" needs TLS and the flag, both', (host) => {
  expect(() => assertBindAllowed({ host, ...plain })).toThrow('needs TLS and the flag that allows it');
  expect(() => assertBindAllowed({ host, tls: true, allowRemote: false })).toThrow('needs the flag');
  expect(() => assertBindAllowed({ host, tls: false, allowRemote: true })).toThrow('needs TLS.');
  expect(() => assertBindAllowed({ host, tls: true, allowRemote: true })).not.toThrow();
});
