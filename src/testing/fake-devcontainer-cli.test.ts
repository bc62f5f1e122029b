import { expect, it } from 'vitest';
import type { CliProgress, UpRequest } from '../agentcontainers/ports.ts';
import { AgentContainersError, cancelled } from '../errors.ts';
import { createFakeClock } from './fake-clock.ts';
import { createFakeDevcontainerCli } from './fake-devcontainer-cli.ts';
import { createFakeEngine } from './fake-engine.ts';
import { createGate } from './gate.ts';

const key = { workspaceFolder: '/src/app', configPath: '/src/app/.devcontainer/devcontainer.json' };
const signal = new AbortController().signal;

function setUp() {
  const clock = createFakeClock();
  const engine = createFakeEngine({ clock });
  return { clock, engine, cli: createFakeDevcontainerCli({ engine, clock }) };
}

function request(more: Partial<UpRequest> = {}): UpRequest {
  return { key, mode: 'find', onProgress: () => {}, signal, ...more };
}

it('throws the name of an up or a reading that was not scripted', async () => {
  const { cli } = setUp();
  const name = '/src/app with /src/app/.devcontainer/devcontainer.json';
  expect(() => cli.up(request())).toThrow(`Unscripted call: cli.up ${name}`);
  await expect(cli.readConfiguration({ key, signal })).rejects.toThrow(
    `Unscripted call: cli.readConfiguration ${name}`,
  );
  expect(cli.leaks()).toHaveLength(2);
});

it('makes the container, starts it when it is there, and makes another beside it when asked to', async () => {
  const { cli, engine } = setUp();
  cli.upCreatesContainer('/src/app', { name: 'app' });
  const steps: CliProgress[] = [];
  const first = cli.up(request({ onProgress: (step) => void steps.push(step) }));
  expect(await first.ready).toBe(true);
  const made = await first.done;
  expect(made).toMatchObject({ outcome: 'success', containerId: engine.container('app').id });
  expect(steps).toMatchObject([{ phase: 'create', level: 3 }]);
  engine.stop('app');
  expect(await cli.up(request()).done).toEqual(made);
  expect(engine.container('app').running).toBe(true);
  cli.upCreatesContainer('/src/app', { name: 'second' });
  await cli.up(request({ mode: 'make', labels: { generation: '2' } })).done;
  expect(engine.containers().map(({ name }) => name)).toEqual(['second', 'app']);
  expect(engine.container('second')).toMatchObject({
    labels: {
      'devcontainer.local_folder': '/src/app',
      'devcontainer.config_file': key.configPath,
      generation: '2',
    },
  });
  expect(cli.upRequests.map(({ mode }) => mode)).toEqual(['find', 'find', 'make']);
});

it('takes the last script that fits, be it of the folder or of one configuration', async () => {
  const { cli } = setUp();
  cli.upCreatesContainer(key);
  cli.onUp('/src/app', (up) => up.failure('the image is missing', { phase: 'build', exitCode: 1 }));
  const run = cli.up(request());
  expect(await run.ready).toBe(false);
  expect(await run.done).toEqual({
    outcome: 'error',
    message: 'the image is missing',
    phase: 'build',
    exitCode: 1,
    outputTail: '',
  });
});

it('lets a script wait, and rejects as cancelled once it has ended after an abort', async () => {
  const { cli, clock } = setUp();
  const work = createGate();
  const death = createGate();
  cli.onUp('/src/app', async (up) => {
    try {
      await up.wait(work);
    } finally {
      await death.wait();
    }
    return up.failure('not reached');
  });
  const abort = new AbortController();
  const run = cli.up(request({ signal: abort.signal }));
  let ended = false;
  const done = run.done.finally(() => {
    ended = true;
  });
  done.catch(() => {});
  await work.reached();
  expect(cli.leaks()).toEqual(['cli.up has not been answered', 'devcontainer up of /src/app is running']);
  abort.abort(cancelled('superseded'));
  await clock.settle();
  expect(ended).toBe(false);
  death.open();
  await expect(done).rejects.toMatchObject({ code: 'cancelled', details: { reason: 'superseded' } });
  expect(await run.ready).toBe(false);
  expect(cli.leaks()).toEqual([]);
});

it('passes on the errors that the port may reject with and reports any other', async () => {
  const { cli } = setUp();
  cli.onUp('/src/app', () => {
    throw new AgentContainersError('cli-missing', 'Running devcontainer failed: it is not installed.');
  });
  await expect(cli.up(request()).done).rejects.toMatchObject({ code: 'cli-missing' });
  expect(cli.leaks()).toEqual([]);
  cli.onUp('/src/app', () => {
    throw new TypeError('bug');
  });
  await expect(cli.up(request()).done).rejects.toMatchObject({ code: 'broken-contract' });
  expect(cli.leaks()).toEqual(['the up script of /src/app threw: TypeError: bug']);
});

it('reads what it was told to read', async () => {
  const { cli } = setUp();
  cli.readsConfiguration('/src/app', { remoteUser: 'dev' });
  expect(await cli.readConfiguration({ key, signal })).toEqual({
    workspaceFolder: '/workspaces/app',
    remoteUser: 'dev',
    remoteEnv: {},
    userEnvProbe: 'none',
    customizations: [],
    hooks: {},
  });
  cli.failNext('readConfiguration', new AgentContainersError('cli-failed', 'Reading the configuration failed: no.'));
  await expect(cli.readConfiguration({ key, signal })).rejects.toMatchObject({ code: 'cli-failed' });
  expect(await cli.version(signal)).toBe('0.89.0');
  expect(cli.calls).toEqual({ version: 1, build: 0, up: 0, readConfiguration: 2, endProcess: 0 });
});
