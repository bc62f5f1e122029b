/** Kinds of containers: in each the resident runs and serves, or its refusal is readable and the engine stands in for it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Devcontainer, DevcontainerRuntime } from '../../src/index.ts';
import { residentSubAgentProvider } from '../../src/subagent/provider.ts';
import { engineFeatures } from './support/engine-features.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import { startLibrary } from './support/library.ts';
import type { Library } from './support/library.ts';
import { makeImage } from './support/make-image.ts';
import type { ImageFiles } from './support/make-image.ts';
import { RESIDENT_DIRECTORY, collect, isResidentBuilt, runDevcontainer } from './resident-support.ts';

const world = testEngine();
const run = promisify(execFile);
let library: Library;

interface Row {
  readonly name: string;
  readonly image: () => Promise<string>;
  /** Of `docker run`. */
  readonly options?: () => readonly string[];
  /** What the container does; default a shell's `sleep`. */
  readonly sleeps?: readonly string[];
  readonly remoteUser?: string;
  /** A program that ends well. */
  readonly succeeds?: readonly string[];
  /** Uid of commands. */
  readonly uid?: number;
  readonly hasNoShell?: boolean;
}

const imageOf = (name: string, files: ImageFiles, architecture = 'amd64'): Promise<string> =>
  makeImage(world, name, files, { architecture });

const PASSWD = Buffer.from('root:x:0:0:root:/root:/bin/sh\ndev:x:1000:1000:dev:/home/dev:/bin/sh\n');

/** The static busybox of the base image. */
let busybox = '';
const withBusybox = (...applets: string[]): ImageFiles => ({
  ...Object.fromEntries(['busybox', ...applets].map((name) => [`bin/${name}`, busybox])),
  'etc/passwd': PASSWD,
});

/** Programs of this machine with all that they load; nothing where they are not of glibc. */
async function glibcFiles(): Promise<ImageFiles | undefined> {
  const programs = { 'bin/sh': '/bin/sh', 'bin/sleep': '/bin/sleep', 'bin/true': '/bin/true', 'bin/id': '/usr/bin/id' };
  const files: Record<string, string | Buffer> = { ...programs, 'etc/passwd': PASSWD };
  for (const program of Object.values(programs)) {
    const { stdout } = await run('ldd', [program]).catch(() => ({ stdout: '' }));
    for (const [path = ''] of stdout.matchAll(/\/\S+\.so[.\d]*/g)) files[path.slice(1)] = path;
  }
  return Object.keys(files).some((path) => /(^|\/)ld-linux/.test(path)) ? files : undefined;
}

const base = (): Promise<string> => Promise.resolve(BASE_IMAGE);

const SERVED: readonly Row[] = [
  { name: 'busybox', image: base, uid: 0 },
  {
    name: 'nothing but the loader of musl',
    image: () => imageOf('musl', { ...withBusybox('sh', 'sleep', 'true', 'id'), 'lib/ld-musl-x86_64.so.1': busybox }),
    uid: 0,
  },
  {
    name: 'nothing but one static program',
    image: () => imageOf('bare', { busybox }),
    sleeps: ['/busybox', 'sleep', '900'],
    succeeds: ['/busybox', 'true'],
    hasNoShell: true,
  },
  {
    name: 'a read-only root and a volume',
    image: base,
    options: () => ['--read-only', '-v', '/some/volume'],
    uid: 0,
  },
  {
    name: 'a read-only root and a volume, for a user that is not root',
    image: base,
    options: () => ['--read-only', '-v', '/some/volume', '--cap-drop=ALL'],
    remoteUser: 'dev',
    uid: 1000,
  },
  { name: 'a remote user that is not root', image: base, remoteUser: 'dev', uid: 1000 },
  { name: 'a user without a passwd entry', image: base, remoteUser: '4711', uid: 4711 },
  { name: 'a user and group without entries', image: base, options: () => ['--user', '4711:4712'], uid: 4711 },
  {
    name: 'a small limit of processes and no network',
    image: base,
    options: () => ['--pids-limit', '64', '--network', 'none', '--security-opt', 'no-new-privileges'],
    remoteUser: 'dev',
    uid: 1000,
  },
];

const REFUSED: readonly (Row & { readonly status: string; readonly reason: RegExp })[] = [
  {
    name: 'a read-only root where nothing that can be written can be run',
    image: base,
    options: () => [
      '--read-only',
      ...(engineFeatures().readOnlyRootHasTmpfs ? ['/run', '/var/tmp'] : []).flatMap((path) => [
        '--tmpfs',
        `${path}:noexec`,
      ]),
      '--tmpfs',
      '/tmp:noexec',
    ],
    uid: 0,
    status: 'failed',
    reason: /^Delivering the sub-agent .* failed: .*read-only.*\. Give the container a volume or a tmpfs with `exec`/i,
  },
  {
    // Its programs are those of this machine: what is refused is the label.
    name: 'an architecture that there is no resident for',
    image: () => imageOf('riscv64', withBusybox('sh', 'sleep', 'true', 'id'), 'riscv64'),
    uid: 0,
    status: 'unsupported',
    reason: /^There is no sub-agent for linux\/riscv64\.$/,
  },
];

/** A container of this row, as one of its devcontainers; its folder. */
async function make(row: Row): Promise<string> {
  const { folder } = await runDevcontainer(world, {
    image: await row.image(),
    options: row.options?.(),
    does: row.sleeps,
    config: row.remoteUser === undefined ? {} : { remoteUser: row.remoteUser },
  });
  return folder;
}

async function settled(folder: string): Promise<Devcontainer> {
  const isSettled = ({ agent }: Devcontainer): boolean =>
    agent !== undefined && agent.status !== 'starting' && agent.status !== undefined;
  return library.until(folder, 'its sub-agent runs, or does not', isSettled);
}

async function ran(runtime: DevcontainerRuntime, spec: { readonly argv: readonly string[] } | { command: string }) {
  const command = await runtime.exec({ ...spec, timeoutMs: 30_000 });
  const { stdout } = await collect(command.output);
  return { text: stdout.toString(), exit: await command.exited };
}

/** What holds whoever serves it. */
async function answers(devcontainer: Devcontainer, row: Row, via: string): Promise<void> {
  const runtime = library.api.devcontainer(devcontainer.id);
  expect(await runtime.via()).toBe(via);
  expect(await ran(runtime, { argv: row.succeeds ?? ['true'] })).toMatchObject({ exit: { code: 0, via } });
  if (row.uid !== undefined) {
    expect(await ran(runtime, { command: 'id -u; exit 7' })).toMatchObject({
      text: `${row.uid}\n`,
      exit: { code: 7, via },
    });
  }
}

async function isServed(row: Row): Promise<void> {
  const devcontainer = await settled(await make(row));
  expect(devcontainer.agent).toMatchObject({ status: 'running' });
  await answers(devcontainer, row, 'resident');
  const runtime = library.api.devcontainer(devcontainer.id);
  expect((await runtime.files.stat('/'))?.type).toBe('directory');
  if (row.hasNoShell) {
    await expect(ran(runtime, { command: 'true' })).rejects.toThrow(/\/bin\/sh.*no such file/i);
  }
}

async function isRefused(row: Row, status: string, reason: RegExp): Promise<void> {
  const devcontainer = await settled(await make(row));
  expect(devcontainer.agent).toMatchObject({ status, reason: expect.stringMatching(reason) });
  await answers(devcontainer, row, 'engine');
}

describe.skipIf(!isResidentBuilt)('a container with', () => {
  beforeAll(async () => {
    const folder = await world.makeFolder('busybox');
    busybox = join(folder, 'busybox');
    const id = await world.docker('create', '--label', world.label, BASE_IMAGE);
    await world.docker('cp', `${id}:/bin/busybox`, busybox);
    library = await startLibrary(world, {
      subAgentProvider: residentSubAgentProvider({ directory: RESIDENT_DIRECTORY }),
      // A slow machine is not what this is about.
      injectTimeoutMs: 60_000,
    });
  });
  afterEach(async () => {
    const ids = await world.docker('ps', '-q', '--filter', `label=${world.label}`);
    if (ids !== '') await world.docker('rm', '-f', '-v', ...ids.split('\n'));
  });
  afterAll(async () => {
    await library?.api.close();
    await world.cleanup();
  });

  it('programs of glibc has the resident', async ({ skip }) => {
    const files = await glibcFiles();
    if (!files) return skip('this machine is not of glibc');
    await isServed({ name: 'glibc', image: () => imageOf('glibc', files), remoteUser: 'dev', uid: 1000 });
  });

  it.each(SERVED.map((row) => [row.name, row] as const))('%s has the resident', (_, row) => isServed(row));

  it.each(REFUSED.map((row) => [row.name, row] as const))('%s has the engine, and says why', (_, row) =>
    isRefused(row, row.status, row.reason),
  );

  // Programs that are of arm64 too: resident-emulated.test.ts.
  it('the label of another architecture has the resident under emulation, else the engine, and says why', async () => {
    const row: Row = {
      name: 'arm64',
      image: () => imageOf('arm64', withBusybox('sh', 'sleep', 'true', 'id'), 'arm64'),
      uid: 0,
    };
    const devcontainer = await settled(await make(row));
    const isEmulated = devcontainer.agent?.status === 'running';
    if (!isEmulated) {
      expect(devcontainer.agent).toMatchObject({
        status: 'unsupported',
        reason: expect.stringMatching(/is not made for the container's platform\. Give an executable for it\.$/),
      });
    }
    await answers(devcontainer, row, isEmulated ? 'resident' : 'engine');
  });
});
