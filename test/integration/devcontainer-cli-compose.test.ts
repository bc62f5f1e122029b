import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  cliFor,
  containersOf,
  featureFiles,
  labelsOf,
  runUp,
  successOf,
  workspaceWith,
} from './support/devcontainer-cli.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';

const engine = testEngine();
const cli = cliFor(engine);
let source: string;
beforeAll(async () => {
  source = await engine.makeFolder('store $HOME');
});
afterAll(() => engine.cleanup());

const labels = { 'agentcontainers.generation': 'g1', 'agentcontainers.fingerprint': '$f' };
const target = '/.agentcontainers/x';

function project(version: string, mainProperties = ''): string {
  return `${version}services:
  main:
    image: ${BASE_IMAGE}
    command: sleep 3600
    volumes: ["..:/workspace"]
${mainProperties}  sibling:
    image: ${BASE_IMAGE}
    command: sleep 3600
`;
}

const config = { dockerComposeFile: 'compose.yml', service: 'main', workspaceFolder: '/workspace' };

describe('a compose configuration', () => {
  it.each([
    ['without a version', ''],
    ['with a version', `version: "3.7"\n`],
    ['with an old version', `# first\nversion: '2.1' # old\n`],
  ])('%s gets our labels, and a mount that it cannot write', async (_, version) => {
    const key = await workspaceWith(engine, config, {
      '.devcontainer/compose.yml': project(version, '    labels: { agentcontainers.generation: forged }\n'),
      // What project and variables depend on stays where it was.
      '.devcontainer/.env': 'UNUSED=1\n',
    });
    const readOnlyMounts = [{ source, target }];
    const run = runUp(cli, key, { labels, readOnlyMounts });
    const { containerId, remoteWorkspaceFolder } = successOf(await run.done);
    expect(remoteWorkspaceFolder).toBe('/workspace');
    for (const command of [`touch ${target}/new`, `mkdir ${target}/d`]) {
      await expect(engine.docker('exec', '-u', '0', containerId, 'sh', '-c', command)).rejects.toThrow(
        'Read-only file system',
      );
    }
    const found = await labelsOf(engine, containerId);
    expect(found).toMatchObject({
      ...labels,
      'devcontainer.local_folder': key.workspaceFolder,
      'devcontainer.config_file': key.configPath,
      'com.docker.compose.service': 'main',
      'com.docker.compose.project.working_dir': join(key.workspaceFolder, '.devcontainer'),
    });
    const prefix = key.workspaceFolder.split('/').at(-1) ?? '';
    expect(found['com.docker.compose.project']).toBe(`${prefix}_devcontainer`);
    expect(Object.keys(found)).not.toContain('__proto__');
  });

  it('is started again when it was stopped, though the file with our labels is gone', async () => {
    const key = await workspaceWith(engine, config, { '.devcontainer/compose.yml': project('') });
    const { containerId } = successOf(await runUp(cli, key, { labels, readOnlyMounts: [{ source, target }] }).done);
    const { 'com.docker.compose.project': name, 'com.docker.compose.project.config_files': files = '' } =
      await labelsOf(engine, containerId);
    const ours = files.split(',').at(-1) ?? '';
    await expect(access(ours)).rejects.toThrow('ENOENT');
    const ids = async () =>
      (await engine.docker('ps', '-aq', '--filter', `label=com.docker.compose.project=${name}`)).split('\n').sort();
    const before = await ids();
    await engine.docker('stop', '-t', '0', ...before);
    expect(successOf(await runUp(cli, key, { mode: 'find', labels }).done).containerId).toBe(containerId);
    expect(await ids()).toEqual(before);
    expect(await engine.docker('ps', '-q', '--filter', `label=com.docker.compose.project=${name}`)).toMatch(
      /^\w+\n\w+$/,
    );
    // Nor is it made anew by one who knows nothing of us.
    expect(successOf(await runUp(cli, key, { mode: 'find' }).done).containerId).toBe(containerId);
    expect(await labelsOf(engine, containerId)).toMatchObject(labels);
  });

  it('takes the files that compose would take when it names none', async () => {
    const key = await workspaceWith(
      engine,
      { ...config, dockerComposeFile: [] },
      {
        'docker-compose.yml': project('').replace('..:/workspace', '.:/workspace'),
        'docker-compose.override.yml': `services:\n  main:\n    environment: { FROM_OVERRIDE: "yes" }\n`,
      },
    );
    const { containerId } = successOf(await runUp(cli, key, { labels }).done);
    expect(await engine.docker('exec', containerId, 'sh', '-c', 'echo $FROM_OVERRIDE')).toBe('yes');
    expect(await labelsOf(engine, containerId)).toMatchObject(labels);
  });

  it('keeps what its features need for a start, in a place of its own that does not grow', async () => {
    const stateDirectory = await engine.makeFolder('state');
    const own = cliFor(engine, { stateDirectory });
    const key = await workspaceWith(
      engine,
      { ...config, features: { './my-feature': {} } },
      { '.devcontainer/compose.yml': project(''), ...featureFiles('echo installed > /which') },
    );
    const { containerId } = successOf(await runUp(own, key, { labels }).done);
    expect(await engine.docker('exec', containerId, 'cat', '/which')).toBe('installed');
    const kept = await readdir(stateDirectory, { recursive: true });
    expect(kept.filter((name) => name.includes('docker-compose.devcontainer.containerFeatures')).length).toBe(1);
    await engine.docker('stop', '-t', '0', containerId);
    const again = runUp(own, key, { mode: 'find', labels });
    expect(successOf(await again.done).containerId).toBe(containerId);
    // Nothing was prepared anew.
    expect(again.progress.filter((step) => step.phase === 'build')).toEqual([]);
    expect(await containersOf(engine, key.workspaceFolder)).toEqual([containerId]);
  });
});
