import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { CliFailure } from '../../src/agentcontainers/ports.ts';
import {
  cliFor,
  failureOf,
  featureFiles,
  runBuild,
  runUp,
  successOf,
  workspaceWith,
} from './support/devcontainer-cli.ts';
import { engineFeatures } from './support/engine-features.ts';
import { BASE_IMAGE, startPrivateEngine, testEngine } from './support/engine-harness.ts';

const engine = testEngine();
const cli = cliFor(engine);
/** In every output of a staged failure, to know what the builder leaves behind. */
const why = `why-${engine.prefix}`;
/** A container with this name and port is there. */
const taken = `${engine.prefix}-taken`;
let port: string;

beforeAll(async () => {
  await engine.docker(
    'run',
    '-d',
    '--name',
    taken,
    '--label',
    engine.label,
    '-p',
    '127.0.0.1::80',
    BASE_IMAGE,
    'sleep',
    '3600',
  );
  port = (await engine.docker('port', taken, '80')).split(':').at(-1) ?? '';
});
afterAll(async () => {
  const all = (await engine.docker('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Command}}')).split('\n');
  const left = all.filter((line) => line.includes(why)).map((line) => line.split(' ')[0] ?? '');
  if (left.length > 0) await engine.docker('rm', '-f', ...left);
  await engine.cleanup();
});

const built = { build: { dockerfile: 'Dockerfile' } };
const compose = { dockerComposeFile: 'compose.yml', service: 'main' };
const dockerfile = (text: string) => ({ '.devcontainer/Dockerfile': `FROM ${BASE_IMAGE}\n${text}\n` });
const composeFile = (text: string) => ({
  '.devcontainer/compose.yml': `services:\n  main:\n    image: ${BASE_IMAGE}\n${text}`,
});
const fails = `echo ${why} >&2; exit 7`;

interface Staged {
  readonly config: () => object | string;
  readonly files?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly message: RegExp;
  readonly expected?: Partial<CliFailure>;
  /** What must be among the output. */
  readonly output?: string;
}

const { clientTellsRefusals, refusesMissingSources } = engineFeatures();

const STAGED: Readonly<Record<string, Staged>> = {
  'a base image that cannot be had': {
    config: () => ({ image: 'registry.invalid/no/such:1' }),
    message: /^Pulling the image failed: .*(?:could not be reached|does not exist)/,
    expected: { phase: 'build' },
  },
  'an unknown instruction': {
    config: () => built,
    files: dockerfile('RUNN true'),
    message: /^Building the image failed: the Dockerfile cannot be understood: unknown instruction: RUNN/,
    expected: { phase: 'build' },
  },
  'a command of the Dockerfile': {
    config: () => built,
    files: dockerfile(`RUN ${fails}`),
    message: /^Building the image failed: `echo why-.* exited with code 7\. Correct that command/,
    expected: { phase: 'build', exitCode: 7 },
    output: why,
  },
  'a file that is to be copied': {
    config: () => built,
    files: dockerfile('COPY no-such-file /x'),
    message: /^Building the image failed: the Dockerfile copies no-such-file, which is not in the build context/,
    expected: { phase: 'build' },
  },
  'an unknown compose service': {
    config: () => ({ ...compose, service: 'nope' }),
    files: composeFile(''),
    message: /the compose files have no service nope/,
  },
  'an unknown compose service that is to get labels': {
    config: () => ({ ...compose, service: 'nope' }),
    files: composeFile(''),
    labels: { 'agentcontainers.generation': 'g1' },
    message: /the compose files have no service nope/,
  },
  'a broken compose file': {
    config: () => compose,
    files: { '.devcontainer/compose.yml': 'services:\n  main:\n   image: x\n  - y\n' },
    message: /^Reading the compose files failed: .*valid/,
    expected: { phase: 'configuration' },
  },
  'a compose file that is not there': {
    config: () => compose,
    message: /^Reading the compose files failed: there is no file .*compose\.yml/,
    expected: { phase: 'configuration' },
  },
  'a port in use': {
    config: () => ({ image: BASE_IMAGE, appPort: [`127.0.0.1:${port}:80`] }),
    message: clientTellsRefusals
      ? /^Creating the container failed: the address 127\.0\.0\.1:\d+ is in use already/
      : /^Creating the container failed: the engine did not start it, .* Look for a port that is in use/,
    expected: { phase: 'create' },
  },
  'a name in use': {
    config: () => ({ image: BASE_IMAGE, runArgs: ['--name', taken] }),
    message: /^Creating the container failed: the name \S+-taken is taken by the container [0-9a-f]{12}\./,
    expected: { phase: 'create' },
  },
  'an unknown user': {
    config: () => ({ image: BASE_IMAGE, remoteUser: 'nobody-there' }),
    message: clientTellsRefusals
      ? /^Creating the container failed: the image has no user nobody-there/
      : /^Creating the container failed: the engine refused to run a command in it, .* Check that the image has the user/,
    expected: { phase: 'create' },
  },
  'an unknown option': {
    config: () => ({ image: BASE_IMAGE, runArgs: ['--nonsense'] }),
    message: /^Creating the container failed: the engine does not know the option --nonsense/,
    expected: { phase: 'create' },
  },
  'a command that ends at once': {
    config: () => ({ ...built, overrideCommand: false }),
    files: dockerfile(`ENTRYPOINT ["/bin/sh", "-c", "${fails}"]`),
    message: /^Creating the container failed: its command ended at once, with exit code 7\. Read its output/,
    expected: { phase: 'create' },
    output: why,
  },
  'a command that ends under a hook': {
    config: () => ({ ...built, overrideCommand: false, onCreateCommand: 'sleep 60' }),
    files: dockerfile('ENTRYPOINT ["/bin/sh", "-c", "sleep 2; exit 7"]'),
    message: /^Running the onCreateCommand failed: the container's own command ended meanwhile, with exit code 7\./,
    expected: { phase: 'onCreateCommand' },
  },
  'a feature that is not there': {
    config: () => ({ image: BASE_IMAGE, features: { './nope': {} } }),
    message: /there is no feature in \/.*\/\.devcontainer\/nope\. Correct the path/,
  },
  'a feature that fails to install': {
    config: () => ({ image: BASE_IMAGE, features: { [`./${why}`]: {} } }),
    files: featureFiles(fails, why),
    message: /^Building the image failed: the feature why-\S+ failed to install/,
    expected: { phase: 'build' },
    output: why,
  },
  'a hook as a line': {
    config: () => ({ image: BASE_IMAGE, onCreateCommand: fails }),
    message: /^Running the onCreateCommand failed: it exited with code 7\. The container is there all the same/,
    expected: { phase: 'onCreateCommand', exitCode: 7, outputTail: why },
  },
  'a hook as a program': {
    config: () => ({ image: BASE_IMAGE, updateContentCommand: ['sh', '-c', fails] }),
    message: /^Running the updateContentCommand failed: it exited with code 7\./,
    expected: { phase: 'updateContentCommand', exitCode: 7, outputTail: why },
  },
  'a hook of several': {
    config: () => ({ image: BASE_IMAGE, postCreateCommand: { one: 'true', two: fails } }),
    message: /^Running the postCreateCommand failed: it exited with code 7\./,
    expected: { phase: 'postCreateCommand', exitCode: 7, outputTail: why },
  },
  'a hook that is killed': {
    config: () => ({ image: BASE_IMAGE, postStartCommand: `echo ${why}; kill -9 $$` }),
    message: /^Running the postStartCommand failed: it was killed, by hand or for want of memory \(exit code 137\)/,
    expected: { phase: 'postStartCommand', exitCode: 137, outputTail: why },
  },
  'a command for the host': {
    config: () => ({ image: BASE_IMAGE, initializeCommand: fails }),
    message: /^Running the initializeCommand failed: its last output was: why-/,
    expected: { phase: 'initializeCommand', outputTail: why },
  },
};

function check(failure: CliFailure, { message, expected = {}, output = '' }: Staged): void {
  expect(failure).toMatchObject(expected);
  expect(failure.message).toMatch(message);
  expect(failure.outputTail).toContain(output);
  // oxlint-disable-next-line no-control-regex
  expect(JSON.stringify(failure)).not.toMatch(/at async|node:internal|devContainersSpecCLI|\\u001b/);
}

it.each(Object.entries(STAGED))('says what is wrong with %s', async (_, staged) => {
  const key = await workspaceWith(engine, staged.config(), staged.files);
  check(failureOf(await runUp(cli, key, { labels: staged.labels }).done), staged);
});

it('says that the source of a mount is not there, where the engine does not make it', async () => {
  const source = join(await engine.makeFolder(), 'missing');
  const key = await workspaceWith(engine, { image: BASE_IMAGE, mounts: [`type=bind,source=${source},target=/x`] });
  const outcome = await runUp(cli, key).done;
  if (!refusesMissingSources) {
    successOf(outcome);
    return;
  }
  check(failureOf(outcome), {
    config: () => ({}),
    message: /^Creating the container failed: the directory \/.*\/missing, which is to be mounted, does not exist/,
    expected: { phase: 'create' },
  });
});

it('says the same of a build', async () => {
  for (const name of [
    'a command of the Dockerfile',
    'a feature that fails to install',
    'a base image that cannot be had',
  ]) {
    const staged = STAGED[name];
    if (staged === undefined) throw new Error(`${name} is not staged.`);
    const key = await workspaceWith(engine, staged.config(), staged.files);
    check(failureOf(await runBuild(cli, key)), staged);
  }
});

it('says that the client of the engine is not there', async () => {
  const key = await workspaceWith(engine, {});
  const failure = failureOf(await runUp(cliFor(engine, { dockerPath: '/no/such/docker' }), key).done);
  expect(failure.message).toMatch(/the program \/no\/such\/docker was not found on this machine\. Install it/);
});

describe('an engine that dies', () => {
  it('in a build or in a hook is named as the cause', async () => {
    await using own = await startPrivateEngine();
    const there = testEngine(own.dockerHost);
    const ownCli = cliFor(there);
    try {
      for (const [config, files] of [
        [built, dockerfile('RUN echo begun; sleep 300')],
        [{ image: BASE_IMAGE, postCreateCommand: 'echo begun; sleep 300' }, {}],
      ] as const) {
        const key = await workspaceWith(there, config, files);
        let begun: () => void = () => {};
        const began = new Promise<void>((resolve) => (begun = resolve));
        const run = runUp(ownCli, key, {
          onProgress: ({ text }) => {
            if (/(?:^|\s)begun\s*$/.test(text)) begun();
          },
        });
        await began;
        await own.kill();
        const failure = failureOf(await run.done);
        expect(failure.message).toMatch(
          /failed: the connection to the container engine was lost\. Check that the container engine/,
        );
        await own.start();
      }
    } finally {
      // The engine is gone for good after this, with all that is in it.
      await there.cleanup().catch(() => {});
    }
  });
});
