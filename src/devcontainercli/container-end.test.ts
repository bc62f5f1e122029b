import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { systemClock } from '../clock/system-clock.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { containerEnd } from './container-end.ts';

const id = 'c'.repeat(64);
const never = new AbortController().signal;
const env = { PATH: '/usr/bin:/bin' };
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'container-end-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A stand-in for the engine's client that answers so. */
async function client(inspect: string, logs: string) {
  const dockerPath = join(folder, 'docker');
  const script = `#!/bin/sh
echo "$@" >> ${folder}/calls
case $1 in inspect) ${inspect};; logs) ${logs};; esac
`;
  await writeFile(dockerPath, script);
  await chmod(dockerPath, 0o755);
  return { executables: { dockerPath }, clock: systemClock };
}

it('tells how a container ended and what it wrote last on either stream', async () => {
  const parts = await client('echo exited 7 false', 'echo one; echo two >&2');
  const end = await containerEnd(parts, id, env, never);
  expect(end).toMatchObject({ exitCode: 7, outOfMemory: false });
  expect(end?.output.split('\n').toSorted()).toEqual(['one', 'two']);
  expect(await readFile(join(folder, 'calls'), 'utf8')).toBe(
    `inspect --type container --format {{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} ${id}\nlogs --tail 40 ${id}\n`,
  );
});

it('tells of a container that had no memory left, where the engine keeps no output', async () => {
  const parts = await client('echo stopped 137 true', 'echo no such driver >&2; exit 1');
  expect(await containerEnd(parts, id, env, never)).toEqual({ exitCode: 137, outOfMemory: true, output: '' });
});

it.each([
  ['that runs', 'echo running 0 false'],
  ['that never ran', 'echo created 128 false'],
  ['that is gone', 'echo exited 7 false; exit 1'],
  ['of which something else is said', 'yes exited'],
])('has nothing to tell of a container %s', async (_, inspect) => {
  const parts = await client(inspect === 'yes exited' ? 'yes exited | head -n 100000' : inspect, '');
  expect(await containerEnd(parts, id, env, never)).toBeUndefined();
});

it('waits for an end of which the engine does not know yet', async () => {
  const state = `if [ $(wc -l < ${folder}/calls) -gt 2 ]; then echo exited 7 false; else echo running 0 false; fi`;
  expect(await containerEnd(await client(state, ''), id, env, never)).toMatchObject({ exitCode: 7 });
});

it('has nothing to tell without a client', async () => {
  const parts = { executables: { dockerPath: join(folder, 'nowhere') }, clock: systemClock };
  expect(await containerEnd(parts, id, env, never)).toBeUndefined();
});

it('goes on without a client that does not answer within five seconds', async () => {
  const clock = createFakeClock();
  const parts = { ...(await client('exec sleep 100', '')), clock };
  const asked = containerEnd(parts, id, env, never);
  await vi.waitFor(() => readFile(join(folder, 'calls')), { timeout: 30_000 });
  await clock.advance(5_000);
  expect(await asked).toBeUndefined();
});
