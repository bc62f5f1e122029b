import { expect, test } from 'vitest';
import { Refusal, testContext, UNTRUSTED, wireEntry, FINDINGS, HASH } from './test-context.ts';
import { trust } from './trust.ts';

const AT = '2025-01-31T12:00:00.000Z';
const [make, socket] = FINDINGS as [(typeof FINDINGS)[0], (typeof FINDINGS)[0]];
const TRUST = 'POST /devcontainers/dc-1/trust';
const REVOKE = 'DELETE /devcontainers/dc-1/trust';

/** A daemon that knows `entry`, and takes trust. */
function daemonWith(part: Parameters<typeof wireEntry>[0], more: Record<string, unknown> = {}) {
  return {
    'GET /devcontainers': { devcontainers: [wireEntry(part)] },
    'GET /devcontainers/dc-1': wireEntry(part),
    [TRUST]: undefined,
    [REVOKE]: undefined,
    ...more,
  };
}
const sent = ({ requests }: ReturnType<typeof testContext>, method: string) =>
  requests.filter((request) => request.method === method).map(({ path, body }) => ({ path, body }));

test('the findings are shown as a difference, explained, and accepted when the person says yes', async () => {
  const given = { hash: 'old', findings: [socket, { ...make, detail: 'make' }], at: AT };
  const context = testContext(daemonWith({ ...UNTRUSTED, trust: given }), { reply: true });
  expect(await trust(context, {}, 'app')).toBe(0);
  const lines = context.stdout().replaceAll(/ +/g, ' ').split('\n');
  expect(lines).toEqual([
    `What app can do to this machine (compared with what was accepted on ${AT}):`,
    ' FINDING WHAT SAID BY',
    '+ initialize-command make deps .devcontainer.json',
    ' mount /var/run/docker.sock .devcontainer.json',
    '- initialize-command make .devcontainer.json',
    expect.stringContaining('initialize-command: a command that runs on this machine'),
    expect.stringContaining('mount: '),
    'Accepted, as long as it stays the same. Next: agentcontainers up app',
    '',
  ]);
  expect(context.questions).toEqual(['Accept all of this for app, as long as it stays the same?']);
  expect(sent(context, 'POST')).toEqual([{ path: '/devcontainers/dc-1/trust', body: { hash: HASH } }]);
});

test.each([
  ['the person says no', { reply: false }],
  ['nobody can be asked', {}],
])('when %s nothing is accepted, the next step is said, and the code is 4', async (_name, options) => {
  const context = testContext(daemonWith(UNTRUSTED), options);
  expect(await trust(context, {}, 'app')).toBe(4);
  expect(sent(context, 'POST')).toEqual([]);
  expect(context.stdout()).toContain('/var/run/docker.sock');
  expect(context.stderr()).toContain(`agentcontainers trust --hash ${HASH} app`);
});

test('with --json nobody is asked, and findings, difference and next step are in one answer', async () => {
  const context = testContext(daemonWith({ ...UNTRUSTED, trust: { hash: 'old', findings: [socket], at: AT } }), {
    json: true,
  });
  expect(await trust(context, { json: true }, 'app')).toBe(4);
  expect(JSON.parse(context.stdout())).toMatchObject({
    ...{ id: 'dc-1', name: 'app', trusted: false, hash: HASH, findings: FINDINGS, added: [make], removed: [] },
    error: { code: 'devcontainer-not-trusted', next: expect.stringContaining('trust --yes app') },
  });
});

test('--yes accepts what is shown, --hash exactly that, both without a question', async () => {
  for (const [flags, hash] of [
    [{ yes: true }, HASH],
    [{ hash: HASH }, HASH],
    [{ hash: 'other' }, 'other'],
  ] as const) {
    const context = testContext(daemonWith(UNTRUSTED), { reply: false });
    expect(await trust(context, flags, 'app')).toBe(0);
    expect(sent(context, 'POST').map(({ body }) => body)).toEqual([{ hash }]);
    expect([context.questions, context.stdout().includes('make deps')]).toEqual([[], true]);
  }
});

test('findings that have changed since they were shown are not accepted', async () => {
  const changed = new Refusal(409, { message: 'The findings have changed', code: 'verdict-changed', hash: 'now' });
  const context = testContext(daemonWith(UNTRUSTED, { [TRUST]: changed }), { reply: true });
  await expect(trust(context, {}, 'app')).rejects.toMatchObject({
    code: 'verdict-changed',
    details: { hash: 'now', next: 'Look at it again with `agentcontainers trust app`.' },
  });
});

test.each([
  ['what is trusted already', { ...UNTRUSTED, trusted: true, trust: { hash: HASH, findings: FINDINGS, at: AT } }],
  ['what can do nothing', { verdict: { hash: 'none', finding_count: 0, findings: [] } }],
])('%s needs no question', async (_name, part) => {
  const context = testContext(daemonWith(part), { reply: false });
  expect(await trust(context, {}, 'app')).toBe(0);
  expect([context.questions, sent(context, 'POST')]).toEqual([[], []]);
  expect(context.stdout()).toContain('Nothing is left to accept.');
});

test('what can do nothing is accepted when somebody says so, since it is started by itself only then', async () => {
  const harmless = { verdict: { hash: 'none', finding_count: 0, findings: [] } };
  const asked = testContext(daemonWith(harmless));
  expect(await trust(asked, {}, 'app')).toBe(0);
  expect(asked.stdout()).toContain('So that it may be started by itself too: agentcontainers trust --yes app');
  for (const flags of [{ yes: true }, { hash: 'none' }]) {
    const context = testContext(daemonWith(harmless), { reply: false });
    expect(await trust(context, flags, 'app')).toBe(0);
    expect(sent(context, 'POST').map(({ body }) => body)).toEqual([{ hash: 'none' }]);
    expect(context.stdout()).toContain('Accepted, as long as it stays the same.');
  }
  const accepted = testContext(daemonWith({ ...harmless, trust: { hash: 'none', findings: [], at: AT } }));
  expect(await trust(accepted, { yes: true }, 'app')).toBe(0);
  expect(sent(accepted, 'POST')).toEqual([]);
  expect(accepted.stdout()).not.toContain('started by itself');
});

test('a hash that is not that of what is trusted is asked of the daemon, which refuses it', async () => {
  const trusted = { ...UNTRUSTED, trusted: true, trust: { hash: HASH, findings: FINDINGS, at: AT } };
  const refusal = new Refusal(409, { message: 'The findings have changed', code: 'verdict-changed' });
  const context = testContext(daemonWith(trusted, { [TRUST]: refusal }));
  await expect(trust(context, { hash: 'b2' }, 'app')).rejects.toMatchObject({ code: 'verdict-changed' });
});

test.each([
  ['a count instead of the findings', { verdict: { hash: HASH, finding_count: 2 } }, 'config-not-found'],
  ['nothing that was read', {}, 'config-not-found'],
  ['a broken configuration', { config_error: { message: 'x', line: 3, column: 7 } }, 'config-invalid'],
  ['what is only seen', { level: 'seen' as const }, 'devcontainer-not-adopted'],
])('of %s nothing can be accepted, not even with --yes', async (_name, part, code) => {
  const context = testContext(daemonWith({ trusted: false, ...part }), { reply: true });
  await expect(trust(context, { yes: true }, 'app')).rejects.toMatchObject({ code });
  expect(sent(context, 'POST')).toEqual([]);
});

test('--revoke takes it back, with a hash only if it is that one', async () => {
  const given = { hash: HASH, findings: FINDINGS, at: AT };
  const context = testContext(
    daemonWith({ ...UNTRUSTED, trust: given }, { 'DELETE /devcontainers/dc-1/trust?hash=h%26': undefined }),
  );
  expect(await trust(context, { revoke: true }, 'app')).toBe(0);
  expect(await trust(context, { revoke: true, hash: 'h&' }, 'app')).toBe(0);
  expect(sent(context, 'DELETE').map(({ path }) => path)).toEqual([
    '/devcontainers/dc-1/trust',
    '/devcontainers/dc-1/trust?hash=h%26',
  ]);
  expect(context.stdout()).toContain('Taken back.');
  const nothing = testContext(daemonWith(UNTRUSTED));
  await trust(nothing, { revoke: true }, 'app');
  expect(nothing.stdout()).toBe('Nothing had been accepted for app.\n');
});

test('what has a container already is made anew with it, since it was made without', async () => {
  const entry = { ...UNTRUSTED, container: { id: 'c1', name: 'app-1', running: true } } as unknown as typeof UNTRUSTED;
  const context = testContext(daemonWith(entry), { reply: true });
  expect(await trust(context, {}, 'app')).toBe(0);
  expect(context.stdout()).toContain('Next: agentcontainers recreate app\n');
});
