import { writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { BuildRequest, CliProgress, ProcessIdentity, UpRequest } from '../agentcontainers/ports.ts';
import { systemClock } from '../clock/system-clock.ts';
import { AgentContainersError, cancelled } from '../errors.ts';
import { silentLogger } from '../logger.ts';
import { createDevcontainerCli, type DevcontainerCliOptions } from './devcontainer-cli.ts';

/** Far above what it takes, for a busy machine. */
const WITHIN = { timeout: 30_000 };

const CONTAINER = 'c'.repeat(64);
const SUCCESS = JSON.stringify({ outcome: 'success', containerId: CONTAINER, remoteUser: 'dev' });
const never = new AbortController().signal;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'devcontainer-cli-'));
  await writeFile(join(folder, 'devcontainer.json'), '{ "image": "some:1" }');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A scripted stand-in for `devcontainer.js`; it has `log(event)`, `out(text)` and `err(text)`. */
async function scripted(body: string, options: Partial<DevcontainerCliOptions> = {}) {
  const cliPath = join(folder, 'cli.mjs');
  const prelude = `
    import fs from 'node:fs';
    const out = (text) => fs.writeSync(1, text);
    const err = (text) => fs.writeSync(2, text);
    const log = (event) => err(JSON.stringify({ level: 3, timestamp: 1, ...event }) + '\\n');
    const hook = (name, status, stepDetail) => log({ type: 'progress', name: 'Running ' + name + '...', status, stepDetail });
    const FOLDER = ${JSON.stringify(folder)};
  `;
  await writeFile(cliPath, prelude + body);
  const key = { workspaceFolder: folder, configPath: join(folder, 'devcontainer.json') };
  const cli = createDevcontainerCli({
    dockerHost: async () => 'unix:///test.sock',
    cliPath,
    clock: systemClock,
    logger: silentLogger,
    ...options,
  });
  const progress: CliProgress[] = [];
  const onProgress = (step: CliProgress) => void progress.push(step);
  const up = (signal: AbortSignal = never, more: Partial<UpRequest> = {}) =>
    cli.up({ key, mode: 'make', onProgress, signal, ...more });
  const build = (signal: AbortSignal = never, more: Partial<BuildRequest> = {}) =>
    cli.build({ key, onProgress, signal, ...more });
  return { cli, key, up, build, progress };
}

/** Keeps what the CLI was told for {@link told}. */
const TELL = `
  const at = process.argv.indexOf('--override-config');
  const override = at === -1 ? undefined : JSON.parse(fs.readFileSync(process.argv[at + 1], 'utf8'));
  const added = override?.dockerComposeFile?.at?.(-1);
  const addition = added?.startsWith?.('/') ? JSON.parse(fs.readFileSync(added, 'utf8')) : undefined;
  fs.writeFileSync(FOLDER + '/told', JSON.stringify({ args: process.argv.slice(2), override, addition, path: process.argv[at + 1] }));
`;

async function told() {
  return JSON.parse(await readFile(join(folder, 'told'), 'utf8')) as {
    args: string[];
    override: Record<string, unknown>;
    addition: unknown;
    path: string;
  };
}

describe('up', () => {
  it('takes the last line that begins with a brace, whatever is printed before and after it', async () => {
    const { up } = await scripted(`
      out('npm notice\\n{"outcome":"error","message":"not this"}\\n'); err('(node:1) Warning: x\\n');
      out(${JSON.stringify(SUCCESS)} + '\\nbye\\n'); err('trailing noise');
    `);
    expect(await up().done).toEqual({ outcome: 'success', containerId: CONTAINER, remoteUser: 'dev' });
  });

  it('is ready when a hook after waitFor begins, while the run goes on', async () => {
    await writeFile(join(folder, 'devcontainer.json'), '{ "image": "x", "waitFor": "onCreateCommand" }');
    const { up } = await scripted(`
      hook('onCreateCommand', 'running', 'a'); hook('onCreateCommand', 'succeeded');
      hook('updateContentCommand', 'running', 'b');
      while (!fs.existsSync(FOLDER + '/go-on')) await new Promise((r) => setTimeout(r, 5));
      out(${JSON.stringify(SUCCESS)} + '\\n');
    `);
    const run = up();
    expect(await run.ready).toBe(true);
    await writeFile(join(folder, 'go-on'), '');
    expect((await run.done).outcome).toBe('success');
  });

  it('is not ready by the hook that it waits for', async () => {
    const { up } = await scripted(
      `hook('updateContentCommand', 'running', 'b'); out(${JSON.stringify(SUCCESS)} + '\\n');`,
    );
    const run = up();
    expect((await run.done).outcome).toBe('success');
    expect(await run.ready).toBe(false);
  });

  it('reads lines beyond 64 KiB, in pieces cut inside a character', async () => {
    const { up, progress } = await scripted(`
      const line = Buffer.from(JSON.stringify({ type: 'raw', level: 3, text: 'ä'.repeat(100_000) + 'END\\n' }) + '\\n');
      for (let at = 0; at < line.length; at += 8191) fs.writeSync(2, line.subarray(at, at + 8191));
      log({ type: 'text', text: 'after' }); out(${JSON.stringify(SUCCESS)} + '\\n');
    `);
    await up().done;
    expect(progress.map((step) => step.text)).toContain('after');
    expect(progress.some((step) => step.text.includes('ä'))).toBe(true);
    expect(progress.every((step) => !step.text.includes('\ufffd'))).toBe(true);
  });

  it('gives a failure its phase, exit code and tail', async () => {
    const { up } = await scripted(`
      hook('postCreateCommand', 'running', 'npm ci');
      log({ type: 'raw', text: 'no package.json\\n', channel: 'postCreate' });
      log({ type: 'text', text: 'postCreateCommand from devcontainer.json failed with exit code 254. Skipping', channel: 'postCreate' });
      hook('postCreateCommand', 'failed');
      err('Error: Command failed: npm ci\\n    at async x (/y/devContainersSpecCLI.js:1:2)\\n');
      out(JSON.stringify({ outcome: 'error', message: 'Command failed: npm ci', description: 'd', containerId: '${CONTAINER}' }) + '\\n');
      process.exitCode = 1;
    `);
    expect(await up().done).toMatchObject({
      outcome: 'error',
      containerId: CONTAINER,
      phase: 'postCreateCommand',
      command: 'npm ci',
      exitCode: 254,
      outputTail: 'no package.json',
    });
  });

  it.each([
    [
      'without a result',
      `err('boom\\n    at async x (/y.js:1:2)\\n'); process.exitCode = 7`,
      { exitCode: 7, outputTail: 'boom' },
    ],
    ['with half a result', `out('{"outcome":"succ'); process.exitCode = 1`, { exitCode: 1 }],
    [
      'by a signal',
      `process.kill(process.pid, 'SIGKILL'); await new Promise((r) => setTimeout(r, 1000))`,
      { signal: 'SIGKILL' },
    ],
    [
      'with success and a bad exit code',
      `out(${JSON.stringify(SUCCESS)} + '\\n'); process.exitCode = 1`,
      { exitCode: 1 },
    ],
  ])('rejects an end %s', async (_, body, command) => {
    const { up } = await scripted(body);
    const run = up();
    await expect(run.done).rejects.toMatchObject({ code: 'cli-output-invalid', details: { command } });
    expect(await run.ready).toBe(false);
  });

  it('rejects when the CLI is missing', async () => {
    const { up } = await scripted('', { cliPath: join(folder, 'nowhere.js') });
    await expect(up().done).rejects.toMatchObject({
      code: 'cli-missing',
      message: expect.stringContaining('nowhere.js'),
    });
  });

  it('gives the CLI the engine and the listed environment, not what is in ours', async () => {
    vi.stubEnv('CANARY_TOKEN', 'canary');
    const body = `fs.writeFileSync(FOLDER + '/env', JSON.stringify([process.env, process.argv.slice(2)])); out(${JSON.stringify(SUCCESS)})`;
    const { up } = await scripted(body);
    await up().done;
    vi.unstubAllEnvs();
    const text = await readFile(join(folder, 'env'), 'utf8');
    expect(text).not.toContain('canary');
    const [env, args] = JSON.parse(text) as [Record<string, string>, string[]];
    expect(env['DOCKER_HOST']).toBe('unix:///test.sock');
    expect(args.slice(0, 3)).toEqual(['up', '--workspace-folder', folder]);
    expect(args).toContain('--no-lockfile');
  });

  it('redacts secrets of the environment it gives, also where output cuts them in two', async () => {
    const body = `
      log({ type: 'raw', text: 'proxy says hun' }); log({ type: 'raw', text: 'ter2!\\n' }); log({ type: 'text', text: 'hunter2' });
      out(JSON.stringify({ outcome: 'error', message: 'refused hunter2' }) + '\\n'); process.exitCode = 1;
    `;
    const { up, progress } = await scripted(body, { env: { PATH: '/bin', HTTPS_PROXY: 'http://me:hunter2@proxy' } });
    const outcome = await up().done;
    expect(JSON.stringify([outcome, progress])).not.toContain('hunter2');
    expect(progress.map((step) => step.text)).toContain('proxy says [redacted]!');
  });

  it('starts nothing for a configuration that is broken or gone', async () => {
    const { up } = await scripted(`fs.writeFileSync(FOLDER + '/started', '')`);
    await writeFile(join(folder, 'devcontainer.json'), '{\n "image": "x');
    expect(await up().done).toMatchObject({
      outcome: 'error',
      phase: 'configuration',
      message: expect.stringContaining('line 2, column 11'),
    });
    await rm(join(folder, 'devcontainer.json'));
    expect(await up().done).toMatchObject({ outcome: 'error', message: expect.stringContaining('no such file') });
    await expect(readFile(join(folder, 'started'))).rejects.toThrow('ENOENT');
  });

  it('reports that no engine was found', async () => {
    const dockerHost = () =>
      Promise.reject(new AgentContainersError('engine-unreachable', 'Finding an engine failed: none.'));
    const { up } = await scripted('', { dockerHost });
    expect(await up().done).toMatchObject({
      outcome: 'error',
      message: expect.stringContaining('Finding an engine failed: none.'),
    });
  });

  it('rejects with the reason of the cancellation, before and during the run', async () => {
    const { up } = await scripted(`fs.writeFileSync(FOLDER + '/begun', ''); setInterval(() => {}, 1000)`);
    const before = new AbortController();
    before.abort(cancelled('superseded'));
    await expect(up(before.signal).done).rejects.toMatchObject({
      code: 'cancelled',
      details: { reason: 'superseded' },
    });
    const during = new AbortController();
    const run = up(during.signal);
    await vi.waitFor(() => readFile(join(folder, 'begun')), WITHIN);
    during.abort();
    await expect(run.done).rejects.toMatchObject({ code: 'cancelled' });
    expect(await run.ready).toBe(false);
  });

  it('goes on when a progress listener throws', async () => {
    const { cli, key } = await scripted(`log({ type: 'text', text: 'x' }); out(${JSON.stringify(SUCCESS)})`);
    const onProgress = () => {
      throw new Error('broken listener');
    };
    const run = cli.up({ key, mode: 'make', onProgress, signal: never });
    expect((await run.done).outcome).toBe('success');
  });
});

describe('what up tells the CLI', () => {
  const body = `${TELL} out(${JSON.stringify(SUCCESS)} + '\\n');`;
  const idLabels = (args: readonly string[]) => args.filter((_, at) => args[at - 1] === '--id-label');

  it('is the configuration that was read here, in a file that is gone afterwards', async () => {
    await writeFile(join(folder, 'devcontainer.json'), '// note\n{ "image": "x", "initializeCommand": "y", }');
    const { up } = await scripted(body);
    await up().done;
    const { override, path, args } = await told();
    expect(override).toEqual({ image: 'x', initializeCommand: 'y' });
    await expect(readFile(path)).rejects.toThrow('ENOENT');
    expect(args).toContain('--mount-workspace-git-root=false');
    expect(args).not.toContain('--expect-existing-container');
  });

  it('is the configuration that was judged, rather than what the file says now', async () => {
    await writeFile(join(folder, 'devcontainer.json'), '{ "image": "x", "initializeCommand": "changed" }');
    const { up } = await scripted(body);
    await up(never, { config: { image: 'judged' } }).done;
    expect((await told()).override).toEqual({ image: 'judged' });
  });

  it('leaves the command for the host out when asked to', async () => {
    await writeFile(join(folder, 'devcontainer.json'), '{ "image": "x", "initializeCommand": "y" }');
    const { up } = await scripted(body);
    for (const mode of ['make', 'find'] as const) {
      await up(never, { mode, withoutInitializeCommand: true }).done;
      expect((await told()).override).toEqual({ image: 'x' });
    }
  });

  it('is how to make a container beside others, with labels and mounts', async () => {
    const { up, key } = await scripted(body);
    const labels = { 'agentcontainers.generation': 'g1', other: 'l' };
    await up(never, { labels, readOnlyMounts: [{ source: '/s', target: '/t' }] }).done;
    const { override, args } = await told();
    expect(override['runArgs']).toEqual([
      ...['--label', 'agentcontainers.generation=g1', '--label', 'other=l'],
      ...['--mount', 'type=bind,source=/s,target=/t,readonly'],
    ]);
    expect(idLabels(args)).toEqual([
      `devcontainer.local_folder=${key.workspaceFolder}`,
      `devcontainer.config_file=${key.configPath}`,
      '__proto__=g1',
    ]);
    // Without a generation of ours it is still another container than those that are there.
    await up().done;
    expect(idLabels((await told()).args)[2]).toMatch(/^__proto__=[0-9a-f-]{36}$/);
  });

  it('is how to find one container, and to make none', async () => {
    const { up } = await scripted(body);
    await up(never, { mode: 'find', labels: { 'agentcontainers.generation': 'g1' } }).done;
    expect((await told()).args).toContain('--expect-existing-container');
    expect((await told()).override).toEqual({ image: 'some:1' });
    expect(idLabels((await told()).args)[2]).toBe('__proto__=g1');
    await up(never, { mode: 'find' }).done;
    expect(idLabels((await told()).args)).toEqual([]);
  });

  it('is a further compose file where labels and mounts must come from one', async () => {
    await writeFile(join(folder, 'devcontainer.json'), '{ "dockerComposeFile": "a.yml", "service": "main" }');
    await writeFile(join(folder, 'a.yml'), 'version: "3.8"\nservices: {}\n');
    const { up } = await scripted(body, { stateDirectory: join(folder, 'state') });
    const labels = { 'agentcontainers.generation': 'g1' };
    await up(never, { labels, readOnlyMounts: [{ source: '/s', target: '/t' }] }).done;
    const { override, addition, args } = await told();
    expect(override).toMatchObject({ dockerComposeFile: ['a.yml', expect.stringMatching(/agentcontainers\.yml$/)] });
    expect(addition).toEqual({ version: '3.8', services: { main: { labels, volumes: ['/s:/t:ro'] } } });
    expect(args).not.toContain('--id-label');
    expect(args[args.indexOf('--user-data-folder') + 1]).toMatch(/\/state\/devcontainer-cli\/[0-9a-f]{16}$/);
    await up(never, { mode: 'find', labels }).done;
    expect((await told()).override).toEqual({ dockerComposeFile: 'a.yml', service: 'main' });
  });

  it('is nothing for a configuration that it cannot work with', async () => {
    await writeFile(join(folder, 'devcontainer.json'), '{ "image": "x", "runArgs": "--privileged" }');
    const { up } = await scripted(body);
    expect(await up().done).toMatchObject({
      outcome: 'error',
      phase: 'configuration',
      message: expect.stringContaining('runArgs is not a list of texts'),
    });
    await expect(readFile(join(folder, 'told'))).rejects.toThrow('ENOENT');
  });
});

describe('build', () => {
  const READ = `
    const path = process.argv[process.argv.indexOf('--config') + 1];
    const config = await new Promise((done) => fs.readFile(path, 'utf8', (error, text) => done(error?.code ?? JSON.parse(text))));
    fs.writeFileSync(FOLDER + '/read', JSON.stringify({ path, config, isThere: fs.existsSync(path) }));
    out('{"outcome":"success","imageName":"a"}');
  `;
  const wasRead = async () => JSON.parse(await readFile(join(folder, 'read'), 'utf8')) as Record<string, unknown>;

  it('gives the images', async () => {
    const { build } = await scripted(`${TELL} out('noise\\n{"outcome":"success","imageName":["a:1","b:1"]}\\n');`);
    expect(await build()).toEqual({ outcome: 'success', images: ['a:1', 'b:1'] });
    const { args } = await told();
    expect(args.slice(0, 3)).toEqual(['build', '--workspace-folder', folder]);
    expect(args).not.toContain('--override-config');
  });

  it('is of the configuration that was judged, whatever is written into the file meanwhile', async () => {
    const { build } = await scripted(READ);
    const config = { build: { dockerfile: 'Dockerfile' }, containerEnv: { A: 'b' } };
    const swap = () =>
      writeFileSync(
        join(folder, 'devcontainer.json'),
        '{ "build": { "dockerfile": "Dockerfile", "options": ["--iidfile", "/x"] } }',
      );
    expect((await build(never, { config, onSpawn: swap })).outcome).toBe('success');
    expect(await wasRead()).toMatchObject({ config });
    // Without one it is what the file said before anything was waited for.
    await writeFile(join(folder, 'devcontainer.json'), '{ "image": "before" }');
    await build(never, { onSpawn: swap });
    expect(await wasRead()).toMatchObject({ config: { image: 'before' } });
  });

  it('keeps the folder of the configuration, so that what is relative to it stays what it is, in a file that is not there', async () => {
    const { build, progress } = await scripted(`
      const given = process.argv[process.argv.indexOf('--config') + 1];
      log({ type: 'text', text: 'Using ' + given });
      ${READ}
    `);
    await build();
    const { path, isThere } = await wasRead();
    expect(path).toMatch(new RegExp(`^${folder}/agentcontainers-[0-9a-f-]{36}\\.json$`));
    expect(isThere).toBe(false);
    // Nobody need know of that path.
    expect(progress.map(({ text }) => text)).toEqual([`Using ${join(folder, 'devcontainer.json')}`]);
  });

  it('keeps the environment of remote commands out of what becomes a label of the image', async () => {
    const { build } = await scripted(READ);
    await build(never, { config: { image: 'x', remoteEnv: { GITHUB_TOKEN: 'canary' } } });
    expect(await wasRead()).toMatchObject({ config: { image: 'x' } });
    expect(JSON.stringify(await wasRead())).not.toContain('canary');
  });

  it('is of the image where compose files are named beside it, as an up is', async () => {
    const { build } = await scripted(READ);
    await build(never, { config: { image: 'x', dockerComposeFile: 'c.yml', service: 'a' } });
    expect(await wasRead()).toMatchObject({ config: { image: 'x', service: 'a' } });
    expect((await wasRead())['config']).not.toHaveProperty('dockerComposeFile');
    const config = { dockerComposeFile: 'c.yml', service: 'a' };
    await build(never, { config });
    expect((await wasRead())['config']).toEqual(config);
  });

  it.each(['build', 'up'] as const)('of a compose project has its name before all else: %s', async (command) => {
    const run = await scripted(`
      fs.writeFileSync(FOLDER + '/name', String(process.env.COMPOSE_PROJECT_NAME));
      out(process.argv[2] === 'build' ? '{"outcome":"success","imageName":"a"}' : ${JSON.stringify(SUCCESS)});
    `);
    const name = () => readFile(join(folder, 'name'), 'utf8');
    const go = (more: Partial<BuildRequest>) =>
      command === 'build' ? run.build(never, more) : run.up(never, more).done;
    expect((await go({ composeProject: 'mine' })).outcome).toBe('success');
    expect(await name()).toBe('mine');
    await go({});
    expect(await name()).toBe('undefined');
  });

  it('gives a failure its phase, exit code and tail', async () => {
    const { build } = await scripted(`
      log({ type: 'start', text: 'Run: docker build .' });
      log({ type: 'raw', text: "no make\\nThe command '/bin/sh -c make' returned a non-zero code: 127\\n" });
      log({ type: 'stop', text: 'Run: docker build .' });
      out(JSON.stringify({ outcome: 'error', message: 'Command failed: docker build .', description: 'd' }) + '\\n');
      process.exitCode = 1;
    `);
    expect(await build()).toMatchObject({
      outcome: 'error',
      phase: 'build',
      exitCode: 127,
      message:
        'Building the image failed: `make` exited with code 127. Correct that command of the Dockerfile and try again.',
    });
  });

  it.each([
    ['without a result', `process.exitCode = 1`, 'no valid result'],
    [
      'with a result that the exit code contradicts',
      `out('{"outcome":"success","imageName":"a"}'); process.exitCode = 2`,
      'does not go with its exit code 2',
    ],
    [
      'for want of room',
      `err('Error: ENOSPC: no space left on device, write\\n    at async x (/y.js:1:2)\\n'); process.exitCode = 1`,
      'there is no space left on the disk. Free some space',
    ],
  ])('rejects an end %s', async (_, body, message) => {
    const { build } = await scripted(body);
    await expect(build()).rejects.toMatchObject({
      code: 'cli-output-invalid',
      message: expect.stringContaining(message),
    });
  });

  it('starts nothing for a configuration that is broken', async () => {
    await writeFile(join(folder, 'devcontainer.json'), '{');
    expect(await (await scripted(TELL)).build()).toMatchObject({ outcome: 'error', phase: 'configuration' });
  });

  it('waits for another of the same folder, and can be cancelled meanwhile', async () => {
    const { build, progress } = await scripted(`
      fs.appendFileSync(FOLDER + '/runs', 'x');
      while (!fs.existsSync(FOLDER + '/go-on')) await new Promise((r) => setTimeout(r, 5));
      out('{"outcome":"success","imageName":"a"}');
    `);
    const first = build();
    await vi.waitFor(() => readFile(join(folder, 'runs')), WITHIN);
    const abort = new AbortController();
    const second = build(abort.signal);
    const third = build();
    await vi.waitFor(
      () => expect(progress.map((step) => step.text)).toEqual(Array(2).fill('Waiting for another build to end')),
      WITHIN,
    );
    abort.abort(cancelled('superseded'));
    await expect(second).rejects.toMatchObject({ code: 'cancelled', details: { reason: 'superseded' } });
    expect(await readFile(join(folder, 'runs'), 'utf8')).toBe('x');
    await writeFile(join(folder, 'go-on'), '');
    expect([(await first).outcome, (await third).outcome]).toEqual(['success', 'success']);
    expect(await readFile(join(folder, 'runs'), 'utf8')).toBe('xx');
  });
});

describe('secrets that are written in a configuration', () => {
  const secrets = ['canary-"one$\\x', 'canary-two', 'canary-three', 'canary-four'] as const;
  const config = {
    build: { dockerfile: 'Dockerfile', args: { NPM_TOKEN: secrets[1] } },
    containerEnv: { GITHUB_TOKEN: secrets[0], PLAIN: 'plain-value' },
    remoteEnv: { API_KEY: secrets[2] },
    features: { './a': { password: secrets[3] } },
  };

  it.each(['build', 'up'] as const)('come out in nothing that is told of a run: %s', async (command) => {
    const { build, up, progress } = await scripted(`
      const config = ${JSON.stringify(config)};
      const label = 'LABEL devcontainer.metadata="' + JSON.stringify(config).replace(/(?=["\\\\$])/g, '\\\\') + '"';
      log({ type: 'start', text: 'Run: docker build --build-arg NPM_TOKEN=${secrets[1]} .' });
      log({ type: 'raw', text: 'Step 1/2 : ' + label + '\\nplain-value\\n' });
      for (const text of ${JSON.stringify(secrets)}) log({ type: 'raw', text: text + '\\n' });
      log({ type: 'stop', text: 'Run: docker build .' });
      out(JSON.stringify({ outcome: 'error', message: 'Command failed: ' + label, description: 'd' }) + '\\n');
      process.exitCode = 1;
    `);
    const outcome = command === 'build' ? await build(never, { config }) : await up(never, { config }).done;
    const said = [outcome, progress].flatMap(stringsOf);
    expect(said.filter((text) => text.includes('canary'))).toEqual([]);
    expect(said.join('\n')).toContain('[redacted]');
    expect(said.join('\n')).toContain('plain-value');
  });
});

function stringsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsOf) : [];
}

describe('the last look before a process begins', () => {
  it.each(['build', 'up'] as const)('is taken when nothing is waited for any more: %s', async (command) => {
    const { cli, key, build, progress } = await scripted(`
      fs.appendFileSync(FOLDER + '/runs', 'x');
      while (!fs.existsSync(FOLDER + '/go-on')) await new Promise((r) => setTimeout(r, 5));
      out(process.argv[2] === 'up' ? ${JSON.stringify(SUCCESS)} : '{"outcome":"success","imageName":"a"}');
    `);
    const first = build();
    await vi.waitFor(() => readFile(join(folder, 'runs')), WITHIN);
    let looks = 0;
    const request = {
      key,
      onProgress: (step: CliProgress) => void progress.push(step),
      signal: never,
      beforeSpawn: async () => {
        looks++;
        throw new AgentContainersError('verdict-changed', 'It is another one.');
      },
    };
    const second = command === 'build' ? cli.build(request) : cli.up({ ...request, mode: 'make' }).done;
    second.catch(() => {});
    await vi.waitFor(
      () => expect(progress.map(({ text }) => text)).toContain('Waiting for another build to end'),
      WITHIN,
    );
    expect(looks).toBe(0);
    await writeFile(join(folder, 'go-on'), '');
    await first;
    await expect(second).rejects.toMatchObject({ code: 'verdict-changed' });
    expect(looks).toBe(1);
    expect(await readFile(join(folder, 'runs'), 'utf8')).toBe('x');
    // The locks were given back.
    expect((await build()).outcome).toBe('success');
  });
});

it('lets the next build begin when the container runs, whatever hooks follow', async () => {
  const { build, up } = await scripted(`
    if (process.argv[2] === 'build') { out('{"outcome":"success","imageName":"a"}'); process.exit(); }
    log({ type: 'start', text: 'Run in container: /bin/sh' });
    fs.writeFileSync(FOLDER + '/hook', '');
    while (!fs.existsSync(FOLDER + '/go-on')) await new Promise((r) => setTimeout(r, 5));
    out(${JSON.stringify(SUCCESS)});
  `);
  const run = up();
  await vi.waitFor(() => readFile(join(folder, 'hook')), WITHIN);
  expect((await build()).outcome).toBe('success');
  await writeFile(join(folder, 'go-on'), '');
  expect((await run.done).outcome).toBe('success');
});

it('tells once that the container runs, before its hooks', async () => {
  const { up } = await scripted(`
    log({ type: 'text', text: 'Run in container: no start' });
    fs.writeFileSync(FOLDER + '/made', '');
    while (!fs.existsSync(FOLDER + '/go-on')) await new Promise((r) => setTimeout(r, 5));
    log({ type: 'start', text: 'Run in container: /bin/sh' });
    log({ type: 'start', text: 'Run in container: whoami' });
    hook('postCreateCommand', 'running');
    out(${JSON.stringify(SUCCESS)});
  `);
  const told: string[] = [];
  const run = up(never, {
    onContainerRuns: () => told.push('runs'),
    onProgress: ({ phase }) => void (phase === 'postCreateCommand' && told.push(phase)),
  });
  await vi.waitFor(() => readFile(join(folder, 'made')), WITHIN);
  expect(told).toEqual([]);
  await writeFile(join(folder, 'go-on'), '');
  expect((await run.done).outcome).toBe('success');
  expect(told.slice(0, 2)).toEqual(['runs', 'postCreateCommand']);
  expect(told.filter((one) => one === 'runs')).toHaveLength(1);
});

describe('the process of a run', () => {
  it('is told once, so that another can end it', async () => {
    const { cli, up } = await scripted(`fs.writeFileSync(FOLDER + '/begun', ''); setInterval(() => {}, 1000)`);
    const processes: ProcessIdentity[] = [];
    const run = up(never, { onSpawn: (process) => processes.push(process) });
    await vi.waitFor(() => readFile(join(folder, 'begun')), WITHIN);
    expect(processes).toHaveLength(1);
    await cli.endProcess(processes[0]!, never);
    await expect(run.done).rejects.toMatchObject({
      code: 'cli-output-invalid',
      message: expect.stringContaining('SIGTERM'),
    });
  });

  it('is not disturbed by a listener that throws', async () => {
    const { up } = await scripted(`out(${JSON.stringify(SUCCESS)})`);
    const onSpawn = () => {
      throw new Error('broken listener');
    };
    expect((await up(never, { onSpawn }).done).outcome).toBe('success');
  });
});

describe('readConfiguration', () => {
  it('tells the CLI the configuration that was read here, without the command for the host', async () => {
    await writeFile(join(folder, 'devcontainer.json'), '{ "image": "x", "initializeCommand": "y" }');
    const { cli, key } = await scripted(`${TELL} out('{"configuration":{},"mergedConfiguration":{}}');`);
    await cli.readConfiguration({ key, signal: never });
    const { override, path, args } = await told();
    expect(override).toEqual({ image: 'x' });
    expect(args).toContain('--mount-workspace-git-root=false');
    await expect(readFile(path)).rejects.toThrow('ENOENT');
  });

  it('tells it the one that it is given, whatever is in the file', async () => {
    await writeFile(join(folder, 'devcontainer.json'), '{ "image": "other" ');
    const { cli, key } = await scripted(`${TELL} out('{"configuration":{},"mergedConfiguration":{}}');`);
    await cli.readConfiguration({ key, config: { image: 'x' }, signal: never });
    expect((await told()).override).toEqual({ image: 'x' });
  });

  it('gives the merged configuration, however much there is of it', async () => {
    const { cli, key } = await scripted(`
      out('noise\\n' + JSON.stringify({ configuration: {}, filler: 'x'.repeat(3_000_000), mergedConfiguration: { remoteUser: 'dev' } }) + '\\n');
    `);
    expect(await cli.readConfiguration({ key, signal: never })).toMatchObject({
      remoteUser: 'dev',
      workspaceFolder: '/',
    });
  });

  it.each([
    [
      'fails',
      `log({ type: 'text', text: 'Error: No such image.\\n    at async x (/y.js:1:2)' }); process.exitCode = 1`,
      'No such image',
    ],
    ['is not understood', `out('{"configuration":1}\\n')`, 'not understood'],
    [
      'is too large',
      `out('{"configuration":{},"mergedConfiguration":{},"x":"' + 'x'.repeat(9_000_000) + '"}\\n')`,
      'not understood',
    ],
  ])('rejects when the answer %s', async (_, body, reason) => {
    const { cli, key } = await scripted(body);
    const error: unknown = await cli.readConfiguration({ key, signal: never }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'cli-failed', message: expect.stringContaining(reason) });
    expect((error as Error).message).not.toContain('at async');
  });
});

it('finds the version among other output', async () => {
  const { cli } = await scripted(`out('notice\\n0.89.0\\n')`);
  expect(await cli.version(never)).toBe('0.89.0');
  const { cli: odd } = await scripted(`out('?')`);
  await expect(odd.version(never)).rejects.toMatchObject({ code: 'cli-output-invalid' });
});
