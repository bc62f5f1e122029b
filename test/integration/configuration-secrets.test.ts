import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { WireReceipt } from '../../src/http/wire-schemas.ts';
import { API, buildDaemon, isInjected, startDaemon, type DaemonBuild, type DaemonProcess } from './support/daemon.ts';
import { featureFiles, writeWorkspace } from './support/devcontainer-cli.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';

// People write tokens into their configurations. Whoever has the configuration has them; nobody else need get them by us.

const secret = (name: string): string => `canary-${name}-${randomBytes(16).toString('hex')}`;
/** Not to be found as it is in JSON, nor in a label of a Dockerfile. */
const CONTAINER = `${secret('container')}"$\\x`;
const REMOTE = secret('remote');
const ARGUMENT = secret('argument');
const OPTION = secret('option');
/** What every form of them has in common. */
const SECRETS = { CONTAINER: CONTAINER.slice(0, -4), REMOTE, ARGUMENT, OPTION };

const engine = testEngine();
/** In the step that fails. */
const WHY = `failed-${engine.prefix}`;
let build: DaemonBuild;
let daemon: DaemonProcess | undefined;
beforeAll(async () => {
  build = await buildDaemon();
});
afterAll(async () => {
  await daemon?.end('SIGTERM');
  // The builder leaves the container of the failed step behind.
  const all = (await engine.docker('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Command}}')).split('\n');
  const left = all.filter((line) => line.includes(WHY)).map((line) => line.split(' ')[0] ?? '');
  if (left.length > 0) await engine.docker('rm', '-f', ...left);
  await engine.cleanup();
  await build?.remove();
});

const dockerfile = (last: string): string =>
  `FROM ${BASE_IMAGE}\nARG NPM_TOKEN\nRUN echo "given $NPM_TOKEN"\n${last}\n`;

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** The first frame of the event stream, over TCP as a page of a browser gets it. */
async function firstEvent(from: DaemonProcess, token: string): Promise<string> {
  const abort = new AbortController();
  const headers = { authorization: `Bearer ${token}` };
  const { body } = await fetch(`${from.url}${API}/events`, { headers, signal: abort.signal });
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.includes('\n\n')) break;
  }
  abort.abort();
  return text;
}

it('secrets that are written in a configuration come out in no answer, no log and no image', async () => {
  const stateDir = await engine.makeFolder('state');
  const logFile = join(dirname(stateDir), 'daemon.log');
  const folder = await engine.makeFolder();
  await mkdir(join(folder, '.git'));
  const config = {
    build: { dockerfile: 'Dockerfile', args: { NPM_TOKEN: ARGUMENT } },
    init: true,
    containerEnv: { GITHUB_TOKEN: CONTAINER, PLAIN: 'plain-value' },
    remoteEnv: { API_KEY: REMOTE },
    features: { './my-feature': { password: OPTION } },
    postCreateCommand: 'env',
  };
  await writeWorkspace(folder, config, {
    ...featureFiles('env', 'my-feature', { options: { password: { type: 'string', default: '' } } }),
    '.devcontainer/Dockerfile': dockerfile(`RUN : ${engine.prefix}`),
  });
  daemon = await startDaemon({
    main: build.main,
    dockerHost: engine.dockerHost,
    stateDir,
    args: [
      '--listen',
      '127.0.0.1:0',
      '--debug-address',
      '127.0.0.1:0',
      '--log-level',
      'debug',
      '--log-file',
      logFile,
      folder,
    ],
  });
  const { devcontainer_id: id, operation_id: operationId } = await daemon.create(folder);
  expect(await daemon.ended(operationId)).toMatchObject({ status: 'succeeded' });
  const up = await daemon.until(id, 'running with its sub-agent', isInjected);
  const one = `${API}/devcontainers/${id}`;
  const rerun = await daemon.ask(`${one}/hooks/postCreateCommand`, { method: 'POST' });
  expect(await daemon.ended((rerun.json as WireReceipt).operation_id)).toMatchObject({ status: 'succeeded' });
  // A step that fails shows what it was given.
  await writeFile(join(folder, '.devcontainer/Dockerfile'), dockerfile(`RUN echo "${WHY} $NPM_TOKEN"; exit 3`));
  const again = await daemon.ask(`${one}/recreate`, { method: 'POST' });
  expect(await daemon.ended((again.json as WireReceipt).operation_id)).toMatchObject({ status: 'failed' });

  const token = (await readFile(join(stateDir, 'token'), 'utf8')).trim();
  const debugPage = await fetch(daemon.debugUrl, { headers: { authorization: `Bearer ${token}` } });
  const log = (await daemon.ask(`${one}/logs`)).text;
  const inspected = await engine.docker('inspect', up.container?.id ?? '');
  const [{ Image: image }] = JSON.parse(inspected) as [{ Image: string }];
  const pages = {
    list: API,
    devcontainers: `${API}/devcontainers`,
    one,
    diff: `${one}/diff`,
    operation: `${API}/operations/${operationId}`,
  };
  const answers = await Promise.all(
    Object.entries(pages).map(async ([name, path]) => [name, (await daemon?.ask(path))?.text ?? ''] as const),
  );
  const places: Record<string, string> = {
    ...Object.fromEntries(answers),
    log,
    'event stream': await firstEvent(daemon, token),
    'debug page': await debugPage.text(),
  };
  await daemon.end('SIGTERM');
  const files = await filesBelow(stateDir);
  // They were in use, and the places hold what they must.
  expect(inspected).toContain(SECRETS.CONTAINER);
  expect(inspected).toContain('devcontainer.metadata');
  expect(log).toContain('[redacted]');
  expect(log).toContain('plain-value');
  expect(log).toContain(`${WHY} [redacted]`);
  for (const place of ['list', 'devcontainers', 'one', 'event stream', 'debug page']) {
    expect(places[place]).toContain('devcontainer.local_folder');
  }
  // The files that a container was made from are kept as they are, for their owner alone.
  const kept = files.filter((path) => path.startsWith(join(stateDir, 'contents')));
  expect((await Promise.all(kept.map(async (path) => readFile(path, 'utf8')))).join('\n')).toContain(REMOTE);
  for (const path of [logFile, ...files.filter((one) => !kept.includes(one))])
    places[path] = await readFile(path, 'utf8');
  places['what the daemon printed'] = daemon.output();

  for (const [place, text] of Object.entries(places)) {
    for (const [name, value] of Object.entries(SECRETS))
      expect(text.includes(value), `${name} in ${place}`).toBe(false);
  }
  const images = await engine.docker('image', 'inspect', image);
  expect(images).toContain('devcontainer.metadata');
  expect(images).not.toContain(REMOTE);
});
