import { expect, it } from 'vitest';

import type { ContainerEnd } from './container-end.ts';
import { explainFailure } from './explain-failure.ts';
import { createRedact } from './redaction.ts';
import type { LastStep } from './run-tracker.ts';

const step = (changes: Partial<LastStep>): LastStep => ({
  phase: 'other',
  command: undefined,
  exitCode: undefined,
  outputTail: '',
  clue: undefined,
  noise: '',
  ...changes,
});
const ended = (changes: Partial<ContainerEnd>): ContainerEnd => ({
  exitCode: 7,
  outOfMemory: false,
  output: 'why',
  ...changes,
});
const redact = createRedact({ REGISTRY_TOKEN: 's3cret-value' });
const id = 'a'.repeat(64);

it.each([
  [
    'a hook in a container',
    { message: 'Command failed: /bin/sh -c exit 3', description: '', containerId: id },
    step({ phase: 'postStartCommand', exitCode: 3, outputTail: 'last' }),
    'Running the postStartCommand failed: it exited with code 3. The container is there all the same. Correct the postStartCommand and recreate.',
  ],
  [
    'a hook on the host',
    { message: 'Command failed: ./setup.sh', description: '' },
    step({ phase: 'initializeCommand', outputTail: 'first\nno such thing' }),
    'Running the initializeCommand failed: its last output was: no such thing. Correct the initializeCommand and try again.',
  ],
  [
    'a build',
    { message: 'Command failed: docker build .', description: 'An error occurred building the image.' },
    step({ phase: 'build', command: 'docker build .', outputTail: "The command 'x' returned a non-zero code: 1\n" }),
    'Building the image failed: `x` exited with code 1. Correct that command of the Dockerfile and try again.',
  ],
  [
    'a pull',
    { message: 'Command failed: docker pull x:1', description: '' },
    step({ phase: 'build', command: 'docker pull x:1', outputTail: 'Error response from daemon: no such host' }),
    'Pulling the image failed: no such host. Correct the image name, Dockerfile or features, and try again.',
  ],
  [
    'no engine',
    { message: 'Command failed: docker ps -q', description: '' },
    step({ command: 'docker ps -q', clue: 'Cannot connect to the Docker daemon at unix:///x.' }),
    'Bringing up the dev container failed: Cannot connect to the Docker daemon at unix:///x. Check that the container engine is running and that you may use it, then try again.',
  ],
  [
    'a message of the CLI itself',
    {
      message: 'Filename must be devcontainer.json (/x).\n    at qG (/c/devContainersSpecCLI.js:1:2)',
      description: '',
    },
    step({}),
    'Bringing up the dev container failed: Filename must be devcontainer.json (/x). Read the log, correct the configuration, and try again.',
  ],
  [
    'a lock file that does not fit',
    { message: 'Lockfile does not match.', description: '' },
    step({}),
    'Bringing up the dev container failed: the lock file of the features does not match the configuration. Bring the lock file up to date with `devcontainer upgrade`, or delete it, and try again.',
  ],
  [
    'a command of which nothing is known',
    { message: 'Command failed: docker run x', description: '' },
    step({
      phase: 'create',
      command: 'docker run x',
      outputTail: "docker: Error: odd.\n\nUsage: …\n\nSee 'docker run --help'.",
    }),
    'Creating the container failed: Error: odd. Read the log, correct the configuration, and try again.',
  ],
  [
    'a hook that was ended by a signal',
    { message: 'Command failed: x', description: '', containerId: id },
    step({ phase: 'postStartCommand', exitCode: 143 }),
    'Running the postStartCommand failed: it was ended by the signal 15 (exit code 143). The container is there all the same. Correct the postStartCommand and recreate.',
  ],
  [
    'a hook that speaks of an engine of its own',
    { message: 'Command failed: docker ps', description: '', containerId: id },
    step({ phase: 'postStartCommand', exitCode: 1, outputTail: 'Cannot connect to the Docker daemon at unix:///x' }),
    'Running the postStartCommand failed: it exited with code 1. The container is there all the same. Correct the postStartCommand and recreate.',
  ],
  [
    'a container that ended while it was set up, of which the CLI says nothing',
    { message: 'An error occurred setting up the container.', description: '', containerId: id, end: ended({}) },
    step({ phase: 'create', noise: 'Shell server terminated (code: 137, signal: null)' }),
    'Creating the container failed: its command ended at once, with exit code 7. Read its output, correct its command, or leave `overrideCommand` at its default, and try again.',
  ],
  [
    'a container for which the engine gave the reason',
    { message: 'An error occurred setting up the container.', description: '', containerId: id, end: ended({}) },
    step({ phase: 'create', outputTail: 'exec /bin/sh: exec format error' }),
    'Creating the container failed: the image is for another platform than this machine. Choose an image for this platform, or install emulation for that of the image, and try again.',
  ],
  [
    'a hook under which the container ended',
    { message: 'Command failed: x', description: '', containerId: id, end: ended({ outOfMemory: true }) },
    step({ phase: 'postCreateCommand', exitCode: 137 }),
    "Running the postCreateCommand failed: the container's own command ended meanwhile: it was killed for want of memory. Read its output, correct its command, or leave `overrideCommand` at its default, and try again.",
  ],
  [
    'a hook that failed by itself, before the container ended',
    { message: 'Command failed: x', description: '', containerId: id, end: ended({}) },
    step({ phase: 'postCreateCommand', exitCode: 2 }),
    'Running the postCreateCommand failed: it exited with code 2. The container is there all the same. Correct the postCreateCommand and recreate.',
  ],
  [
    'nothing at all',
    { message: '', description: '' },
    step({ phase: 'create' }),
    'Creating the container failed: no reason was given. Read the log, correct the configuration, and try again.',
  ],
])('explains %s', (_, result, last, message) => {
  expect(explainFailure(result, last, redact).message).toBe(message);
});

it('shows no stack trace, no path of the CLI, no escape sequence and no secret', () => {
  const failure = explainFailure(
    { message: '\u001b[31mCommand failed: curl -H s3cret-value\u001b[39m', description: '' },
    step({
      phase: 'build',
      command: 'docker build --build-arg T=s3cret-value .',
      outputTail: 'got s3cret-value\n    at async x (/y.js:1:2)\n/n/@devcontainers/cli/dist/x\nend s3cret-value',
    }),
    redact,
  );
  expect(failure.outputTail).toBe('got [redacted]\nend [redacted]');
  // oxlint-disable-next-line no-control-regex
  expect(JSON.stringify(failure)).not.toMatch(/s3cret-value|at async|@devcontainers|\u001b|\\u001b/);
  expect(failure.command).toBe('docker build --build-arg T=[redacted] .');
});

it('keeps the container id, exit code and phase as fields', () => {
  const failure = explainFailure(
    { message: 'Command failed: x', description: '', containerId: id },
    step({ phase: 'postCreateCommand', exitCode: 1, command: 'npm ci' }),
    redact,
  );
  expect(failure).toMatchObject({ containerId: id, exitCode: 1, phase: 'postCreateCommand', command: 'x' });
});

it('shows what the container wrote last when that is why it failed', () => {
  const result = { message: 'An error occurred setting up the container.', description: '', containerId: id };
  const create = step({ phase: 'create', outputTail: 'the client' });
  expect(explainFailure({ ...result, end: ended({}) }, create, redact).outputTail).toBe('why');
  expect(explainFailure({ ...result, end: ended({ output: '' }) }, create, redact).outputTail).toBe('the client');
  const hook = step({ phase: 'postCreateCommand', outputTail: 'the hook' });
  expect(explainFailure({ ...result, end: ended({}) }, hook, redact).outputTail).toBe('the hook');
});
