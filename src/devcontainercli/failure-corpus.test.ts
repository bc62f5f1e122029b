import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import type { CliFailure } from '../agentcontainers/ports.ts';
import { parseBuildResult } from './build-result.ts';
import { parseLogLine } from './cli-log.ts';
import { explainFailure, failedCommandOf } from './explain-failure.ts';
import { createRunTracker } from './run-tracker.ts';
import { parseUpResult } from './up-result.ts';

// What the CLI wrote in failures that were staged on an engine; `1` and `2` name the stream of a line.
const CORPUS = join(import.meta.dirname, '../../test/fixtures/cli-failures');

function replay(name: string): CliFailure {
  const [first = '', ...lines] = readFileSync(join(CORPUS, `${name}.txt`), 'utf8').split('\n');
  const command = first.split(' ')[1];
  const tracker = createRunTracker({ onStep: () => {}, onHook: () => {} });
  let resultLine = '';
  for (const line of lines) {
    if (line.startsWith('2 ')) tracker.accept(parseLogLine(line.slice(2)));
    if (line.startsWith('1 {')) resultLine = line.slice(2);
  }
  const result = command === 'build' ? parseBuildResult(resultLine) : parseUpResult(resultLine);
  if (result?.outcome !== 'error') throw new Error(`${name} is no failure.`);
  const last = tracker.lastStep(failedCommandOf(result));
  return explainFailure(result, last, (text) => text, command === 'build' ? 'build' : 'other');
}

const PULL =
  'Pulling the image failed: registry-1.docker.io could not be reached (no such host). Check the network and the name of the image, and try again.';
const GOLDEN: readonly (readonly [
  name: string,
  phase: string,
  exitCode: number | undefined,
  message: string,
  lastOutput: string,
])[] = [
  ['base-image-unreachable', 'build', undefined, PULL, 'Command failed: docker pull no-such-base-x:1'],
  [
    'build-compose-copy-missing',
    'build',
    undefined,
    'Building the image failed: the Dockerfile copies nofile, which is not in the build context. Correct the path, the build context or the .dockerignore file, and try again.',
    "Service 'main' failed to build : Build failed",
  ],
  [
    'build-feature-install',
    'build',
    9,
    'Building the image failed: the feature feat failed to install. Read its output, correct its options or remove it, and try again.',
    "The command '/bin/sh -c chmod -R 0755 /tmp/dev-container-features/feat",
  ],
  ['build-image-unreachable', 'build', undefined, PULL, 'Command failed: docker pull no-such-image-x:1'],
  [
    'build-run-fails',
    'build',
    7,
    'Building the image failed: `echo the reason >&2 && exit 7` exited with code 7. Correct that command of the Dockerfile and try again.',
    "The command '/bin/sh -c echo the reason >&2 && exit 7' returned a non-",
  ],
  [
    'client-missing',
    'other',
    undefined,
    'Bringing up the dev container failed: the program /no/such/docker was not found on this machine. Install it, or name its right path, and try again.',
    '',
  ],
  [
    'command-ends',
    'create',
    undefined,
    'Creating the container failed: its command ended at once. Read its output, correct its command, or leave `overrideCommand` at its default, and try again.',
    'bye',
  ],
  [
    'compose-1-file-missing',
    'configuration',
    1,
    'Reading the compose files failed: there is no file /proj/project/.devcontainer/compose.yml. Correct its path and try again.',
    ".FileNotFoundError: [Errno 2] No such file or directory: '/proj/projec",
  ],
  [
    'compose-1-port-taken',
    'create',
    undefined,
    'Creating the container failed: the address 0.0.0.0:18999 is in use already. End what uses that port, or choose another one, and try again.',
    'Encountered errors while bringing up the project.',
  ],
  [
    'compose-1-run-fails',
    'build',
    7,
    'Building the image failed: `echo the reason >&2 && exit 7` exited with code 7. Correct that command of the Dockerfile and try again.',
    "Service 'main' failed to build : Build failed",
  ],
  [
    'compose-1-schema',
    'configuration',
    1,
    "Reading the compose files failed: /proj/project/.devcontainer/compose.yml is not valid: Unsupported config option for services.main: 'nonsense'. Correct the compose file and try again.",
    "Unsupported config option for services.main: 'nonsense'",
  ],
  [
    'compose-1-yaml',
    'configuration',
    1,
    'Reading the compose files failed: /proj/project/.devcontainer/compose.yml is no valid YAML near line 2 (while parsing a block mapping). Correct the compose file and try again.',
    '  in "/proj/project/.devcontainer/compose.yml", line 4, column 3',
  ],
  [
    'compose-2-file-missing',
    'configuration',
    14,
    'Reading the compose files failed: there is no file /proj/project/.devcontainer/compose.yml. Correct its path and try again.',
    'open /proj/project/.devcontainer/compose.yml: no such file or director',
  ],
  [
    'compose-2-port-taken',
    'create',
    undefined,
    'Creating the container failed: the address 0.0.0.0:18999 is in use already. End what uses that port, or choose another one, and try again.',
    'Error response from daemon: driver failed programming external connect',
  ],
  [
    'compose-2-run-fails',
    'build',
    7,
    'Building the image failed: `echo the reason >&2 && exit 7` exited with code 7. Correct that command of the Dockerfile and try again.',
    'failed to solve: executor failed running [/bin/sh -c echo the reason >',
  ],
  [
    'compose-2-schema',
    'configuration',
    15,
    'Reading the compose files failed: a compose file is not valid: validating /proj/project/.devcontainer/compose.yml: services.main Additional property nonsense is not allowed. Correct the compose file and try again.',
    'validating /proj/project/.devcontainer/compose.yml: services.main Addi',
  ],
  [
    'compose-2-yaml',
    'configuration',
    15,
    'Reading the compose files failed: a compose file is not valid: yaml: line 1: did not find expected key. Correct the compose file and try again.',
    'yaml: line 1: did not find expected key',
  ],
  [
    'compose-service-unknown',
    'other',
    undefined,
    'Bringing up the dev container failed: the compose files have no service nope, or give it no image. Correct the property `service`, or add it to a compose file, and try again.',
    '',
  ],
  [
    'container-gone',
    'other',
    undefined,
    'Bringing up the dev container failed: the container does not exist any more. Recreate it.',
    '',
  ],
  [
    'container-user-unknown',
    'create',
    undefined,
    'Creating the container failed: the image has no user nobody-there. Correct remoteUser or containerUser, or add the user to the image, and try again.',
    'docker: Error response from daemon: unable to find user nobody-there: ',
  ],
  [
    'copy-missing-buildkit',
    'build',
    undefined,
    'Building the image failed: the Dockerfile copies nofile, which is not in the build context. Correct the path, the build context or the .dockerignore file, and try again.',
    'ERROR: failed to solve: failed to compute cache key: "/nofile" not fou',
  ],
  [
    'copy-missing',
    'build',
    undefined,
    'Building the image failed: the Dockerfile copies nofile, which is not in the build context. Correct the path, the build context or the .dockerignore file, and try again.',
    'COPY failed: file not found in build context or excluded by .dockerign',
  ],
  [
    'device-missing',
    'create',
    undefined,
    'Creating the container failed: this machine has no device /dev/no-such-device. Correct the runArgs and try again.',
    'docker: Error response from daemon: error gathering device information',
  ],
  [
    'dockerfile-missing',
    'other',
    undefined,
    'Bringing up the dev container failed: there is no file /proj/project/.devcontainer/Dockerfile. Correct its path and try again.',
    '',
  ],
  [
    'dockerfile-syntax-buildkit',
    'build',
    undefined,
    'Building the image failed: the Dockerfile cannot be understood: unknown instruction: RUNN. Correct it and try again.',
    'ERROR: failed to solve: rpc error: code = Unknown desc = failed to sol',
  ],
  [
    'dockerfile-syntax',
    'build',
    undefined,
    'Building the image failed: the Dockerfile cannot be understood: unknown instruction: RUNN. Correct it and try again.',
    'Error response from daemon: dockerfile parse error line 4: unknown ins',
  ],
  [
    'dockerfile-without-from',
    'other',
    undefined,
    'Bringing up the dev container failed: the Dockerfile cannot be understood: Dockerfile contains no FROM instructions. Correct it and try again.',
    '',
  ],
  [
    'engine-away-compose',
    'other',
    undefined,
    'Bringing up the dev container failed: Cannot connect to the Docker daemon at unix:///run/engine.sock. Check that the container engine is running and that you may use it, then try again.',
    '',
  ],
  [
    'engine-away',
    'other',
    undefined,
    'Bringing up the dev container failed: Cannot connect to the Docker daemon at unix:///run/engine.sock. Check that the container engine is running and that you may use it, then try again.',
    '',
  ],
  [
    'engine-dies-in-build-buildkit',
    'build',
    undefined,
    'Building the image failed: the connection to the container engine was lost. Check that the container engine is running, then try again.',
    'ERROR: failed to receive status: rpc error: code = Unavailable desc = ',
  ],
  [
    'engine-dies-in-build',
    'build',
    undefined,
    'Building the image failed: the connection to the container engine was lost. Check that the container engine is running, then try again.',
    'unexpected EOF',
  ],
  [
    'engine-dies-in-hook',
    'postCreateCommand',
    255,
    'Running the postCreateCommand failed: the connection to the container engine was lost. Check that the container engine is running, then try again.',
    'begun',
  ],
  [
    'feature-install',
    'build',
    9,
    'Building the image failed: the feature feat failed to install. Read its output, correct its options or remove it, and try again.',
    "The command '/bin/sh -c chmod -R 0755 /tmp/dev-container-features/feat",
  ],
  [
    'feature-missing',
    'other',
    undefined,
    'Bringing up the dev container failed: there is no feature in /proj/project/.devcontainer/nope. Correct the path of the feature and try again.',
    '',
  ],
  [
    'feature-unreachable',
    'other',
    undefined,
    'Bringing up the dev container failed: ghcr.io could not be reached (ENOTFOUND). Check the network and the names of image and features, and try again.',
    '',
  ],
  [
    'gpu-missing',
    'create',
    undefined,
    'Creating the container failed: the engine has no support for GPUs. Install it, or take the GPU out of the configuration, and try again.',
    'docker: Error response from daemon: could not select device driver "" ',
  ],
  [
    'hook-array',
    'postCreateCommand',
    4,
    'Running the postCreateCommand failed: it exited with code 4. The container is there all the same. Correct the postCreateCommand and recreate.',
    'wrong',
  ],
  [
    'hook-killed',
    'postCreateCommand',
    137,
    'Running the postCreateCommand failed: it was killed, by hand or for want of memory (exit code 137). The container is there all the same. Correct the postCreateCommand and recreate.',
    'before',
  ],
  [
    'hook-not-found',
    'postCreateCommand',
    127,
    'Running the postCreateCommand failed: its command was not found or cannot be run (exit code 127). The container is there all the same. Correct the postCreateCommand and recreate.',
    '/bin/sh: no-such-program: not found',
  ],
  [
    'hook-object',
    'postCreateCommand',
    5,
    'Running the postCreateCommand failed: it exited with code 5. The container is there all the same. Correct the postCreateCommand and recreate.',
    'wrong',
  ],
  [
    'hook-on-create',
    'onCreateCommand',
    3,
    'Running the onCreateCommand failed: it exited with code 3. The container is there all the same. Correct the onCreateCommand and recreate.',
    'doing',
  ],
  [
    'hook-post-attach',
    'postAttachCommand',
    3,
    'Running the postAttachCommand failed: it exited with code 3. The container is there all the same. Correct the postAttachCommand and recreate.',
    'doing',
  ],
  [
    'hook-program-missing',
    'postCreateCommand',
    126,
    'Running the postCreateCommand failed: its command was not found or cannot be run (exit code 126). The container is there all the same. Correct the postCreateCommand and recreate.',
    'OCI runtime exec failed: exec failed: unable to start container proces',
  ],
  [
    'hook-string',
    'postCreateCommand',
    3,
    'Running the postCreateCommand failed: it exited with code 3. The container is there all the same. Correct the postCreateCommand and recreate.',
    'doing',
  ],
  [
    'image-name-invalid',
    'build',
    undefined,
    'Pulling the image failed: the name of the image cannot be one (invalid reference format: repository name must be lowercase). Correct the name and try again.',
    'Command failed: docker pull No_Such:Image:x',
  ],
  ['image-unreachable', 'build', undefined, PULL, 'Command failed: docker pull no-such-image-x:1'],
  [
    'initialize-array',
    'initializeCommand',
    undefined,
    'Running the initializeCommand failed: the program no-such-host-program was not found on this machine. Correct the initializeCommand and try again.',
    '',
  ],
  [
    'initialize-object',
    'initializeCommand',
    undefined,
    'Running the initializeCommand failed: its last output was: oops. Correct the initializeCommand and try again.',
    'oops',
  ],
  [
    'initialize-string',
    'initializeCommand',
    undefined,
    'Running the initializeCommand failed: its last output was: on host. Correct the initializeCommand and try again.',
    'on host',
  ],
  [
    'lock-file',
    'other',
    undefined,
    'Bringing up the dev container failed: the lock file of the features does not match the configuration. Bring the lock file up to date with `devcontainer upgrade`, or delete it, and try again.',
    '',
  ],
  [
    'mount-source-missing',
    'create',
    undefined,
    'Creating the container failed: the directory /no/such/path, which is to be mounted, does not exist. Create it, or correct the mount, and try again.',
    'docker: Error response from daemon: invalid mount config for type "bin',
  ],
  [
    'mount-syntax',
    'create',
    undefined,
    "Creating the container failed: the engine does not accept `type=bind,sauce=/x,target=/x` for --mount (unexpected key 'sauce' in 'sauce=/x'). Correct the mounts or runArgs and try again.",
    'Usage:  docker run [OPTIONS] IMAGE [COMMAND] [ARG...]',
  ],
  [
    'name-taken',
    'create',
    undefined,
    'Creating the container failed: the name other-port is taken by the container ca084a3fc32f. Remove or rename that container, or choose another name, and try again.',
    'docker: Error response from daemon: Conflict. The container name "/oth',
  ],
  [
    'network-unknown',
    'create',
    undefined,
    'Creating the container failed: there is no network no-such-network. Create it, or correct the runArgs, and try again.',
    'docker: Error response from daemon: network no-such-network not found',
  ],
  [
    'no-image',
    'other',
    undefined,
    'Bringing up the dev container failed: the configuration names neither an image nor a Dockerfile nor a compose file. Add one of `image`, `build` and `dockerComposeFile`, and try again.',
    '',
  ],
  [
    'no-shell',
    'create',
    undefined,
    'Creating the container failed: the image has no program /bin/sh, which a dev container needs. Choose an image that has it, and try again.',
    'docker: Error response from daemon: failed to create shim task: OCI ru',
  ],
  [
    'platform',
    'create',
    undefined,
    'Creating the container failed: the image is for another platform than this machine. Choose an image for this platform, or install emulation for that of the image, and try again.',
    'exec /bin/sh: exec format error',
  ],
  [
    'port-taken',
    'create',
    undefined,
    'Creating the container failed: the address 0.0.0.0:18999 is in use already. End what uses that port, or choose another one, and try again.',
    'docker: Error response from daemon: driver failed programming external',
  ],
  [
    'remote-user-unknown',
    'create',
    undefined,
    'Creating the container failed: the image has no user nobody-there. Correct remoteUser or containerUser, or add the user to the image, and try again.',
    'Container started',
  ],
  [
    'run-args-unknown',
    'create',
    undefined,
    'Creating the container failed: the engine does not know the option --nonsense. Correct the runArgs and try again.',
    'Usage:  docker run [OPTIONS] IMAGE [COMMAND] [ARG...]',
  ],
  [
    'run-args-value',
    'create',
    undefined,
    "Creating the container failed: the engine does not accept `lots` for -m, --memory (invalid size: 'lots'). Correct the mounts or runArgs and try again.",
    'Usage:  docker run [OPTIONS] IMAGE [COMMAND] [ARG...]',
  ],
  [
    'run-fails-buildkit',
    'build',
    7,
    'Building the image failed: `echo the reason >&2 && exit 7` exited with code 7. Correct that command of the Dockerfile and try again.',
    'ERROR: failed to solve: executor failed running [/bin/sh -c echo the r',
  ],
  [
    'run-fails',
    'build',
    7,
    'Building the image failed: `echo the reason >&2 && exit 7` exited with code 7. Correct that command of the Dockerfile and try again.',
    "The command '/bin/sh -c echo the reason >&2 && exit 7' returned a non-",
  ],
  [
    'variable',
    'other',
    undefined,
    "Bringing up the dev container failed: '${localEnv}' in devcontainer.json can not be resolved because no environment variable name is given. Read the log, correct the configuration, and try again.",
    '',
  ],
];

it.each(GOLDEN)('explains %s', (name, phase, exitCode, message, output) => {
  const failure = replay(name);
  expect(failure).toMatchObject({ phase, message });
  expect(failure.exitCode).toBe(exitCode);
  const lastLine = failure.outputTail.split('\n').at(-1) ?? '';
  if (output === '') expect(lastLine).toBe('');
  else expect(lastLine).toContain(output);
});

it('explains every failure that was kept', () => {
  expect(GOLDEN.map(([name]) => name).sort()).toEqual(
    readdirSync(CORPUS)
      .map((file) => file.replace('.txt', ''))
      .sort(),
  );
});

it.each(GOLDEN)('shows no trace of the tool, no escape sequence and no endless line in %s', (name) => {
  const failure = replay(name);
  const shown = [failure.message, failure.outputTail, failure.command].join('\n');
  // oxlint-disable-next-line no-control-regex
  expect(shown).not.toMatch(/at async|node:internal|devContainersSpecCLI|@devcontainers\/cli|\u001b/);
  expect(failure.message.length).toBeLessThan(600);
  expect(failure.message).toMatch(/^[A-Z][^\n]* failed: [^\n]+\. [A-Z][^\n]+\.$/);
});
