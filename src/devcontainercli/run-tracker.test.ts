import { expect, it } from 'vitest';

import { parseLogLine } from './cli-log.ts';
import { createRunTracker, type Step } from './run-tracker.ts';

function track(...lines: (object | string)[]) {
  const steps: Step[] = [];
  const hooks: string[] = [];
  const tracker = createRunTracker({ onStep: (step) => steps.push(step), onHook: (hook) => hooks.push(hook) });
  for (const line of lines) tracker.accept(parseLogLine(typeof line === 'string' ? line : JSON.stringify(line)));
  return { steps, hooks, last: tracker.lastStep() };
}

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
