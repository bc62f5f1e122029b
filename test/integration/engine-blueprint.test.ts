import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock/system-clock.ts';
import { createDockerEngine } from '../../src/engine/docker-engine.ts';
import type { DockerEngine } from '../../src/engine/docker-engine.ts';
import { silentLogger } from '../../src/logger.ts';
import { engineApi } from './engine-api.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import type { TestEngine } from './support/engine-harness.ts';

// A container that cannot stand beside its successor, such as the one of a compose service, is brought back from its
// description and an image of its file system.

const api = engineApi();
const within = (ms = 60_000): AbortSignal => AbortSignal.timeout(ms);
const SWAP = 'agentcontainers.swap';
const images: string[] = [];
const volumes: string[] = [];
let harness: TestEngine;
let engine: DockerEngine;
let isPodman: boolean;

beforeAll(async () => {
  harness = testEngine();
  engine = createDockerEngine({ dockerHost: harness.dockerHost, clock: systemClock, logger: silentLogger });
  isPodman = (await engine.info(within())).name === 'podman';
});

afterAll(async () => {
  await harness.cleanup();
  for (const id of images.toReversed()) await engine.removeImage(id, within());
  for (const name of volumes) await engine.removeVolume(name, within());
  await engine.close();
});

type Inspected = Readonly<Record<string, unknown>> & {
  readonly Id: string;
  readonly Config: Readonly<Record<string, unknown>> & { readonly Labels: Readonly<Record<string, string>> };
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly Mounts: readonly { readonly Name?: string; readonly Destination: string; readonly Mode: string }[];
  readonly NetworkSettings: { readonly Ports: unknown; readonly Networks: Readonly<Record<string, Network>> };
};
type Network = Readonly<Record<string, unknown>> & { readonly Aliases: readonly string[] | null };

const inspect = async (name: string): Promise<Inspected> => (await api('GET', `/containers/${name}/json`)) as Inspected;

/** All that must come back, in an order that engines do not keep. */
function comparable(container: Inspected): unknown {
  const { Hostname: _hostname, Image: _image, Labels, Env, Entrypoint, ...config } = container.Config;
  // The volumes that the engine named are named by the new container.
  const { Mounts: _mounts, ...host } = container.HostConfig;
  const { [SWAP]: _swap, ...labels } = Labels;
  const own = container.Id.slice(0, 12);
  return {
    Name: container['Name'],
    Path: container['Path'],
    Args: container['Args'],
    config,
    labels,
    entrypoint: ((Entrypoint ?? []) as string[]).filter(Boolean),
    env: ((Env ?? []) as string[]).filter((variable) => variable !== `HOSTNAME=${own}`).sort(),
    host,
    mounts: container.Mounts.map(({ Mode: _mode, ...mount }) => mount).sort((a, b) =>
      a.Destination < b.Destination ? -1 : 1,
    ),
    ports: container.NetworkSettings.Ports,
    networks: Object.entries(container.NetworkSettings.Networks).map(([name, network]) => [
      name,
      (network.Aliases ?? []).filter((alias) => alias !== own).sort(),
      network['IPAMConfig'] ?? {},
      network['DriverOpts'] ?? {},
    ]),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Describes, keeps, removes and makes it again, as a swap does that fails. */
async function makeAgain(id: string): Promise<string> {
  const blueprint = await engine.describeContainer(id, within());
  const image = await engine.commitContainer(id, { labels: { [SWAP]: harness.prefix } }, within());
  images.push(image);
  expect(await engine.listImages({ labels: [`${SWAP}=${harness.prefix}`], signal: within() })).toContain(image);
  await expect(engine.createContainer(blueprint, image, within())).rejects.toMatchObject({ code: 'engine-conflict' });
  await engine.removeContainer(id, { volumes: false, force: true, signal: within() });
  const made = await engine.createContainer(blueprint, image, within());
  expect(await engine.createContainer(blueprint, image, within()), 'the same once more').toBe(made);
  await engine.startContainer(made, within());
  // In use: stays.
  await engine.removeImage(image, within());
  expect(await engine.inspectImage(image, within())).toMatchObject({ id: image });
  return made;
}

describe('a compose service', () => {
  test('comes back as it was, and its project still takes it for its own', async () => {
    const folder = await harness.makeFolder('project');
    const project = harness.prefix;
    const port = await freePort();
    const subnet = `10.${200 + Math.floor(Math.random() * 50)}.${Math.floor(Math.random() * 250)}`;
    await writeFile(
      join(folder, 'docker-compose.yml'),
      JSON.stringify({
        version: '2.4',
        services: {
          app: {
            image: BASE_IMAGE,
            command: ['sleep', '3600'],
            init: true,
            user: '0:0',
            working_dir: '/tmp',
            stop_signal: 'SIGKILL',
            cap_add: ['SYS_PTRACE'],
            cap_drop: ['NET_RAW'],
            restart: 'on-failure:3',
            environment: { SECRET: 'a "b" $$c=d', EMPTY: '' },
            labels: { mine: 'x y', 'agentcontainers.test': harness.prefix },
            ports: [`127.0.0.1:${port}:80`],
            volumes: ['named:/named', '/anonymous', './:/source:ro'],
            tmpfs: ['/scratch'],
            mem_limit: '64m',
            shm_size: '32m',
            extra_hosts: ['elsewhere:10.1.2.3'],
            sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' },
            healthcheck: { test: ['CMD', 'true'], interval: '1h', retries: 2 },
            networks: {
              default: { aliases: ['appalias'] },
              ...(!isPodman && { second: { aliases: ['two'], ipv4_address: `${subnet}.9` } }),
            },
          },
        },
        // docker-compose does not recognize a network with a subnet that it made on Podman.
        networks: isPodman ? {} : { second: { ipam: { config: [{ subnet: `${subnet}.0/24` }] } } },
        volumes: { named: {} },
      }),
    );
    const compose = async (...args: string[]): Promise<string> => {
      const env: NodeJS.ProcessEnv = { ...process.env, DOCKER_HOST: harness.dockerHost };
      const options = { cwd: folder, env, timeout: 60_000 };
      const { stdout, stderr } = await promisify(execFile)('docker-compose', ['-p', project, ...args], options);
      return stdout + stderr;
    };
    volumes.push(`${project}_named`);
    await compose('up', '-d');
    const id = (await compose('ps', '-q')).trim();
    const before = await inspect(id);
    volumes.push(...before.Mounts.flatMap(({ Name }) => Name ?? []));
    for (const path of ['/written', '/named/file', '/anonymous/file']) {
      await harness.docker('exec', id, 'sh', '-c', `echo "in ${path}" >${path}`);
    }

    const made = await makeAgain(id);

    const after = await inspect(made);
    expect(comparable(after)).toEqual(comparable(before));
    if (!isPodman) {
      expect(after.NetworkSettings.Networks[`${project}_second`]).toMatchObject({ IPAddress: `${subnet}.9` });
    }
    for (const path of ['/written', '/named/file', '/anonymous/file']) {
      expect(await harness.docker('exec', made, 'cat', path)).toBe(`in ${path}`);
    }
    expect(await harness.docker('exec', made, 'hostname')).toBe(made.slice(0, 12));
    expect((await compose('ps', '-q')).trim()).toBe(made);
    expect(await compose('ps')).toContain(`127.0.0.1:${port}->80`);
    for (const more of [['--no-recreate'], []]) {
      await compose('up', '-d', ...more);
      expect((await compose('ps', '-q')).trim()).toBe(made);
    }

    // A second time, on top of the first.
    const again = await makeAgain(made);
    expect(comparable(await inspect(again))).toEqual(comparable(before));
    expect(await harness.docker('exec', again, 'cat', '/written', '/anonymous/file')).toBe(
      'in /written\nin /anonymous/file',
    );

    await engine.removeContainer(again, { volumes: true, force: true, signal: within() });
    const left = (await harness.docker('volume', 'ls', '-q')).split('\n');
    const anonymous = before.Mounts.find(({ Destination }) => Destination === '/anonymous')?.Name ?? '';
    expect(anonymous).toMatch(/^[0-9a-f]{64}$/);
    expect(left).not.toContain(anonymous);
    expect(left).toContain(`${project}_named`);
    // Newest first: the older is the base of the newer.
    for (const image of images.splice(0).toReversed()) {
      await engine.removeImage(image, within());
      expect(await engine.inspectImage(image, within())).toBeUndefined();
    }
    await compose('down', '-v');
  }, 120_000);
});

describe('a container of the engine', () => {
  const run = async (...args: string[]): Promise<string> =>
    harness.docker('run', '-d', '--label', harness.label, '--stop-signal', 'SIGKILL', ...args);

  test('on the default network and a second one, with what runArgs may say, comes back as it was', async () => {
    const network = `${harness.prefix}-extra`;
    await harness.docker('network', 'create', network);
    const options = [
      ...['--name', `${harness.prefix}-plain`, '--hostname', 'box', '--init', '--cap-add', 'SYS_PTRACE'],
      ...['--security-opt', 'seccomp=unconfined', '--group-add', '7'],
      // The docker client refuses the first with Podman, and the second asks there for more than a test may have.
      ...(isPodman ? [] : ['--device', '/dev/null:/dev/zilch', '--ulimit', 'nofile=512']),
      ...['--mount', 'type=volume,target=/mounted', '--mount', 'type=tmpfs,target=/t', '--dns', '127.0.0.1'],
      ...['--pids-limit', '100', '--cpus', '0.5', '--read-only', '--entrypoint', 'sleep'],
    ];
    const id = await run(...options, BASE_IMAGE, '3600');
    await harness.docker('network', 'connect', '--alias', 'extra', network, id);
    const before = await inspect(id);
    volumes.push(...before.Mounts.flatMap(({ Name }) => Name ?? []));
    const after = await inspect(await makeAgain(id));
    expect(comparable(after)).toEqual(comparable(before));
    expect(after.Config['Hostname']).toBe('box');
  });

  test('that shares the network and hostname of another comes back as it was', async () => {
    const first = await run('--name', `${harness.prefix}-first`, BASE_IMAGE, 'sleep', '3600');
    for (const shared of [
      ['--network', `container:${first}`],
      ['--network', 'host', '--uts', 'host'],
      ['--network', 'none'],
    ]) {
      const name = `${harness.prefix}-second`;
      const before = await inspect(await run('--name', name, ...shared, BASE_IMAGE, 'sleep', '3600'));
      const after = await inspect(await makeAgain(before.Id));
      expect(comparable(after)).toEqual(comparable(before));
      await engine.removeContainer(after.Id, { volumes: true, force: true, signal: within() });
    }
  });

  test('is renamed; its own name is no change and the name of another a conflict', async () => {
    const names = ['a', 'b', 'c'].map((letter) => `${harness.prefix}-${letter}`) as [string, string, string];
    const id = await run('--name', names[0], BASE_IMAGE, 'sleep', '3600');
    await run('--name', names[1], BASE_IMAGE, 'sleep', '3600');
    await engine.renameContainer(id, names[0], within());
    await expect(engine.renameContainer(id, names[1], within())).rejects.toMatchObject({ code: 'engine-conflict' });
    await engine.renameContainer(id, names[2], within());
    expect(await engine.inspectContainer(id, within())).toMatchObject({ name: names[2], running: true });
    await expect(engine.renameContainer('no-such-container', names[0], within())).rejects.toMatchObject({
      code: 'engine-object-not-found',
    });
  });
});

describe('images and volumes', () => {
  test('an image is inspected by reference and id; one that is missing is undefined', async () => {
    const image = await engine.inspectImage(BASE_IMAGE, within());
    expect(image).toMatchObject({ id: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) });
    expect(image?.platform).toEqual(await engine.imagePlatform(BASE_IMAGE, within()));
    expect(await engine.inspectImage(image?.id ?? '', within())).toEqual(image);
    expect(await engine.inspectImage(`${harness.prefix}/missing:1`, within())).toBeUndefined();
    expect(await engine.inspectImage(`sha256:${'0'.repeat(64)}`, within())).toBeUndefined();
  });

  test('an image that got a name stays, one without goes, and its events are told', async () => {
    const since = Date.now() - 1_000;
    const id = await harness.docker('create', '--label', harness.label, BASE_IMAGE, 'true');
    const image = await engine.commitContainer(id, { labels: { [SWAP]: harness.prefix } }, within());
    images.push(image);
    const name = `${harness.prefix}-named:1`;
    await harness.docker('tag', image, name);
    await engine.removeImage(image, within());
    expect(await engine.inspectImage(name, within())).toMatchObject({ id: image, labels: { [SWAP]: harness.prefix } });
    // Podman removes an image with its last name.
    await harness.docker('rmi', name);
    await engine.removeImage(image, within());
    await engine.removeImage(image, within());
    expect(await engine.inspectImage(image, within())).toBeUndefined();
    const seen: string[] = [];
    for await (const event of engine.events({ since, signal: within(20_000) })) {
      if (event.type !== 'image' || event.subjectId.replace('sha256:', '') !== image.replace('sha256:', '')) continue;
      seen.push(event.action);
      if (event.action === 'delete') break;
    }
    expect(seen).toEqual(expect.arrayContaining(['tag', 'delete']));
  });

  test('volumes are found by label and removed unless a container uses them', async () => {
    const name = `${harness.prefix}-volume`;
    const label = `agentcontainers.volume=${harness.prefix}`;
    await harness.docker('volume', 'create', '--label', label, name);
    expect(await engine.listVolumes({ labels: [label, 'agentcontainers.volume'], signal: within() })).toEqual([name]);
    expect(await engine.listVolumes({ labels: [label, 'missing'], signal: within() })).toEqual([]);
    const user = await harness.docker('create', '--label', harness.label, '-v', `${name}:/v`, BASE_IMAGE, 'true');
    expect(await engine.removeVolume(name, within())).toBe(false);
    await engine.removeContainer(user, { volumes: true, force: true, signal: within() });
    expect(await engine.removeVolume(name, within())).toBe(true);
    expect(await engine.removeVolume(name, within())).toBe(true);
    expect(await engine.listVolumes({ labels: [label], signal: within() })).toEqual([]);
  });
});
