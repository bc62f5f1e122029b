import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { CliProgress } from '../agentcontainers/ports.ts';
import { systemClock } from '../clock/system-clock.ts';
import { AgentContainersError, cancelled } from '../errors.ts';
import { silentLogger } from '../logger.ts';
import { createDevcontainerCli, type DevcontainerCliOptions } from './devcontainer-cli.ts';

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
  const up = (signal: AbortSignal = never) =>
    cli.up({ key, removeExisting: false, onProgress: (step) => progress.push(step), signal });
  return { cli, key, up, progress };
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
    await vi.waitFor(() => readFile(join(folder, 'begun')));
    during.abort();
    await expect(run.done).rejects.toMatchObject({ code: 'cancelled' });
    expect(await run.ready).toBe(false);
  });

  it('goes on when a progress listener throws', async () => {
    const { cli, key } = await scripted(`log({ type: 'text', text: 'x' }); out(${JSON.stringify(SUCCESS)})`);
    const onProgress = () => {
      throw new Error('broken listener');
    };
    const run = cli.up({ key, removeExisting: false, onProgress, signal: never });
    expect((await run.done).outcome).toBe('success');
  });
});

describe('readConfiguration', () => {
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
