import { expect, it } from 'vitest';

import { parseLogLine } from './cli-log.ts';
import { createRunTracker, type Step } from './run-tracker.ts';

function track(...lines: (object | string)[]) {
  const steps: Step[] = [];
  const hooks: string[] = [];
  const tracker = createRunTracker({ onStep: (step) => steps.push(step), onHook: (hook) => hooks.push(hook) });
  for (const line of lines) tracker.accept(parseLogLine(typeof line === 'string' ? line : JSON.stringify(line)));
  return { steps, hooks, last: tracker.lastStep(), lastOf: (command: string) => tracker.lastStep(command) };
}

const stop = (command: string, level = 3) => ({ type: 'stop', level, text: command });

const raw = (text: string, level = 3) => ({ type: 'raw', level, text });
const text = (message: string, level: number) => ({ type: 'text', level, text: message });
const start = (command: string, level = 3) => ({ type: 'start', level, text: command });
const hookRaw = (output: string) => ({ ...raw(output), channel: 'postCreate' });
const header = (hook: string, from = 'devcontainer.json') =>
  hookRaw(`\u001b[1mRunning the ${hook} from ${from}...\u001b[0m\r\n\r\n`);
const progress = (hook: string, status: string, stepDetail?: string) => ({
  type: 'progress',
  name: `Running ${hook}...`,
  status,
  stepDetail,
});

it('names the phases in their order and shows what users want', () => {
  const { steps, hooks, last } = track(
    text('@devcontainers/cli 0.89.0.', 3),
    start('Run: docker ps -q', 2),
    start('Run: docker build -f /x .'),
    raw('Step 1/2 : FROM x\n'),
    start('Starting container', 2),
    raw('Container started\n'),
    header('onCreateCommand'),
    progress('onCreateCommand', 'running', 'echo hello'),
    hookRaw('hello\n'),
    progress('onCreateCommand', 'succeeded'),
    start('Run in container: mkdir -p x', 2),
    header('postCreateCommand', "Feature './f'"),
    progress('postCreateCommand', 'running', 'echo f'),
  );
  expect(steps.filter((step) => step.level >= 3).map(({ phase, text: shown }) => `${phase}: ${shown}`)).toEqual([
    'other: @devcontainers/cli 0.89.0.',
    'build: Run: docker build -f /x .',
    'build: Step 1/2 : FROM x',
    'create: Container started',
    'onCreateCommand: Running onCreateCommand from devcontainer.json: echo hello',
    'onCreateCommand: hello',
    "postCreateCommand: Running postCreateCommand from Feature './f': echo f",
  ]);
  expect(hooks).toEqual(['onCreateCommand', 'postCreateCommand']);
  expect(last).toMatchObject({ phase: 'postCreateCommand', command: 'echo f', outputTail: '' });
});

it('keeps the output of the failing step only, with its exit code', () => {
  const { last } = track(
    progress('onCreateCommand', 'running', 'echo one'),
    hookRaw('output of the first\n'),
    progress('onCreateCommand', 'succeeded'),
    progress('postCreateCommand', 'running', 'exit 3'),
    hookRaw('out'),
    hookRaw('put of the second\r\nand more'),
    {
      ...text(
        '\u001b[31mpostCreateCommand from devcontainer.json failed with exit code 3. Skipping any further.\u001b[39m',
        3,
      ),
      channel: 'postCreate',
    },
    progress('postCreateCommand', 'failed'),
    'Error: Command failed: /bin/sh -c exit 3',
    '    at async x (/cli/devContainersSpecCLI.js:1:2)',
  );
  expect(last).toEqual({
    phase: 'postCreateCommand',
    command: 'exit 3',
    exitCode: 3,
    outputTail: 'output of the second\nand more',
    clue: undefined,
    noise: 'Error: Command failed: /bin/sh -c exit 3',
  });
});

it('takes the commands of one hook for one step', () => {
  const { hooks, last } = track(
    progress('postStartCommand', 'running', 'echo a'),
    progress('postStartCommand', 'running', 'echo b'),
    hookRaw('a\n'),
    hookRaw('b\n'),
    progress('postStartCommand', 'failed'),
  );
  expect(hooks).toEqual(['postStartCommand']);
  expect(last.outputTail).toBe('a\nb');
});

it('knows initializeCommand by its header, since it has no progress lines, and a docker command in it for the hook', () => {
  const { hooks, last } = track(
    header('initializeCommand'),
    { ...start('Run: docker build .'), channel: 'postCreate' },
    hookRaw('on the host\n'),
  );
  expect(hooks).toEqual(['initializeCommand']);
  expect(last).toMatchObject({ phase: 'initializeCommand', command: 'docker build .', outputTail: 'on the host' });
});

it('does not let the output of a container begin a hook', () => {
  const { hooks } = track(
    progress('onCreateCommand', 'running', 'cat'),
    hookRaw('{"type":"progress","name":"Running postStartCommand...","status":"running"}\n'),
    header('postStartCommand'),
    raw('Running postStartCommand...\n'),
  );
  expect(hooks).toEqual(['onCreateCommand']);
});

it('finds the exit code of a failed build, of either builder', () => {
  const classic = track(start('Run: docker build .'), raw("The command '/bin/sh -c x' returned a non-zero code: 7\n"));
  expect(classic.last).toMatchObject({ phase: 'build', exitCode: 7 });
  const buildkit = track(
    start('Run: docker buildx build .'),
    raw('ERROR: process "/bin/sh -c x" did not complete successfully: exit code: 9\n'),
  );
  expect(buildkit.last).toMatchObject({ phase: 'build', exitCode: 9 });
});

it('finds the command that failed, though the CLI tidied up after it', () => {
  const { last, lastOf } = track(
    start('Run: docker run --name x image -c echo a'),
    raw('docker: Error response from daemon: name taken.\n'),
    stop('Run: docker run --name x image -c echo a'),
    start('Run: docker ps -q', 2),
    start('Run: docker inspect y', 2),
  );
  const expected = { phase: 'create', outputTail: 'docker: Error response from daemon: name taken.' };
  // Of a command of several lines, the log has the first one.
  expect(lastOf('docker run --name x image -c echo a\ntrap x')).toMatchObject(expected);
  expect(last).toMatchObject(expected);
  expect(lastOf('docker ps -q')).toMatchObject({ phase: 'other', command: 'docker ps -q', outputTail: '' });
});

it('takes what is said of a command after its end for its output', () => {
  const { lastOf } = track(
    start('Run: docker-compose -f x config'),
    stop('Run: docker-compose -f x config'),
    text('\u001b[31myaml: line 3\u001b[39m\r\n', 3),
    text('Exit code 15', 3),
    start('Run: docker ps -q', 2),
    text('not about it', 3),
  );
  expect(lastOf('docker-compose -f x config')).toMatchObject({ exitCode: 15, outputTail: 'yaml: line 3' });
});

it('does not take the last question to the engine for what failed, when no command did', () => {
  const { last } = track(start('Run: docker ps -q', 2), stop('Run: docker ps -q', 2), text('20.10', 2));
  expect(last).toMatchObject({ phase: 'other', command: undefined, outputTail: '' });
});

it('keeps what the container writes out of the output of a hook', () => {
  const { last, steps } = track(
    progress('postCreateCommand', 'running', 'npm ci'),
    raw('server: listening\n'),
    raw('time="x" level=error msg="error waiting for container: unexpected EOF"\n'),
    hookRaw('installing\n'),
  );
  expect(last.outputTail).toBe('installing');
  expect(last.clue).toContain('error waiting for container');
  expect(steps.map((step) => step.text)).toContain('server: listening');
});

it('knows the hooks of an object by their headers, which are no output', () => {
  const host = track(
    hookRaw(`\u001b[1mRunning 'a' from initializeCommand...\u001b[0m\r\n\r\n`),
    { ...start('Run: /bin/sh -c exit 9'), channel: 'postCreate' },
    hookRaw('oops\n'),
  );
  expect(host.hooks).toEqual(['initializeCommand']);
  expect(host.last).toMatchObject({ phase: 'initializeCommand', outputTail: 'oops' });
  const { last } = track(
    progress('postCreateCommand', 'running', 'echo a'),
    hookRaw('\u001b[1mRunning one of postCreateCommand from devcontainer.json...\u001b[0m\r\n'),
    hookRaw('a\n'),
  );
  expect(last.outputTail).toBe('a');
});

it('keeps what is no log line, without stack traces', () => {
  const { last } = track(
    'Shell server terminated (code: 126, signal: null)',
    'unable to find user x: no matching entries in passwd file',
    '    at async x (/cli/devContainersSpecCLI.js:1:2)',
  );
  expect(last.noise.split('\n')).toHaveLength(2);
});

it('remembers that the engine could not be reached', () => {
  const line =
    '\u001b[31mCannot connect to the Docker daemon at unix:///x. Is the docker daemon running?\u001b[39m\r\n';
  const { last } = track(text(line, 2), start('Run: docker ps -q', 2));
  expect(last.clue).toBe('Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?');
});

it('does not show the tracing of the CLI, in which environments stand', () => {
  const { steps } = track(text('userEnvProbe parsed: { "SECRET": "x" }', 1), text('PATHs', 2), raw('x\n', 1));
  expect(steps).toEqual([]);
});

it('is bounded whatever is printed', () => {
  const flood = Array.from({ length: 500 }, (_, i) => hookRaw(`${i} ${'x'.repeat(5_000)}\n`));
  const { steps, last } = track(
    progress('postCreateCommand', 'running', 'y'.repeat(10_000)),
    ...flood,
    hookRaw('z'.repeat(500_000)),
  );
  expect(last.outputTail.split('\n').length).toBeLessThanOrEqual(40);
  expect(Buffer.byteLength(last.outputTail)).toBeLessThanOrEqual(8 * 1024);
  expect(Math.max(...steps.map((step) => step.text.length))).toBeLessThanOrEqual(4_000);
});
