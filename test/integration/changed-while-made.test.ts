import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DevcontainerCli } from '../../src/index.ts';
import { cliFor, workspaceWith } from './support/devcontainer-cli.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import { startLibrary, type Library } from './support/library.ts';

// Files that are others only while the CLI reads them: real engine, real CLI.

const engine = testEngine();
let library: Library;
/** What is written right before `up` begins, and undone when its container runs. */
let between: { readonly path: string; readonly text: string } | undefined;
beforeAll(async () => {
  const cli = cliFor(engine);
  const up: DevcontainerCli['up'] = (request) => {
    if (!between) return cli.up(request);
    const { path, text } = between;
    const before = readFileSync(path);
    writeFileSync(path, text);
    const onContainerRuns = (): void => {
      writeFileSync(path, before);
      request.onContainerRuns?.();
    };
    return cli.up({ ...request, onContainerRuns });
  };
  library = await startLibrary(engine, { stopGraceSeconds: 1, trust: 'all', cli: { ...cli, up } });
});
afterAll(async () => {
  await library?.api.close();
  await engine.cleanup();
});

const COMPOSE = (value: string): string =>
  `services:\n  dev:\n    image: ${BASE_IMAGE}\n    command: sleep infinity\n    init: true\n    environment:\n      STATE: ${value}\n`;

describe('a container that was made from a state of a file which nobody sees any more is dirty until the next one', () => {
  it.each([
    {
      what: 'what a Dockerfile copies',
      config: { build: { dockerfile: 'Dockerfile' }, init: true },
      files: {
        '.devcontainer/Dockerfile': `FROM ${BASE_IMAGE}\nCOPY state /state\n`,
        '.devcontainer/state': 'one',
      },
      file: '.devcontainer/state',
      text: 'two',
      look: ['cat', '/state'],
    },
    {
      what: 'a compose file',
      config: { dockerComposeFile: 'compose.yaml', service: 'dev', workspaceFolder: '/' },
      files: { '.devcontainer/compose.yaml': COMPOSE('one') },
      file: '.devcontainer/compose.yaml',
      text: COMPOSE('two'),
      look: ['sh', '-c', 'printf %s "$STATE"'],
    },
  ])('$what', async ({ config, files, file, text, look }) => {
    const { workspaceFolder } = await workspaceWith(engine, config, files);
    const { devcontainer } = await library.up(workspaceFolder);
    const state = async (): Promise<string> => {
      const { container } = await library.api.get(devcontainer.id);
      return engine.docker('exec', container?.id ?? '', ...look);
    };
    expect(devcontainer).toMatchObject({ dirty: false });
    expect(await state()).toBe('one');

    between = { path: `${workspaceFolder}/${file}`, text };
    expect(await (await library.api.recreate(devcontainer.id)).done).toMatchObject({ status: 'succeeded' });
    between = undefined;
    expect(await state()).toBe('two');
    const input = `./${file}`;
    expect(await library.api.get(devcontainer.id)).toMatchObject({
      dirty: true,
      dirtyReasons: [{ input, class: 'recreate' }],
    });
    await library.api.refresh();
    expect((await library.api.diff(devcontainer.id)).map((one) => one.input)).toEqual([input]);
    expect(await library.logText(devcontainer.id)).toContain('Changed while the container was made');

    expect(await (await library.api.recreate(devcontainer.id)).done).toMatchObject({ status: 'succeeded' });
    expect(await state()).toBe('one');
    expect(await library.api.get(devcontainer.id)).toMatchObject({ dirty: false });
  });
});

it('what a hook writes again as it was is no reason', async () => {
  const { workspaceFolder } = await workspaceWith(
    engine,
    {
      build: { dockerfile: 'Dockerfile' },
      init: true,
      onCreateCommand: 'sleep 2; cd .devcontainer && cp state /tmp/state && cat /tmp/state > state',
    },
    {
      '.devcontainer/Dockerfile': `FROM ${BASE_IMAGE}\nCOPY state /state\n`,
      '.devcontainer/state': 'one',
    },
  );
  expect((await library.up(workspaceFolder)).devcontainer).toMatchObject({ dirty: false, status: 'running' });
});
