import { afterEach, expect, test, vi } from 'vitest';
import { withVolumesValue } from './declare-lifecycle-commands.ts';
import { runProgram } from './program.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Runs a command line that ends before it reaches a daemon. */
async function run(...args: string[]): Promise<{ code: number; errors: string; text: string }> {
  let errors = '';
  let text = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    errors += String(chunk);
    return true;
  });
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  const code = await runProgram(args);
  return { code, errors, text };
}

test('a variable of exec that is none is wrong usage, in one line', async () => {
  const { code, errors } = await run('exec', '-e', 'BAD', 'x', '--', 'true');
  expect(code).toBe(2);
  expect(errors).toContain('An environment variable is written NAME=value.');
  expect(errors).not.toMatch(/^ {4}at /m);
  expect(JSON.parse((await run('exec', '--json', '-e', 'BAD', 'x', '--', 'true')).text)).toMatchObject({
    error: { code: 'invalid-request' },
  });
});

test('a program name that no system takes is wrong usage, before a daemon is asked', async () => {
  const { code, errors } = await run('exec', 'x', '--', 'x'.repeat(4097));
  expect(code).toBe(2);
  expect(errors).toContain('4096 characters');
});

test('what exec does with standard input, and which pages need the token, is in the help', async () => {
  expect((await run('exec', '--help')).text.replaceAll(/\s+/g, ' ')).toContain('-i, --stdin');
  const help = (await run('serve', '--help')).text.replaceAll(/\s+/g, ' ');
  expect(help).toMatch(/--debug-address .*bearer token/);
  expect(help).toMatch(/--metrics-address .*no token/);
});

test.each([
  [
    ['rm', '--volumes', 'project'],
    ['rm', '--volumes=anonymous', 'project'],
  ],
  [
    ['rm', 'project', '--volumes'],
    ['rm', 'project', '--volumes=anonymous'],
  ],
  [
    ['rm', '--volumes', '--dry-run', 'project'],
    ['rm', '--volumes=anonymous', '--dry-run', 'project'],
  ],
  [
    ['rm', '--volumes', 'named', 'project'],
    ['rm', '--volumes', 'named', 'project'],
  ],
  [
    ['rm', '--volumes=none', 'project'],
    ['rm', '--volumes=none', 'project'],
  ],
  [
    ['exec', 'x', '--', 'docker', 'rm', '--volumes', 'y'],
    ['exec', 'x', '--', 'docker', 'rm', '--volumes', 'y'],
  ],
])('%j is read as %j, so that a name is not taken for the kind of volumes', (args, expected) => {
  expect(withVolumesValue(args)).toEqual(expected);
});

// Code 1: there is no daemon to talk to, so the command line was understood.
const NOWHERE = ['--state-dir', '/nonexistent/agentcontainers'];
test.each([
  [['rm', '--volumes', 'x'], 1],
  [['rm', '--volumes', 'named', 'x', '--dry-run'], 1],
  [['rm', '--volumes=all', 'x'], 2],
  [['rerun-hook', 'x', 'postCreateCommand'], 1],
  [['rerun-hook', 'x', 'initializeCommand'], 2],
  [['rerun-hook', 'x'], 2],
  [['trust', 'x', '--yes'], 1],
  [['trust', 'x', '--revoke', '--hash', 'h'], 1],
  [['trust', 'x', '--yes', '--revoke'], 2],
  [['recreate', '--force', 'x'], 1],
  [['stop', '--force', 'x'], 2],
  [['diff', 'x'], 1],
  [['operation', '-f', 'x'], 1],
  [['exec', '-it', 'x', '--', 'sh'], 1],
  [['exec', '-T', '--no-stdin', 'x', 'ls', '-t'], 1],
  [['exec', '--timeout', '5', 'x', 'ls'], 2],
  [['attach', '--read-only', 'x', 'ab-1'], 1],
  [['attach', 'x'], 2],
  [['ps', '-a', 'x'], 1],
  [['kill', '--grace', '5s', 'x', 'ab-1'], 1],
  [['kill', '--grace', '5', 'x', 'ab-1'], 2],
  [['kill', '--grace', '5s', '--signal', 'INT', 'x', 'ab-1'], 2],
  [['cp', 'x:a', '.'], 1],
  [['cp', 'a', 'b'], 2],
  [['ports', 'x'], 1],
  [['forward', 'x', '8080:3000'], 1],
  [['forward', 'x', 'no-port'], 2],
  [['forward', '--end', 'x'], 2],
  [['completion', 'tcsh'], 2],
  [['completion', 'bash', '--json'], 0],
])('%j ends with %i', async (args, expected) => {
  expect((await run(...args, ...NOWHERE)).code).toBe(expected);
});

test('help says what is done to this machine, and what the classes of a difference mean', async () => {
  const help = async (name: string) => (await run(name, '--help')).text.replaceAll(/\s+/g, ' ');
  expect(await help('up')).toMatch(/--trust .*what it can do to this machine/);
  expect(await help('trust')).toMatch(/exit code is 4/);
  expect(await help('diff')).toMatch(/recreate, a new container; rerun-hook, only the command again/);
  expect(await help('rm')).toMatch(/--dry-run/);
  expect(await help('exec')).toMatch(/the third ends it.* a pipe is not read.* waits up to 30 s.* exit code is 124/);
  expect(await help('shell')).toMatch(/Ctrl-P Ctrl-Q leaves it running/);
  expect(await help('cp')).toMatch(/Links are left out with a note/);
  expect(await help('forward')).toMatch(/listens on 127\.0\.0\.1 only/);
});
