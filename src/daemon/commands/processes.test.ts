import { describe, expect, test } from 'vitest';
import { kill } from './kill.ts';
import { commandText } from './process-list.ts';
import { ps, stateOf } from './ps.ts';
import { Refusal, testContext, wireEntry } from './test-context.ts';
import { EXITED, wireProcess } from './test-daemon.ts';

const LIST = { 'GET /devcontainers': { devcontainers: [wireEntry()] } };
const PROCESSES = 'GET /devcontainers/dc-1/processes';
const NOW = Date.parse('2025-01-31T12:01:30.000Z');
const ENDED = wireProcess({ id: 'ab12-2', running: false, kind: 'background', exit: { ...EXITED, code: 3 } });

describe('ps', () => {
  const answers = {
    ...LIST,
    [PROCESSES]: { processes: [ENDED, wireProcess({ argv: ['sh', '-c', 'echo \u001b[31mred'] })] },
  };

  test('shows what runs, and nothing that a terminal would take for its own', async () => {
    const context = testContext(answers);
    expect(await ps(context, {}, 'app', () => NOW)).toBe(0);
    const [title, line, ...rest] = context.stdout().split('\n');
    expect(title).toMatch(/^ID +PID +KIND +STARTED +STATE +COMMAND$/);
    expect(line).toMatch(/^ab12-1 +42 +exec +1m30s ago +running +sh -c 'echo .*red'$/);
    expect(rest).toEqual(['']);
    expect(context.stdout()).not.toContain('\u001b');
  });

  test('with -a shows what has ended too', async () => {
    const context = testContext(answers);
    await ps(context, { all: true }, 'app', () => NOW);
    expect(context.stdout()).toMatch(/ab12-2 +42 +background +1m30s ago +exit 3/);
    const json = testContext(answers, { json: true });
    await ps(json, {}, 'app');
    expect(JSON.parse(json.stdout())).toMatchObject({ name: 'app', processes: [{ id: 'ab12-1' }] });
  });

  test('with nothing to show says so, and that there is more with -a', async () => {
    const context = testContext({ ...LIST, [PROCESSES]: { processes: [ENDED] } });
    await ps(context, {}, 'app');
    expect(context.stdout()).toMatch(/^Nothing .* runs in app\..*ps -a app/);
  });

  test('says of what stands still why it does, and what lets it go on', async () => {
    const output = { start: 0, end: 2_097_152, stalled: true } as const;
    const context = testContext({ ...LIST, [PROCESSES]: { processes: [wireProcess({ output })] } });
    await ps(context, {}, 'app', () => NOW);
    expect(context.stdout()).toMatch(/ab12-1 +42 +exec +1m30s ago +stalled/);
    expect(context.stderr()).toContain('agentcontainers attach app ab12-1');
  });

  test('says what is special where no resident runs', async () => {
    const context = testContext({ ...LIST, [PROCESSES]: { processes: [wireProcess({ via: 'engine' })] } });
    await ps(context, {}, 'app');
    expect(context.stderr()).toContain('No resident runs');
  });

  test.each([
    [{}, 'exit 0'],
    [{ code: null, signal: 'SIGKILL', reason: 'oom' }, 'SIGKILL (oom)'],
    [{ code: null, signal: 'SIGTERM', reason: 'signal' }, 'SIGTERM'],
    [{ code: 124, reason: 'timeout' }, 'exit 124 (timeout)'],
    [{ code: null, reason: 'lost' }, 'ended (lost)'],
    [{ background_held: true }, 'exit 0 (background)'],
  ] as const)('an exit of %j is shown as %s', (exit, text) => {
    expect(stateOf(wireProcess({ running: false, exit: { ...EXITED, ...exit } }))).toBe(text);
  });

  test('a command is shown as it would be typed', () => {
    expect(commandText(wireProcess({ argv: ['a', 'b c', "it's", ''] }))).toBe(String.raw`a 'b c' 'it'\''s' ''`);
    expect(commandText(wireProcess({ command: 'npm test | cat' }))).toBe('npm test | cat');
  });
});

describe('kill', () => {
  const KILL = 'POST /devcontainers/dc-1/processes/ab12-1/kill';
  const SIGNAL = 'POST /devcontainers/dc-1/processes/ab12-1/signal';

  test('ends the whole tree, with the grace that was given', async () => {
    const killed = wireProcess({
      running: false,
      exit: { ...EXITED, code: null, signal: 'SIGKILL', reason: 'killed' },
    });
    const context = testContext({ ...LIST, [KILL]: killed });
    expect(await kill(context, { grace: '5s' }, 'app', 'ab12-1')).toBe(0);
    expect(context.requests.at(-1)?.body).toEqual({ grace_ms: 5_000 });
    expect(context.stdout()).toBe('ab12-1 has ended with all that it had started: SIGKILL (killed).\n');
    await kill(context, { grace: '0' }, 'app', 'ab12-1');
    expect(context.requests.at(-1)?.body).toEqual({ grace_ms: 0 });
    await kill(context, {}, 'app', 'ab12-1');
    expect(context.requests.at(-1)?.body).toEqual({});
  });

  test.each([
    [wireProcess({ running: false, exit: { ...EXITED, survivors: [7, 8] } }), '7, 8'],
    [wireProcess({ pid: 9 }), '9'],
  ])('names what could not be ended, and fails', async (process, pids) => {
    const context = testContext({ ...LIST, [KILL]: process });
    expect(await kill(context, {}, 'app', 'ab12-1')).toBe(1);
    expect(context.stderr()).toContain(`could not be ended: ${pids}.`);
    expect(context.stdout()).toBe('');
  });

  test('sends one signal instead', async () => {
    const context = testContext({ ...LIST, [SIGNAL]: undefined });
    expect(await kill(context, { signal: 'sigint' }, 'app', 'ab12-1')).toBe(0);
    expect(context.requests.at(-1)?.body).toEqual({ signal: 'INT' });
    await expect(kill(context, { signal: 'INT', grace: '1s' }, 'app', 'ab12-1')).rejects.toThrow('Give one of them');
    await expect(kill(context, { grace: '2h' }, 'app', 'ab12-1')).rejects.toThrow('--grace "2h"');
  });

  test('of what is not there says where to look', async () => {
    const gone = new Refusal(404, { message: 'Process not found', code: 'process-not-found' });
    const context = testContext({ ...LIST, [KILL]: gone });
    await expect(kill(context, {}, 'app', 'ab12-1')).rejects.toMatchObject({
      message: 'Finding process "ab12-1" failed: app has none with this id.',
      details: { detail: expect.stringContaining('ps -a app') },
    });
  });
});
