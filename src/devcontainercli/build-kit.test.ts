import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { systemClock } from '../clock/system-clock.ts';
import { cancelled } from '../errors.ts';
import { createBuildKitProbe } from './build-kit.ts';

const never = new AbortController().signal;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'build-kit-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A stand-in for the engine's client with these answers. */
async function client(buildx: string, compose: string): Promise<string> {
  const path = join(folder, 'docker');
  const script = `#!/bin/sh
echo "$@" >> ${folder}/calls
case $1 in buildx) ${buildx};; compose) ${compose};; esac
`;
  await writeFile(path, script);
  await chmod(path, 0o755);
  return path;
}

const calls = async () => (await readFile(join(folder, 'calls'), 'utf8')).trim().split('\n');

it.each([
  ['echo github.com/docker/buildx v0.19.3 x', 'echo 2.32.4', true, true],
  ['echo github.com/docker/buildx 0.8.0', 'echo 2.17.0', true, true],
  ['echo github.com/docker/buildx v0.7.1', 'echo 2.32.4', false, false],
  ['echo github.com/docker/buildx v0.19.3', 'echo v2.16.9', true, false],
  ['echo github.com/docker/buildx v1.0.0', 'exit 1', true, false],
  ['echo unknown command; exit 1', 'echo 2.32.4', false, false],
  ['echo buildx', 'echo 2.32.4', false, false],
])('decides as the CLI does: %s, %s', async (buildx, compose, alone, withCompose) => {
  const probe = createBuildKitProbe({ dockerPath: await client(buildx, compose) }, systemClock);
  expect(await probe.isUsed(false, {}, never)).toBe(alone);
  expect(await probe.isUsed(true, {}, never)).toBe(withCompose);
});

it('asks no more when it once was there, and again while it is not', async () => {
  const probe = createBuildKitProbe({ dockerPath: await client('exit 1', 'exit 1') }, systemClock);
  await probe.isUsed(false, {}, never);
  await client('echo 0.19.3', 'exit 1');
  for (let n = 0; n < 3; n++) expect(await probe.isUsed(false, {}, never)).toBe(true);
  expect(await calls()).toEqual(['buildx version', 'buildx version']);
});

it('takes a client that is not there for one without it', async () => {
  const probe = createBuildKitProbe({ dockerPath: join(folder, 'nowhere') }, systemClock);
  expect(await probe.isUsed(false, {}, never)).toBe(false);
});

it('is cancelled', async () => {
  const probe = createBuildKitProbe({ dockerPath: await client('sleep 100', '') }, systemClock);
  const abort = new AbortController();
  const asked = probe.isUsed(false, { PATH: '/usr/bin:/bin' }, abort.signal);
  abort.abort(cancelled('closing'));
  await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
});
