import { expect, test } from 'vitest';
import { createFakeClock } from '../testing/fake-clock.ts';
import { ExpiringSecrets } from './expiring-secrets.ts';

test('a secret has 256 bits and is redeemed once', () => {
  const secrets = new ExpiringSecrets(createFakeClock(), 1000, 10);
  const secret = secrets.issue();
  expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
  expect(secrets.redeem(secret)).toBe(true);
  expect(secrets.redeem(secret)).toBe(false);
  expect(secrets.redeem('')).toBe(false);
});

test('it ends after its time, which each renewal begins anew', async () => {
  const clock = createFakeClock();
  const secrets = new ExpiringSecrets(clock, 1000, 10);
  const secret = secrets.issue();
  await clock.advance(999);
  expect(secrets.renew(secret)).toBe(true);
  await clock.advance(999);
  expect(secrets.renew(secret)).toBe(true);
  await clock.advance(1000);
  expect(secrets.renew(secret)).toBe(false);
});

test('beyond the bound the one unused for longest is forgotten', () => {
  const secrets = new ExpiringSecrets(createFakeClock(), 1000, 2);
  const first = secrets.issue();
  const second = secrets.issue();
  secrets.renew(first);
  const third = secrets.issue();
  expect([first, second, third].map((secret) => secrets.redeem(secret))).toEqual([true, false, true]);
});
