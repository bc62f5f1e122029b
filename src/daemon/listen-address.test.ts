import { describe, expect, test } from 'vitest';
import { formatAddress, isLoopback, parseListenAddress } from './listen-address.ts';

describe('parseListenAddress', () => {
  test.each([
    ['127.0.0.1:7420', '127.0.0.1', 7420],
    [':7420', '127.0.0.1', 7420],
    ['7420', '127.0.0.1', 7420],
    ['[::1]:7420', '::1', 7420],
    ['::1', '::1', 0],
    ['localhost', 'localhost', 0],
    ['example.org:1', 'example.org', 1],
    ['127.0.0.1:0', '127.0.0.1', 0],
  ])('reads %s', (text, host, port) => {
    expect(parseListenAddress(text)).toEqual({ host, port });
  });

  test.each(['', 'http://127.0.0.1:1', '127.0.0.1:x', 'a b:1', '[127.0.0.1]:1', '[::1', '1:2:3:4'])(
    'refuses %j',
    (text) => {
      expect(() => parseListenAddress(text)).toThrow('An address is host:port');
    },
  );

  test('refuses a port that does not exist', () => {
    expect(() => parseListenAddress('127.0.0.1:65536')).toThrow('between 0 and 65535');
  });

  test('is the inverse of formatAddress', () => {
    for (const text of ['127.0.0.1:80', '[::1]:80', 'localhost:0']) {
      expect(formatAddress(parseListenAddress(text))).toBe(text);
    }
  });
});

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['192.168.1.1', false],
  ['127.0.0.1.example.org', false],
  ['localhost.example.org', false],
])('isLoopback(%s) is %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});
