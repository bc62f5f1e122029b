import { afterEach, expect, test, vi } from 'vitest';
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
