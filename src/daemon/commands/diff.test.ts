import { expect, test } from 'vitest';
import { diff } from './diff.ts';
import { testContext, wireEntry } from './test-context.ts';

const CONTAINER = { container: { id: 'c-1' } } as unknown as Parameters<typeof wireEntry>[0];

async function show(differences: object[], part = CONTAINER, json = false) {
  const context = testContext(
    { 'GET /devcontainers': { devcontainers: [wireEntry(part)] }, 'GET /devcontainers/dc-1/diff': { differences } },
    { json },
  );
  expect(await diff(context, {}, 'app')).toBe(0);
  return context.stdout();
}

test('each input is shown with its class and its lines, then what the classes mean', async () => {
  const text = await show([
    { input: './Dockerfile', class: 'recreate', before: 'FROM a\nRUN x\n', after: 'FROM b\nRUN x\n' },
    { input: 'postCreateCommand', class: 'rerun-hook', before: '"npm i"', after: '"npm ci"' },
    { input: 'forwardPorts', class: 'live', before: '[1,2]', after: '[1,3]' },
    { input: 'image node:22', class: 'recreate', after: 'sha256:1' },
    { input: 'features', class: 'recreate', before: '{}' },
    { input: './blob', class: 'recreate' },
  ]);
  expect(text.split('\n')).toEqual([
    ...['./Dockerfile  recreate', '- FROM a', '+ FROM b', '  RUN x', ''],
    ...['postCreateCommand  rerun-hook', '- "npm i"', '+ "npm ci"', ''],
    ...['forwardPorts  live', '  [', '    1,', '-   2', '+   3', '  ]', ''],
    ...['image node:22  recreate', '  (there was none, or it is not known)', '+ sha256:1', ''],
    ...['features  recreate', '  (there is none any more)', '- {}', ''],
    ...['./blob  recreate', '  (what it says is not known)', ''],
    'recreate: needs a new container: agentcontainers recreate app',
    expect.stringContaining('agentcontainers rerun-hook app postCreateCommand'),
    expect.stringMatching(/^live: /),
    '',
  ]);
});

test('nothing to show is said', async () => {
  expect(await show([])).toBe('Nothing differs: app is what its configuration says.\n');
  expect(await show([], {})).toBe('app has no container to compare with. Next: agentcontainers up app\n');
});

test('what files say cannot move the cursor', async () => {
  const text = await show([
    { input: 'na\u001b[2Jme', class: 'none', before: 'a', after: 'b\u001b[1A\u001b[2Kc\rd\u0007' },
  ]);
  // oxlint-disable-next-line no-control-regex
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
});

test('a long input is cut, and --json has all of it', async () => {
  const after = Array.from({ length: 1_000 }, (_, index) => `line ${index}`).join('\n');
  const differences = [{ input: './big', class: 'recreate', before: '', after }];
  const text = await show(differences);
  expect(text.split('\n').length).toBeLessThan(220);
  expect(text).toContain('(and 800 more lines; --json has all)');
  expect(JSON.parse(await show(differences, CONTAINER, true))).toEqual({ id: 'dc-1', name: 'app', differences });
});
