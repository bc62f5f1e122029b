import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parse } from 'jsonc-parser';
import { REPOSITORY } from './support/packed-package.ts';

// The first command of the README in a clone, with stand-ins for what takes minutes: npm, the docker client, the package
// that would have been built, and an engine that answers a ping.

const LINK = 'http://ac-00112233445566778899aabbccddeeff.localhost:7420/login?code=x';

let base: string;
let clone: string;
let engine: Server;

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'ac-demo-')));
  clone = join(base, 'clone');
  await mkdir(join(base, 'bin'));
  for (const name of ['scripts', 'examples', 'package.json', 'package-lock.json']) {
    await cp(join(REPOSITORY, name), join(clone, name), { recursive: true });
  }
  await standIn('npm', `if [ "$1" = ci ]; then mkdir -p node_modules; else mkdir -p dist/daemon; fi`);
  await standIn('docker', '');
  // Asked only where there is no static busybox.
  await standIn('apt-get', '');
  await mkdir(join(clone, 'dist/daemon'), { recursive: true });
  await writeFile(join(clone, 'dist/daemon/main.js'), PROGRAM);
  engine = createServer((req, res) => res.writeHead(req.url === '/_ping' ? 200 : 404).end());
  await new Promise<void>((resolve) => engine.listen(join(base, 'e.sock'), resolve));
});

afterEach(async () => {
  await demo('--down');
  await new Promise((resolve) => engine.close(resolve));
  await rm(base, { recursive: true, force: true });
});

/** Stays for a minute at most, should nobody end it. */
const PROGRAM = `
(await import("node:fs")).appendFileSync(process.env.CALLS, ['agentcontainers', ...process.argv.slice(2)].join(' ') + '\\n');
if (process.argv[2] === 'list' && process.argv[3] === '--json') {
  const named = (name, workspace_folder) => ({ name, workspace_folder });
  console.log(JSON.stringify({ devcontainers: [named('hello', '/other'), named('hello-2', process.env.EXAMPLE)] }));
}
if (process.argv[2] === 'serve') {
  console.log(JSON.stringify({ daemon: { pid: process.pid, link: '${LINK}' } }));
  setTimeout(() => {}, 60_000);
}
`;

async function standIn(name: string, script: string): Promise<void> {
  const file = join(base, 'bin', name);
  await writeFile(file, `#!/bin/sh\nprintf '%s\\n' "${name} $*" >>"$CALLS"\n${script}\n`);
  await chmod(file, 0o755);
}

interface Ended {
  readonly code: number;
  readonly printed: string;
  readonly said: string;
}

function demo(...args: string[]): Promise<Ended> {
  const env = {
    PATH: `${join(base, 'bin')}:${dirname(process.execPath)}:${process.env['PATH']}`,
    HOME: base,
    XDG_STATE_HOME: join(base, 'state-home'),
    DOCKER_HOST: `unix://${join(base, 'e.sock')}`,
    CALLS: join(base, 'calls'),
    EXAMPLE: join(clone, 'examples/hello'),
  };
  return new Promise((resolve) => {
    execFile(join(clone, 'scripts/demo'), args, { env, cwd: base, timeout: 90_000 }, (error, printed, said) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, printed, said });
    });
  });
}

it('demo --help says how to undo it, and makes nothing', async () => {
  const { code, printed } = await demo('--help');
  expect(code).toBe(0);
  expect(printed).toMatch(/^usage: \.\/scripts\/demo .*\n.*--down/);
  expect((await demo('--dwon')).code).toBe(2);
  expect((await readdir(base)).toSorted()).toEqual(['bin', 'clone', 'e.sock']);
});

it('demo goes from a clone to a list and a link, and --down undoes it', { timeout: 200_000 }, async () => {
  const { code, printed, said } = await demo();
  expect([code, said]).toEqual([0, expect.stringContaining('5/5')]);
  expect(printed).toContain(`In a browser (valid once): ${LINK}`);
  // By the name that it got.
  expect(printed).toContain('agentcontainers exec hello-2 -- id');

  const example = join(clone, 'examples/hello');
  const calls = (await readFile(join(base, 'calls'), 'utf8')).trim().split('\n');
  const steps = [
    'npm ci',
    'npm run --silent build',
    'agentcontainers serve',
    'agentcontainers up',
    'agentcontainers list',
  ];
  expect(calls.filter((call) => steps.some((step) => call.startsWith(step)))).toEqual([
    expect.stringMatching(/^npm ci /),
    'npm run --silent build',
    `agentcontainers serve ${example} --docker-host unix://${join(base, 'e.sock')} --json`,
    `agentcontainers up ${example}`,
    'agentcontainers list',
    'agentcontainers list --json',
  ]);
  // The image that is made is the one that the example asks for.
  const { image } = parse(await readFile(join(example, '.devcontainer/devcontainer.json'), 'utf8')) as {
    image: string;
  };
  expect(calls).toContainEqual(expect.stringMatching(new RegExp(`^docker (import|build) .*${image}( |$)`)));

  const { daemon } = JSON.parse(await readFile(join(stateDir(), 'demo.json'), 'utf8')) as { daemon: { pid: number } };
  expect((await demo('--down')).code).toBe(0);
  expect(await isGone(daemon.pid)).toBe(true);
  await expect(stat(stateDir())).rejects.toThrow('ENOENT');
});

it('what the demo and the README call is there', async () => {
  const { bin, scripts } = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
    scripts: Record<string, string>;
  };
  // The path that scripts/demo runs after the build.
  expect(bin['agentcontainers']).toBe('./dist/daemon/main.js');
  expect(scripts['build']).toContain('tsc');
  for (const name of await readdir(join(REPOSITORY, 'scripts'))) {
    const parsed = await new Promise<string>((resolve) => {
      execFile('bash', ['-n', join(REPOSITORY, 'scripts', name)], (_error, _out, err) => resolve(err));
    });
    expect([name, parsed]).toEqual([name, '']);
  }
});

function stateDir(): string {
  return join(base, 'state-home/agentcontainers/demo');
}

/** One that has ended, and that nobody has taken note of yet, is gone as well. */
async function isGone(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tX');
  return /^State:\s*[ZX]/m.test(status);
}
