import { describe, expect, test } from 'vitest';
import { engineUnderTest, within } from '../../test/engine/engine-under-test.ts';
import { json } from '../../test/engine/fake-engine-server.ts';
import { readBlueprint } from './blueprint.ts';
import type { BlueprintContent } from './blueprint.ts';
import { createBody } from './create-container.ts';
import { blueprintOf } from './describe-container.ts';

const ID = 'abcdef012345'.padEnd(64, '6');
const IMAGE = `sha256:${'f'.repeat(64)}`;

interface Inspected {
  Config?: Record<string, unknown>;
  HostConfig?: Record<string, unknown>;
  Mounts?: unknown;
  Networks?: unknown;
}

function inspected({ Config = {}, HostConfig = {}, Mounts = [], Networks = {} }: Inspected = {}): unknown {
  return {
    Id: ID,
    Name: '/app_1',
    Config: { Image: 'base:1', Labels: { a: '1' }, Cmd: ['sleep'], ...Config },
    HostConfig: { NetworkMode: 'default', ...HostConfig },
    Mounts,
    NetworkSettings: { Networks },
  };
}

function content(parts?: Inspected): BlueprintContent {
  return readBlueprint(blueprintOf(inspected(parts)) ?? '');
}

function body(parts?: Inspected): Record<string, unknown> {
  return createBody(content(parts), IMAGE);
}

describe('a blueprint', () => {
  test('brings the configuration back, with the new image and the labels', () => {
    const Healthcheck = { Test: ['CMD', 'true'], Interval: 1e9 };
    const kept = { User: '1000:1000', WorkingDir: '/w', StopSignal: 'SIGINT', StopTimeout: 3, Healthcheck, Tty: true };
    const host = { CapAdd: ['SYS_PTRACE'], Init: true, RestartPolicy: { Name: 'always' }, Memory: 7, Devices: null };
    expect(body({ Config: { ...kept, Entrypoint: ['/e'], Env: ['A=b c'] }, HostConfig: host })).toMatchObject({
      ...kept,
      Image: IMAGE,
      Labels: { a: '1' },
      Cmd: ['sleep'],
      Entrypoint: ['/e'],
      Env: ['A=b c'],
      HostConfig: { ...host, NetworkMode: 'default' },
    });
    expect(content().name).toBe('app_1');
  });

  test('says that there is no entrypoint, so that the one of the image is not taken', () => {
    for (const Entrypoint of [null, undefined, []])
      expect(body({ Config: { Entrypoint } })['Entrypoint']).toEqual(['']);
    expect(body({ Config: { Entrypoint: '/one' } })['Entrypoint']).toEqual(['/one']);
  });

  test('leaves out the hostname that the engine gave, also from the environment', () => {
    const Hostname = ID.slice(0, 12);
    const shown = body({ Config: { Hostname, Env: [`HOSTNAME=${Hostname}`, 'B=1'] } });
    expect(shown).not.toHaveProperty('Hostname');
    expect(shown['Env']).toEqual(['B=1']);
    const chosen = body({ Config: { Hostname: 'box', Env: ['HOSTNAME=box'] } });
    expect(chosen).toMatchObject({ Hostname: 'box', Env: ['HOSTNAME=box'] });
    // The beginning of an id is a hostname too, if it is not as long as an engine's.
    expect(body({ Config: { Hostname: 'abc' } })).toMatchObject({ Hostname: 'abc' });
  });

  test.each([
    ['container:other', {}],
    ['host', { UTSMode: 'host', Hostname: undefined }],
  ])('leaves out what an engine refuses with network %s', (NetworkMode, { UTSMode }: { UTSMode?: string }) => {
    const Config = {
      Hostname: 'other',
      Domainname: '',
      ExposedPorts: { '80/tcp': {} },
      MacAddress: '02:00:00:00:00:01',
    };
    const made = body({ Config, HostConfig: { NetworkMode, ...(UTSMode && { UTSMode }) } });
    expect(made).not.toHaveProperty('Hostname');
    expect(made).not.toHaveProperty('Domainname');
    const isShared = NetworkMode.startsWith('container:');
    expect('ExposedPorts' in made).toBe(!isShared);
    expect('MacAddress' in made).toBe(!isShared);
  });

  test('keeps named, anonymous and read-only volumes by name, each once', () => {
    const volume = (Name: string, Destination: string, RW = true) => ({ Type: 'volume', Name, Destination, RW });
    const hash = 'e'.repeat(64);
    const made = body({
      HostConfig: {
        Binds: ['named:/named:rw', '/host:/src:ro', '/lonely'],
        Mounts: [
          { Type: 'volume', Target: '/m', VolumeOptions: { NoCopy: true } },
          { Type: 'bind', Source: '/x', Target: '/y' },
        ],
      },
      Mounts: [
        volume('named', '/named'),
        { Type: 'bind', Source: '/host', Destination: '/src', RW: false },
        volume('m-hash', '/m'),
        { Type: 'bind', Source: '/x', Destination: '/y', RW: true },
        volume(hash, '/anon', false),
        volume('lonely-hash', '/lonely'),
        { Type: 'tmpfs', Destination: '/t' },
      ],
    });
    expect(made['HostConfig']).toMatchObject({
      Binds: ['named:/named:rw', '/host:/src:ro'],
      Mounts: [
        { Type: 'volume', Target: '/m', Source: 'm-hash', VolumeOptions: { NoCopy: true } },
        { Type: 'bind', Source: '/x', Target: '/y' },
        { Type: 'volume', Source: hash, Target: '/anon', ReadOnly: true },
        { Type: 'volume', Source: 'lonely-hash', Target: '/lonely', ReadOnly: false },
      ],
    });
  });

  test('joins the networks with aliases and chosen addresses, without what the engine gave', () => {
    const parts = {
      Config: { MacAddress: '02:42:00:00:00:09' },
      HostConfig: { NetworkMode: 'proj_default' },
      Networks: {
        proj_default: {
          Aliases: ['app', ID.slice(0, 12), 'abc'],
          IPAMConfig: null,
          Links: null,
          IPAddress: '172.19.0.2',
          MacAddress: '02:42:ac:13:00:02',
          DriverOpts: null,
        },
        second: { Aliases: null, IPAMConfig: { IPv4Address: '10.1.1.9' }, Links: ['db:d'], DriverOpts: { o: '1' } },
      },
    };
    expect(content(parts).networks).toEqual({
      proj_default: { Aliases: ['app', 'abc'], MacAddress: '02:42:00:00:00:09' },
      second: { IPAMConfig: { IPv4Address: '10.1.1.9' }, Links: ['db:d'], DriverOpts: { o: '1' } },
    });
    expect(body(parts)['NetworkingConfig']).toEqual({
      EndpointsConfig: { proj_default: { Aliases: ['app', 'abc'], MacAddress: '02:42:00:00:00:09' } },
    });
  });

  test('names the network that was given by id or, as by Podman, not at all', () => {
    const Networks = { mine: { NetworkID: 'c'.repeat(64), Aliases: ['x'] } };
    for (const NetworkMode of ['c'.repeat(64), 'c'.repeat(12), 'bridge']) {
      expect(body({ HostConfig: { NetworkMode }, Networks })).toMatchObject({
        HostConfig: { NetworkMode: 'mine' },
        NetworkingConfig: { EndpointsConfig: { mine: { Aliases: ['x'] } } },
      });
    }
    expect(body({ HostConfig: { NetworkMode: 'bridge' } })).toMatchObject({ HostConfig: { NetworkMode: 'bridge' } });
  });

  test('gives nothing for a network without settings, since engines refuse even empty ones on some', () => {
    const made = body({ Networks: { bridge: { Aliases: null, IPAMConfig: {} } } });
    expect(made).not.toHaveProperty('NetworkingConfig');
  });

  test('turns what engines show into what they take', () => {
    const made = body({
      HostConfig: {
        ContainerIDFile: '/tmp/cid',
        Links: ['/db:/app_1/database'],
        Ulimits: [{ Name: 'RLIMIT_NOFILE', Soft: 1, Hard: 2 }],
        MemorySwappiness: -1,
        NanoCpus: 5e8,
        CpuPeriod: 100_000,
        CpuQuota: 50_000,
      },
    })['HostConfig'] as Record<string, unknown>;
    expect(made).toMatchObject({ NanoCpus: 5e8, CpuPeriod: 0, CpuQuota: 0 });
    expect(made).toMatchObject({ Links: ['db:database'], Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }] });
    expect(made).not.toHaveProperty('ContainerIDFile');
    expect(made).not.toHaveProperty('MemorySwappiness');
  });

  test.each([
    ['no JSON', 'secret=1'],
    ['of another version', JSON.stringify({ ...content(), version: 2 })],
    ['without a part', JSON.stringify({ version: 1, name: 'x', config: {}, hostConfig: {}, networks: {} })],
    ['with a name that leads elsewhere', JSON.stringify({ version: 1, ...content(), name: '../x' })],
    ['with labels that are no texts', JSON.stringify({ version: 1, ...content(), labels: { a: 1 } })],
    ['too long', JSON.stringify({ version: 1, ...content(), config: { x: 'x'.repeat(5_000_000) } })],
  ])('that is %s is refused without quoting it', (_what, text) => {
    const read = (): unknown => readBlueprint(text);
    expect(read).toThrow(expect.objectContaining({ code: 'state-unreadable' }));
    expect(read).not.toThrow(/secret/);
  });
});

describe('describing a container', () => {
  const current = engineUnderTest();

  test('says what is missing', async () => {
    current().server.on('GET /containers/c1/json', json({ message: 'No such container: c1' }, 404));
    await expect(current().engine.describeContainer('c1', within())).rejects.toMatchObject({
      code: 'engine-object-not-found',
    });
    current().server.on('GET /containers/c1/json', json({ Id: 'c1', Name: '/x' }));
    await expect(current().engine.describeContainer('c1', within())).rejects.toMatchObject({
      code: 'engine-request-failed',
    });
    current().server.on('GET /containers/c1/json', json(inspected()));
    expect(readBlueprint(await current().engine.describeContainer('c1', within())).name).toBe('app_1');
  });
});
