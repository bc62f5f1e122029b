import { randomBytes } from 'node:crypto';
import { cp, mkdir, readFile, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  WireDevcontainer,
  WireFinding,
  WireList,
  WireOperation,
  WireReceipt,
} from '../../src/http/wire-schemas.ts';
import { processesIn, subAgentsIn } from './support/container-processes.ts';
import {
  API,
  JSON_TYPE,
  buildDaemon,
  isInjected,
  startDaemon,
  type DaemonBuild,
  type DaemonProcess,
} from './support/daemon.ts';
import { engineApi } from './engine-api.ts';
import { eventsSince } from './support/engine-features.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import { eventually } from './support/eventually.ts';
import { CONFIG, writeConfig } from './support/library.ts';

// Folders that somebody else wrote, below a root that a daemon watches: nothing of theirs runs on the host, nothing of
// the host reaches them, and nothing is made from them before a person has said so.

const canary = (name: string): string => `canary-${name}-${randomBytes(16).toString('hex')}`;
/** In the environment of the daemon; the fixtures ask for these names. */
const CANARIES = {
  AGENTCONTAINERS_TEST_CANARY: canary('variable'),
  GITHUB_TOKEN: canary('token'),
  AWS_SECRET_ACCESS_KEY: canary('key'),
};

/** What cannot be made at all before it is trusted, and a finding of each. */
const REFUSED: Readonly<Record<string, Partial<WireFinding>>> = {
  'hostile-local-env': { kind: 'local-env', detail: 'variable AGENTCONTAINERS_TEST_CANARY' },
  'hostile-docker-socket': { kind: 'mount', detail: expect.stringContaining('/var/run/docker.sock') as string },
  'hostile-privileged': { kind: 'privilege', detail: 'privileged: true' },
  'hostile-inherited-mount': { kind: 'mount', detail: expect.stringContaining('__proto__') as string },
  'hostile-compose-devices': { kind: 'privilege', detail: 'services.sibling.devices: /dev/null:/dev/host-null' },
  'hostile-compose-injection': { kind: 'run-argument', detail: expect.stringContaining('containerUser') as string },
  'env-file-link': {},
  'bind-of-a-link': { kind: 'mount', detail: expect.stringContaining('${localWorkspaceFolder}/link') as string },
};
/** What is made without the command that would run on the host. */
const STRIPPED = ['hostile-initialize-string', 'hostile-initialize-array', 'hostile-initialize-object'];

const engine = testEngine();
/** Makes folders outside of the roots of the daemon. */
const foreign = testEngine();
let build: DaemonBuild;
let daemon: DaemonProcess;
let root: string;
let stateDir: string;
let logFile: string;
let since: string;
let seenOnHost: ReturnType<typeof watchProcesses>;
const folders = new Map<string, string>();
const folderOf = (name: string): string => folders.get(name) ?? '';

beforeAll(async () => {
  build = await buildDaemon();
  root = dirname(await engine.makeFolder('root'));
  stateDir = join(root, 'state');
  logFile = join(root, 'daemon.log');
  for (const name of [...STRIPPED, ...Object.keys(REFUSED).filter((one) => one.startsWith('hostile-'))]) {
    folders.set(name, await engine.copyFixture(name));
  }
  const compose = await engine.copyFixture('compose');
  folders.set('env-file-link', compose);
  await symlink('/proc/self/environ', join(compose, '.devcontainer/.env'));
  for (const name of ['bind-of-a-link', 'harmless', 'git', 'swapped', 'edited'])
    folders.set(name, await engine.makeFolder(name));
  await symlink(await foreign.makeFolder('target'), join(folderOf('bind-of-a-link'), 'link'));
  await writeConfig(folderOf('bind-of-a-link'), {
    image: BASE_IMAGE,
    mounts: ['type=bind,source=${localWorkspaceFolder}/link,target=/host'],
  });
  const autoStart = { customizations: { agentcontainers: { autoStart: true } } };
  await writeConfig(folderOf('harmless'), { image: BASE_IMAGE, init: true, ...autoStart });
  await writeConfig(folderOf('swapped'), { image: BASE_IMAGE, init: true });
  await writeConfig(folderOf('edited'), { build: { dockerfile: 'Dockerfile' }, init: true });
  await writeFile(
    join(folderOf('edited'), 'Dockerfile'),
    `FROM ${BASE_IMAGE}\n# Not in the cache of the builder.\nRUN sleep 6; : ${engine.prefix}\n`,
  );
  await writeConfig(folderOf('git'), { image: BASE_IMAGE, init: true });
  await hostileRepository(folderOf('git'));
  // Projects are told by it.
  for (const folder of folders.values()) await mkdir(join(folder, '.git'), { recursive: true });
  since = await engine.docker('info', '--format', '{{.SystemTime}}');
  daemon = await startDaemon({
    main: build.main,
    dockerHost: engine.dockerHost,
    stateDir,
    args: ['--discovery', '--autostart', '--log-level', 'debug', '--log-file', logFile, root],
    env: CANARIES,
  });
  seenOnHost = watchProcesses(daemon.pid);
});
afterAll(async () => {
  await seenOnHost?.end();
  await daemon?.end('SIGTERM');
  await engine.cleanup();
  await foreign.cleanup();
  await build?.remove();
});

/** A repository whose configuration names programs for whatever git does, and another place for its working tree. */
async function hostileRepository(folder: string): Promise<void> {
  const git = join(folder, '.git');
  for (const part of ['objects', 'refs/heads', 'hooks']) await mkdir(join(git, part), { recursive: true });
  await writeFile(join(git, 'HEAD'), 'ref: refs/heads/main\n');
  const program = join(git, 'program');
  await writeFile(program, `#!/bin/sh\nenv > ${folder}/ran-on-host-git\n`, { mode: 0o755 });
  for (const hook of ['post-checkout', 'post-index-change', 'pre-commit', 'reference-transaction']) {
    await cp(program, join(git, 'hooks', hook));
  }
  const core = `worktree = /\n\tfsmonitor = ${program}\n\thooksPath = ${git}/hooks\n\tsshCommand = ${program}\n\tpager = ${program}`;
  const config = `[core]\n\trepositoryformatversion = 0\n\t${core}\n[filter "x"]\n\tclean = ${program}\n\tsmudge = ${program}\n`;
  await writeFile(join(git, 'config'), `${config}[diff "x"]\n\ttextconv = ${program}\n`);
  await writeFile(join(folder, '.gitattributes'), '* filter=x diff=x\n');
}

async function entryOf(folder: string): Promise<WireDevcontainer> {
  return eventually(`the entry of ${basename(folder)}`, async () => {
    const { devcontainers } = await daemon.get<WireList>(API);
    const found = devcontainers.find((one) => one.workspace_folder === folder);
    return found === undefined ? undefined : daemon.get<WireDevcontainer>(`${API}/devcontainers/${found.id}`);
  });
}

const post = (path: string, body?: unknown) =>
  daemon.ask(`${API}/devcontainers${path}`, {
    method: 'POST',
    ...(body === undefined ? {} : { headers: JSON_TYPE, body: JSON.stringify(body) }),
  });

/** Waits for the end of what an answer announces. */
async function ended(answer: { status: number; json: unknown; text: string }): Promise<WireOperation> {
  expect([answer.status, answer.text]).toEqual([202, expect.any(String)]);
  return daemon.ended((answer.json as WireReceipt).operation_id);
}

/** Whatever the engine has that belongs to a folder, by name, label or mount. */
async function inEngine(folder: string): Promise<string[]> {
  const rows = await engine.docker('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.Labels}} {{.Mounts}}');
  return rows.split('\n').filter((row) => row.includes(basename(folder)));
}

/** Files that only a command on the host could have made. */
async function ranOnHost(): Promise<string[]> {
  const files = await readdir(root, { recursive: true });
  return files.filter((path) => path.includes('ran-on-host'));
}

describe('folders that nobody has looked at', () => {
  it('are found and judged, and only what is accepted is started by itself', async () => {
    for (const [name, folder] of folders) {
      const { id } = await entryOf(folder);
      const entry = await daemon.until(id, 'judged', (one) => one.verdict !== undefined || name === 'env-file-link');
      const isHarmless = ['harmless', 'git', 'swapped', 'edited'].includes(name);
      expect([name, entry.trusted]).toEqual([name, isHarmless]);
      expect([name, entry.status, entry.container]).toEqual([name, 'stopped', undefined]);
      expect([name, await inEngine(folder)]).toEqual([name, []]);
      if (isHarmless) expect([name, (await entryOf(folder)).verdict?.findings]).toEqual([name, []]);
    }
    const { id, verdict } = await entryOf(folderOf('harmless'));
    expect((await post(`/${id}/trust`, { hash: verdict?.hash })).status).toBe(204);
    await daemon.until(id, 'started by itself', isInjected);
  });

  it.each(Object.keys(REFUSED))('are refused with what is wrong: %s', async (name) => {
    const entry = await entryOf(folderOf(name));
    for (const answer of [
      await post('', { workspace_folder: folderOf(name) }),
      await post(`/${entry.id}/start`),
      await post(`/${entry.id}/recreate`),
    ]) {
      // A file of the kernel's in the place of an env file makes the whole configuration unreadable.
      if (name === 'env-file-link' && answer.status === 400) continue;
      expect([answer.status, answer.json]).toEqual([
        403,
        expect.objectContaining({
          message: 'Devcontainer is not trusted',
          findings: expect.arrayContaining([expect.objectContaining(REFUSED[name])]),
        }),
      ]);
    }
    expect(await inEngine(folderOf(name))).toEqual([]);
    expect((await entryOf(folderOf(name))).status).toBe('stopped');
  });

  it.each(STRIPPED)('are made without their command on the host: %s', async (name) => {
    const folder = folderOf(name);
    const answer = await post('', { workspace_folder: folder });
    expect(await ended(answer)).toMatchObject({ status: 'succeeded' });
    const { id, verdict, trusted } = await entryOf(folder);
    expect(trusted).toBe(false);
    expect(verdict?.findings).toEqual([
      { kind: 'initialize-command', detail: expect.stringMatching(/^initializeCommand: /), source: `./${CONFIG}` },
    ]);
    const up = await daemon.until(id, 'running', isInjected);
    expect(await ended(await post(`/${id}/recreate`))).toMatchObject({ status: 'succeeded' });
    await daemon.until(id, 'a new container', (one) => isInjected(one) && one.container?.id !== up.container?.id);
    expect(await ranOnHost()).toEqual([]);
  });

  it('get nothing from the hooks, filters and monitors in their .git, and no other place of it is mounted', async () => {
    const { id } = await entryOf(folderOf('git'));
    await writeFile(join(folderOf('git'), 'changed'), 'x');
    expect(await ended(await post('', { workspace_folder: folderOf('git') }))).toMatchObject({ status: 'succeeded' });
    const { container } = await daemon.until(id, 'running', isInjected);
    const mounts = await engine.docker('inspect', '--format', '{{json .Mounts}}', container?.id ?? '');
    const sources = (JSON.parse(mounts) as { Source: string }[]).map(({ Source }) => Source);
    expect(sources).toContain(folderOf('git'));
    for (const source of sources) expect(source === folderOf('git') || source.startsWith(stateDir)).toBe(true);
    expect(await ranOnHost()).toEqual([]);
  });
});

describe('trust', () => {
  it('is given to what was looked at and to nothing else', async () => {
    const folder = folderOf('hostile-initialize-string');
    const { id, verdict } = await entryOf(folder);
    const hash = verdict?.hash ?? '';
    expect((await post(`/${id}/trust`, { hash: hash.replace(/./g, '0') })).status).toBe(409);
    expect((await post(`/${id}/trust`, { hash })).status).toBe(204);
    expect((await entryOf(folder)).trusted).toBe(true);
    expect(await ended(await post(`/${id}/recreate`))).toMatchObject({ status: 'succeeded' });
    // The command would have been seen, had it run before; and even so it gets nothing of the daemon.
    expect(await ranOnHost()).toHaveLength(2);
    const environment = await readFile(join(folder, 'ran-on-host-string'), 'utf8');
    expect(environment).toContain('PATH=');
    for (const value of Object.values(CANARIES)) expect(environment).not.toContain(value);
    for (const path of await ranOnHost()) await rm(join(root, path));

    await writeFile(
      join(folder, CONFIG),
      JSON.stringify({ image: BASE_IMAGE, initializeCommand: 'touch ran-on-host-edited' }),
    );
    await daemon.until(id, 'another verdict', (one) => one.verdict !== undefined && one.verdict.hash !== hash);
    expect((await entryOf(folder)).trusted).toBe(false);
    expect(await ended(await post(`/${id}/recreate`))).toMatchObject({ status: 'succeeded' });
    expect(await ranOnHost()).toEqual([]);
    expect((await post(`/${id}/trust`, { hash })).status).toBe(409);
  });

  it('in what reads variables lets it read none of the daemon', async () => {
    const folder = folderOf('hostile-local-env');
    const { id, verdict } = await entryOf(folder);
    expect((await post(`/${id}/trust`, { hash: verdict?.hash })).status).toBe(204);
    expect(await ended(await post('', { workspace_folder: folder }))).toMatchObject({ status: 'succeeded' });
    const { container } = await daemon.until(id, 'running', isInjected);
    const environment = await engine.docker('inspect', '--format', '{{json .Config.Env}}', container?.id ?? '');
    expect(JSON.parse(environment)).toEqual(expect.arrayContaining(['LEAK=', 'DEFAULT=none']));

    const revoked = await daemon.ask(`${API}/devcontainers/${id}/trust`, { method: 'DELETE' });
    expect(revoked.status).toBe(204);
    expect((await post(`/${id}/recreate`)).status).toBe(403);
    expect((await entryOf(folder)).container?.id).toBe(container?.id);
  });
});

describe('a configuration that is edited while its image is built', () => {
  it('is used as it was judged, or not at all', async () => {
    const folder = folderOf('edited');
    const { id } = await entryOf(folder);
    const path = join(folder, '.devcontainer.json');
    const harmless = await readFile(path, 'utf8');
    const answer = await post('', { workspace_folder: folder });
    const operation = `${API}/operations/${(answer.json as WireReceipt).operation_id}`;
    await eventually('the build', async () => {
      const { steps } = await daemon.get<WireOperation>(operation);
      return steps.some(({ name }) => name === 'build');
    });
    const mounts = ['type=bind,source=/,target=/host'];
    const hostile = { ...(JSON.parse(harmless) as object), mounts, initializeCommand: 'touch ran-on-host-late' };
    await writeFile(path, JSON.stringify(hostile));
    expect(await daemon.get(operation)).toMatchObject({ status: 'running' });
    await ended(answer);
    expect(await ranOnHost()).toEqual([]);
    expect((await inEngine(folder)).filter((row) => row.includes('/host'))).toEqual([]);
    const { container } = await daemon.get<WireDevcontainer>(`${API}/devcontainers/${id}`);
    if (container) expect(Object.keys(container.volumes)).not.toContain('/');
    await writeFile(path, harmless);
  });
});

/** An image of a container as it is. Some clients send no body, which some engines want. */
async function commit(container: string, image: string, changes: readonly string[] = []): Promise<void> {
  const query = new URLSearchParams({ container, repo: image, pause: 'false' });
  for (const change of changes) query.append('changes', change);
  await engineApi()('POST', `/commit?${query.toString()}`, {});
}

describe('an image that forges the labels of a managed folder', () => {
  it('gets nothing of it: seen, not entered, not copied to, not watched', async () => {
    const { container, id } = await entryOf(folderOf('harmless'));
    const mine = container?.id ?? '';
    const agents = await subAgentsIn(engine, mine);
    expect(agents).toHaveLength(1);
    const elsewhere = await foreign.copyFixture('image');
    // With every label of the container, those included that are ours and signed.
    const copy = `${engine.prefix}-forged-copy`;
    await commit(mine, copy);
    const claim = `${engine.prefix}-forged-claim`;
    const changes = [
      `LABEL devcontainer.local_folder=${elsewhere}`,
      `LABEL devcontainer.config_file=${elsewhere}/${CONFIG}`,
    ];
    await commit(mine, claim, changes);
    const forged = await Promise.all(
      [copy, claim].map((image) => engine.docker('run', '-d', '--init', '--entrypoint', 'sleep', image, 'infinity')),
    );
    for (const one of forged) {
      await eventually('the forged container is listed', async () => {
        const { containers } = await daemon.get<WireList>(API);
        return containers.find((listed) => listed.id === one)?.level === 'seen';
      });
    }
    expect((await entryOf(folderOf('harmless'))).container?.id).toBe(mine);
    expect(await entryOf(elsewhere)).toMatchObject({ level: 'seen', subagent_id: null });
    // Also when it is the only one that runs, and when its place is asked for.
    await engine.docker('kill', mine);
    await daemon.until(id, 'stopped', ({ status }) => status === 'stopped');
    for (const one of forged) await engine.docker('restart', '-t', '0', one);
    expect((await entryOf(folderOf('harmless'))).container?.id).toBe(mine);
    const started = await ended(await post(`/${id}/start`));
    // Either the right one is started, or it is said that there are two.
    if (started.status === 'succeeded') expect((await entryOf(folderOf('harmless'))).container?.id).toBe(mine);
    else expect(started.error).toContain('another container carries its labels');

    const events = (await eventsSince(engine.docker, since))
      .split('\n')
      .map((line) => JSON.parse(line) as { Type: string; id?: string; Action: string })
      .filter(({ Type }) => Type === 'container')
      .map(({ id: subject, Action }) => `${subject} ${Action}`);
    const doneTo = (one: string): string[] => events.filter((line) => line.startsWith(one));
    const touched = / (?:exec|extract|archive|copy|attach|top|export)/;
    expect(doneTo(mine).some((line) => touched.test(line))).toBe(true);
    for (const one of forged) {
      expect(doneTo(one).some((line) => line.endsWith(' start'))).toBe(true);
      expect(doneTo(one).filter((line) => touched.test(line))).toEqual([]);
      expect(await subAgentsIn(engine, one)).toEqual([]);
      expect((await engine.docker('diff', one)).split('\n').filter((line) => line.includes('agentcontainers'))).toEqual(
        [],
      );
    }
    const watched = await watchedInodes(daemon.pid);
    expect(watched).toContain((await stat(folderOf('harmless'))).ino);
    for (const path of [elsewhere, join(elsewhere, '.devcontainer')])
      expect(watched).not.toContain((await stat(path)).ino);
  });
});

describe('a folder that was swapped for a link after it was listed', () => {
  it('does not get the other folder into a container', async () => {
    const folder = folderOf('swapped');
    const { id } = await entryOf(folder);
    const other = await foreign.copyFixture('image');
    const aside = await foreign.makeFolder('aside');
    await rename(folder, join(aside, 'swapped'));
    await symlink(other, folder);
    for (const path of [`/${id}/start`, `/${id}/recreate`]) {
      const answer = await post(path);
      expect([202, 400, 403, 404, 409]).toContain(answer.status);
      if (answer.status === 202) await ended(answer);
    }
    const mounts = await engine.docker('ps', '-a', '--no-trunc', '--format', '{{.Mounts}}');
    expect(mounts).toContain(root);
    for (const path of [dirname(other), folder]) expect(mounts).not.toContain(path);
    await rm(folder);
    await rename(join(aside, 'swapped'), folder);
    expect(await ended(await post('', { workspace_folder: folder }))).toMatchObject({ status: 'succeeded' });
    await daemon.until((await entryOf(folder)).id, 'running', isInjected);
  });
});

it('no value of the environment of the daemon came out anywhere', async () => {
  const entries = (await daemon.get<WireList>(API)).devcontainers;
  const pages = await Promise.all(
    [
      API,
      ...entries.flatMap(({ id }) => ['', '/logs', '/diff'].map((part) => `${API}/devcontainers/${id}${part}`)),
    ].map(async (path) => (await daemon.ask(path)).text),
  );
  const rows = await engine.docker('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.Labels}} {{.Mounts}}');
  const ids = rows
    .split('\n')
    .filter((row) => row.includes(engine.prefix) || row.includes(foreign.prefix))
    .map((row) => row.split(' ', 1)[0] ?? '');
  const inspected = await engine.docker('inspect', ...ids);
  const processes = (await Promise.all(ids.map((id) => processesIn(engine, id)))).flat();
  const environments = await Promise.all(
    processes.map(async ({ pid }) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')),
  );
  const events = await eventsSince(engine.docker, since);
  await daemon.end('SIGTERM');
  const host = await seenOnHost.end();
  const files = (await readdir(root, { withFileTypes: true, recursive: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const contents = await Promise.all(files.map(async (path) => `${path}\n${await readFile(path, 'utf8')}`));

  // Each place holds what it must, so that nothing in it means something.
  expect(ids.length).toBeGreaterThanOrEqual(6);
  expect(pages.join('\n')).toContain('variable AGENTCONTAINERS_TEST_CANARY');
  expect(inspected).toContain('LEAK=');
  expect(environments.join('\n')).toContain('PATH=');
  expect(events).toMatch(/"Action":"exec[_"]/);
  expect(host.commandLines).toMatch(/devcontainer.* up /);
  expect(host.environments).toContain('DOCKER_HOST=');
  expect(files).toEqual(expect.arrayContaining([logFile]));
  expect(files.some((path) => path.startsWith(stateDir))).toBe(true);

  const places: Record<string, string> = {
    'answers of the API': pages.join('\n'),
    'container inspection': inspected,
    'environments in containers': environments.join('\n'),
    'command lines in containers': processes.map(({ args }) => args).join('\n'),
    'engine events': events,
    'command lines on the host': host.commandLines,
    'environments of what the daemon started': host.environments,
    'files of the daemon and the workspaces': contents.join('\n'),
    'what the daemon printed': daemon.output(),
  };
  for (const [place, text] of Object.entries(places)) {
    for (const [name, value] of Object.entries(CANARIES))
      expect(text.includes(value), `${name} in ${place}`).toBe(false);
  }
  expect(daemon.output()).not.toMatch(/fault of agentcontainers|Unhandled|Uncaught/);
});

/** Command lines of everything on this machine, and environments of what a process has started, looked at again and again. */
function watchProcesses(ancestor: number): { end(): Promise<{ commandLines: string; environments: string }> } {
  const lines = new Set<string>();
  const environments = new Set<string>();
  const descendants = new Set<number>();
  let over = false;
  async function look(pid: number): Promise<void> {
    const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    const line = await read('cmdline');
    lines.add(line.replaceAll('\0', ' '));
    const parent = Number(/^PPid:\s*(\d+)/m.exec(await read('status'))?.[1]);
    if (parent !== ancestor && !descendants.has(parent)) return;
    descendants.add(pid);
    // Between fork and exec it is still what it was forked from.
    if (line === (await readFile(`/proc/${ancestor}/cmdline`, 'utf8').catch(() => ''))) return;
    environments.add((await read('environ')).replaceAll('\0', '\n'));
  }
  const watching = (async () => {
    while (!over) {
      const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
      for (const pid of pids.sort((a, b) => a - b)) await look(pid);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return {
    async end() {
      over = true;
      await watching;
      return { commandLines: [...lines].join('\n'), environments: [...environments].join('\n') };
    },
  };
}

/** Of everything that a process watches. */
async function watchedInodes(pid: number): Promise<number[]> {
  const inodes: number[] = [];
  for (const descriptor of await readdir(`/proc/${pid}/fdinfo`)) {
    const text = await readFile(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8').catch(() => '');
    for (const [, hex] of text.matchAll(/^inotify .*\bino:([0-9a-f]+)/gm)) inodes.push(Number.parseInt(hex ?? '', 16));
  }
  return inodes;
}
