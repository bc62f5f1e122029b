/** Executables that are no residents, and say that they are: we stay up, the others notice nothing, and the reason is readable. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SubAgentBinary } from '../../src/agentcontainers/ports.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { createDockerEngine } from '../../src/engine/docker-engine.ts';
import { silentLogger } from '../../src/logger.ts';
import { processesIn } from './support/container-processes.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import { eventually } from './support/eventually.ts';
import { startLibrary } from './support/library.ts';
import type { Library } from './support/library.ts';
import { collect, isResidentBuilt, launchResident, residentBinary, runDevcontainer, sh } from './resident-support.ts';
import type { LaunchedResident } from './resident-support.ts';
import { http2Frame } from '../support/resident/http2-frame.ts';

const world = testEngine();
const engine = createDockerEngine({ dockerHost: world.dockerHost, clock: systemClock, logger: silentLogger });
const MIB = 1_048_576;
const SETTINGS = http2Frame(4, 0, 0, Buffer.alloc(0));
const OK_HEADERS = http2Frame(1, 4, 1, Buffer.from([0x88]));
const header = Buffer.concat([Buffer.from([0x00, 3]), Buffer.from('x-a'), Buffer.from([100]), Buffer.alloc(100, 120)]);
const many = (frame: Buffer): Buffer => Buffer.concat(Array.from({ length: 4_000 }, () => frame));
/** A frame of ours that says that it has 4 GiB, in content of HTTP/2. */
const GIANT = http2Frame(0, 0, 1, Buffer.concat([Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), Buffer.alloc(100, '[')]));
/** One of 4 MiB that is JSON, as far as it comes. */
const DEEP = Buffer.concat([
  http2Frame(0, 0, 1, Buffer.from([0, 0, 0x3f, 0xff, 0xff])),
  ...Array.from({ length: 300 }, () => http2Frame(0, 0, 1, Buffer.alloc(16_384, '['))),
]);

/** Of this one nothing comes; it takes half a minute to give it up, in which the others are tried. */
const SILENT = 'nothing after its greeting';

/** What each says: once, and then again and again. */
const SAYS: Record<string, { readonly once: readonly Buffer[]; readonly again?: Buffer; readonly why: RegExp }> = {
  'frames of no kind': {
    once: [SETTINGS, OK_HEADERS, http2Frame(0, 0, 1, Buffer.alloc(9, 9))],
    why: /broke the protocol: there is no kind of frame 9/,
  },
  'headers without end': {
    once: [SETTINGS, http2Frame(1, 0, 1, Buffer.from([0x88]))],
    again: many(http2Frame(9, 0, 1, header)),
    why: /broke the protocol/,
  },
  'a giant frame': { once: [SETTINGS, OK_HEADERS, GIANT], why: /broke the protocol: a frame of 4294967295 bytes/ },
  'giant JSON': { once: [SETTINGS, OK_HEADERS, DEEP], why: /broke the protocol/ },
  'content without end': {
    once: [SETTINGS, OK_HEADERS],
    again: Buffer.concat(Array.from({ length: 64 }, () => http2Frame(0, 0, 1, Buffer.alloc(16_384)))),
    why: /broke the protocol/,
  },
  'settings without end': { once: [SETTINGS], again: many(SETTINGS), why: /broke the protocol/ },
  'pings without end': {
    once: [SETTINGS],
    again: many(http2Frame(6, 0, 0, Buffer.alloc(8))),
    why: /broke the protocol/,
  },
  'resets without end': {
    once: [SETTINGS],
    again: many(http2Frame(3, 0, 1, Buffer.from('00000008', 'hex'))),
    why: /broke the protocol: it sends frames without end/,
  },
  'windows without end': {
    once: [SETTINGS],
    again: many(http2Frame(8, 0, 0, Buffer.from('00000001', 'hex'))),
    why: /broke the protocol/,
  },
  [SILENT]: { once: [], why: /break off again and again/ },
};

/** Programs for a shell: `$d` is the digest that the file's name carries. */
const HELLO = `printf '{"ok":true,"protocol":1,"version":"1","digest":"%s","instance":"abcd1234","pid":1,"adopted":false,"others":[]}\\n' "$d"`;
const GREETS: Record<string, { readonly script: string; readonly why: RegExp }> = {
  'random bytes': { script: 'cat /dev/urandom', why: /longer than 65536 bytes|is no JSON/ },
  'a greeting without end': { script: `yes '{' | tr -d '\\n'`, why: /longer than 65536 bytes/ },
  'other JSON': { script: `echo '{"ok":"yes"}'; sleep 600`, why: /none that a resident gives/ },
  'the digest of another': { script: `d=000000000000; ${HELLO}; sleep 600`, why: /is of another binary/ },
  'another protocol': { script: `${HELLO} | sed 's/"protocol":1/"protocol":9/'; sleep 600`, why: /version 9/ },
  'a greeting that drips': { script: `while :; do printf '{'; sleep 0.2; done`, why: /in time|within/ },
  nothing: { script: 'sleep 600', why: /in time|within/ },
};

describe.skipIf(!isResidentBuilt)('a program that is no resident', () => {
  let folder: string;
  let good: LaunchedResident;
  let watching: Promise<void>;
  let isOver = false;
  let slowest = 0;
  let commands = 0;
  let highest = 0;
  let before = 0;
  let library: Library | undefined;
  let silent: ReturnType<typeof begin>;

  async function hostile(name: string, script: string): Promise<SubAgentBinary> {
    const path = join(folder, `${name.replaceAll(' ', '-')}.sh`);
    const lines = [
      '#!/bin/sh',
      '[ "$1" = connect ] || { echo hostile 1; exit; }',
      'd=${0##*-}',
      'read -r greeting',
      script,
    ];
    await writeFile(path, `${lines.join('\n')}\n`);
    await chmod(path, 0o755);
    return { ...(await residentBinary(path)), name: 'hostile' };
  }
  const container = (): Promise<string> =>
    world.docker(
      ...['run', '-d', '--label', world.label, '--stop-timeout', '0', '--cpus', '0.5'],
      ...['-v', `${join(folder, 'says')}:/says:ro`, BASE_IMAGE, 'sleep', '900'],
    );

  beforeAll(async () => {
    folder = await world.makeFolder('hostile');
    await mkdir(join(folder, 'says'));
    for (const [name, { once, again }] of Object.entries(SAYS)) {
      await writeFile(join(folder, 'says', `${name}.once`), Buffer.concat(once));
      await writeFile(join(folder, 'says', `${name}.again`), again ?? Buffer.alloc(0));
    }
    const id = await world.docker(
      'run',
      '-d',
      '--label',
      world.label,
      '--stop-timeout',
      '0',
      BASE_IMAGE,
      'sleep',
      '900',
    );
    good = await launchResident(engine, id);
    before = process.memoryUsage().rss;
    watching = (async () => {
      while (!isOver) {
        const began = performance.now();
        if ((await sh(good.runtime, 'echo quick')).text !== 'quick\n') throw new Error('a good resident was disturbed');
        slowest = Math.max(slowest, performance.now() - began);
        highest = Math.max(highest, process.memoryUsage().rss);
        commands++;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    watching.catch(() => {});
    silent = begin(SILENT);
    silent.catch(() => {});
  });
  afterAll(async () => {
    isOver = true;
    await library?.api.close();
    await good?.stop(200);
    await world.cleanup();
    await engine.close();
  });

  it.each(Object.entries(GREETS))('that greets with %s is not let in', async (name, { script, why }) => {
    const binary = await hostile(name, script);
    await expect(launchResident(engine, await container(), { binary, readyTimeoutMs: 5_000 })).rejects.toMatchObject({
      code: 'sub-agent-start-failed',
      message: expect.stringMatching(why),
    });
  });

  async function begin(name: string): Promise<{ readonly id: string; readonly launched: LaunchedResident }> {
    // Its first frames are about a stream that we have to open before.
    const once = `${HELLO}; sleep 1; cat '/says/${name}.once'`;
    const again = `while [ -s '/says/${name}.again' ]; do cat '/says/${name}.again' || exit; done`;
    const binary = await hostile(name, `${once}; ${again}; sleep 600`);
    const id = await container();
    return { id, launched: await launchResident(engine, id, { binary }) };
  }

  it.each(Object.entries(SAYS))('that sends %s is ended', async (name, { why }) => {
    const { id, launched } = await (name === SILENT ? silent : begin(name));
    expect(await launched.exited).toMatchObject({ reason: 'connection-lost', message: expect.stringMatching(why) });
    await expect(launched.runtime.exec({ argv: ['true'] })).rejects.toMatchObject({ code: 'runtime-unavailable' });
    // One that can still be a resident is left alone.
    if (name === SILENT) return;
    await eventually('its end in the container', async () =>
      (await processesIn(world, id)).every(({ args }) => !args.includes('hostile')),
    );
  });

  it('leaves a library at work: the engine stands in, and others are served', async () => {
    const bad = await hostile('for all', `${HELLO}; sleep 1; cat '/says/giant JSON.once'; sleep 600`);
    const best = await residentBinary();
    let which = 0;
    library = await startLibrary(world, {
      // The first is the good one.
      subAgentProvider: { resolve: async () => (which++ === 0 ? best : bad) },
      injectTimeoutMs: 60_000,
    });
    const served = await runDevcontainer(world);
    const { devcontainer: one } = await library.injected(served.folder);
    const other = await runDevcontainer(world, { options: ['-v', `${join(folder, 'says')}:/says:ro`] });
    const seen = await library.until(other.folder, 'its end', ({ agent }) => agent?.status === 'exited');
    expect(seen).toMatchObject({ status: 'running', agent: { reason: expect.stringMatching(/broke the protocol/) } });
    const command = await library.api.devcontainer(one.id).exec({ command: 'echo still here' });
    expect((await collect(command.output)).stdout.toString()).toBe('still here\n');
    expect(await command.exited).toMatchObject({ code: 0, via: 'resident' });
  });

  it('has disturbed nobody in all that time, and has cost no memory', async () => {
    isOver = true;
    await watching;
    const grown = Math.round((highest - before) / MIB);
    console.info(`${commands} commands beside it, ${Math.round(slowest)} ms at most; we grew by ${grown} MiB`);
    expect(commands).toBeGreaterThan(20);
    expect(slowest).toBeLessThan(20_000);
    expect(grown).toBeLessThan(300);
    expect(await sh(good.runtime, 'echo quick')).toMatchObject({ text: 'quick\n', code: 0 });
  });
});
