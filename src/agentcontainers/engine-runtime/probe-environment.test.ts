import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../clock/system-clock.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import { createFakeEngine } from '../../testing/fake-engine.ts';
import type { FakeEngine } from '../../testing/fake-engine.ts';
import type { ScriptedExec } from '../../testing/fake-exec.ts';
import type { UserEnvProbe } from '../ports.ts';
import { probeEnvironment } from './probe-environment.ts';

const isProbe = (argv: readonly string[]): boolean => argv.at(-2)?.startsWith('environment-') === true;

let engine: FakeEngine;
let container: string;
let kills: string[];

beforeEach(() => {
  engine = createFakeEngine({ clock: createFakeClock() });
  container = engine.addContainer().id;
  kills = [];
  engine.onExec(
    ({ argv }) => argv[0] === '/bin/sh' && !isProbe(argv),
    ({ spec }) => {
      kills.push(spec.argv.at(-1) ?? '');
      for (const exec of engine.openExecs) if (isProbe(exec.spec.argv)) exec.end(137);
      return 0;
    },
  );
});

function probe(
  mode: UserEnvProbe = 'loginInteractiveShell',
  more: { readonly user?: string; readonly path?: string; readonly signal?: AbortSignal } = {},
  clock = systemClock,
): Promise<Record<string, string>> {
  const { user, path, signal = new AbortController().signal } = more;
  const containerEnv = path === undefined ? [] : [`PATH=${path}`];
  return probeEnvironment(engine, clock, { containerId: container, user, mode, containerEnv }, signal);
}
/** Answers as a shell that shows this. */
function shows(text: string): void {
  engine.onExec(
    ({ argv }) => isProbe(argv),
    ({ spec, stdout }) => {
      const mark = spec.argv.at(-2) ?? '';
      stdout(text.replaceAll('MARK', mark));
      return 0;
    },
  );
}

describe.skipIf(process.platform !== 'linux')('the profiles of a user', () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'agentcontainers-probe-'));
    writeFileSync(join(home, '.profile'), 'export FROM_LOGIN=yes name=mine\necho "a profile speaks"\n');
    writeFileSync(join(home, '.bashrc'), 'export FROM_INTERACTIVE="two\nlines" \nread -r -t 60 never\n');
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  /** The shells of this machine in place of the container's. */
  function playsShell(shell: string): void {
    engine.onExec(
      ({ argv }) => isProbe(argv),
      async ({ spec, stdout }: ScriptedExec) => {
        const [file = '', ...args] = spec.argv;
        const env = { HOME: home, PATH: process.env['PATH'], SHELL: shell, login: 'of the image', SECRET: 's3cr3t' };
        const child = spawn(file, args, { cwd: home, env, stdio: ['ignore', 'pipe', 'ignore'] });
        child.stdout.on('data', (chunk: Buffer) => stdout(chunk));
        const [code] = (await once(child, 'close')) as [number];
        return code;
      },
    );
  }

  it.each([
    ['/bin/bash', 'loginInteractiveShell', { FROM_LOGIN: 'yes' }],
    ['/bin/bash', 'loginShell', { FROM_LOGIN: 'yes', FROM_INTERACTIVE: undefined }],
    ['/bin/bash', 'interactiveShell', { FROM_LOGIN: undefined, FROM_INTERACTIVE: 'two\nlines' }],
    ['/bin/sh', 'loginShell', { FROM_LOGIN: 'yes' }],
    ['/usr/sbin/nologin', 'loginShell', { FROM_LOGIN: 'yes' }],
    ['/no/such/shell', 'loginShell', { FROM_LOGIN: 'yes' }],
  ] as const)('%s as %s', async (shell, mode, expected) => {
    if (shell === '/bin/bash' && !existsSync(shell)) return;
    playsShell(shell);
    const { FROM_LOGIN, FROM_INTERACTIVE, ...environment } = await probe(mode);
    expect({ FROM_LOGIN, FROM_INTERACTIVE }).toMatchObject(expected);
    // What our own shell does with its variables is seen nowhere.
    expect(environment).toMatchObject({ HOME: home, SECRET: 's3cr3t', login: 'of the image' });
    expect(Object.keys(environment)).not.toContain('PWD');
    expect(Object.keys(environment)).not.toContain('SHLVL');
    expect(JSON.stringify(environment)).not.toContain('AGENTCONTAINERS');
    expect(kills).toEqual([]);
  });
});

describe('what a shell shows', () => {
  it('is taken without what was printed around it, and without what cannot be told', async () => {
    shows(
      'a greeting MARK\nA=1\0B=x=y\0BAD=\uFFFD\0__proto__=p\0nothing\0=no name\0PWD=/x\0OLDPWD=/\0SHLVL=2\0_=x\0MARK\nbye',
    );
    expect(Object.entries(await probe())).toEqual([
      ['A', '1'],
      ['B', 'x=y'],
      ['__proto__', 'p'],
    ]);
  });

  it.each([
    ['/usr/bin:/bin', '/usr/bin:/bin', undefined, '/usr/bin:/bin'],
    ['/home/me/bin:/usr/bin', '/opt/go/bin:/usr/bin:/usr/sbin', 'me', '/opt/go/bin:/home/me/bin:/usr/bin'],
    ['/home/me/bin:/usr/bin', '/opt/go/bin:/usr/bin:/usr/sbin', 'root', '/opt/go/bin:/home/me/bin:/usr/bin:/usr/sbin'],
    ['/home/me/bin:/usr/bin', '/usr/bin:/usr/sbin', '0:0', '/home/me/bin:/usr/bin:/usr/sbin'],
    ['/a:/b', undefined, 'me', '/a:/b'],
  ])('%s and %s of the container, as %s: %s', async (shell, path, user, expected) => {
    shows(`MARK\nPATH=${shell}\0MARK\n`);
    const more = { ...(path !== undefined && { path }), ...(user !== undefined && { user }) };
    expect(await probe('loginShell', more)).toEqual({ PATH: expected });
  });

  it.each([
    ['nothing', 'what?', 'the shell did not show it'],
    ['half of it', 'MARK\nA=1', 'the shell did not show it'],
    ['too much', `MARK\nA=${'x'.repeat(300_000)}\0MARK\n`, 'it is larger than 256 KiB'],
    ['far too much', `MARK\nA=${'x'.repeat(400_000)}\0MARK\n`, 'the shell did not show it'],
  ])('%s is an error, and what is left of it is killed', async (_, text, reason) => {
    shows(text);
    await expect(probe()).rejects.toThrow(`Probing the environment of the user failed: ${reason}`);
    expect(kills).toEqual(['KILL']);
  });

  it('is no error of having no terminal, and one that shows nothing of what a profile prints', async () => {
    engine.onExec(({ argv }) => isProbe(argv), {
      exitCode: 3,
      stdout: 'what a profile prints',
      stderr: `sh: can't access tty; job control turned off\nbash: cannot set terminal process group (-1)\n+ export TOKEN=s3cr3t\n`,
    });
    await expect(probe()).rejects.toThrow('Probing the environment of the user failed: exit code 3.');
  });

  it('is none where there is no shell, and is not asked for when it is not wanted', async () => {
    let asked = 0;
    engine.onExec(
      ({ argv }) => isProbe(argv),
      () => {
        asked++;
        return 127;
      },
    );
    expect(await probe()).toEqual({});
    expect(await probe('none')).toEqual({});
    expect(asked).toBe(1);
    expect(kills).toEqual([]);
  });

  it('takes no longer than ten seconds, and then nothing of it runs', async () => {
    const clock = createFakeClock();
    engine.onExec(
      ({ argv }) => isProbe(argv),
      () => new Promise<number>(() => {}),
    );
    const probing = probe('loginShell', {}, clock);
    probing.catch(() => {});
    await clock.run(9_999);
    expect(engine.openExecs).toHaveLength(1);
    await clock.run(1);
    await expect(probing).rejects.toThrow('Probing the environment of the user failed: it takes longer than 10 s.');
    expect(kills).toEqual(['KILL']);
    expect(clock.pending()).toEqual([]);
  });

  it('is given up when nobody waits for it', async () => {
    engine.onExec(
      ({ argv }) => isProbe(argv),
      () => new Promise<number>(() => {}),
    );
    const leaving = new AbortController();
    const probing = probe('loginShell', { signal: leaving.signal });
    probing.catch(() => {});
    await expect.poll(() => engine.openExecs.length).toBe(1);
    leaving.abort(new Error('left'));
    await expect(probing).rejects.toThrow('left');
    expect(kills).toEqual(['KILL']);
    expect(engine.openExecs).toEqual([]);
  });

  it('does not begin, and ends nothing, when nobody waits for it any more', async () => {
    shows('MARK\nA=1\0MARK\n');
    await expect(probe('loginShell', { signal: AbortSignal.abort(new Error('left')) })).rejects.toThrow('left');
    expect(kills).toEqual([]);
  });
});
