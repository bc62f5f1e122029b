import { test as propertyTest, fc } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { parseInspectedContainer, parseListedContainer } from './parse-container.ts';

const listed = (entry: object) => parseListedContainer({ Id: 'a'.repeat(64), State: 'running', ...entry });

describe('an entry of a listing', () => {
  test.each([
    { State: 'running', Status: 'Up 3 seconds', state: 'running', running: true, status: 'running' },
    {
      State: 'exited',
      Status: 'Exited (0) 2 days ago',
      state: 'exited',
      running: false,
      status: 'exited successfully',
    },
    {
      State: 'exited',
      Status: 'Exited (137) About an hour ago',
      state: 'exited',
      running: false,
      status: 'exited with code 137',
    },
    { State: 'exited', Status: 'Exited (-1) now', state: 'exited', running: false, status: 'exited with code -1' },
    { State: 'exited', Status: '', state: 'exited', running: false, status: 'exited' },
    { State: 'created', Status: 'Created', state: 'created', running: false, status: 'created' },
    { State: 'paused', Status: 'Up 3 minutes (Paused)', state: 'paused', running: false, status: 'paused' },
    {
      State: 'restarting',
      Status: 'Restarting (1) 2 seconds ago',
      state: 'restarting',
      running: false,
      status: 'restarting',
    },
    { State: 'removing', Status: 'Removal In Progress', state: 'removing', running: false, status: 'removing' },
    { State: 'dead', Status: 'Dead', state: 'dead', running: false, status: 'dead' },
    { State: 'configured', Status: '', state: 'created', running: false, status: 'created' },
    { State: 'stopping', Status: '', state: 'running', running: true, status: 'running' },
    { State: 'stopped', Status: 'Exited (0) now', state: 'exited', running: false, status: 'exited successfully' },
    { State: 'levitating', Status: '', state: 'dead', running: false, status: 'dead' },
  ])('in state $State with "$Status" is $status', ({ State, Status, ...expected }) => {
    expect(listed({ State, Status })).toMatchObject(expected);
  });

  test('has its own name, not the names that links gave it', () => {
    expect(listed({ Names: ['/web/db', '/db'] })?.name).toBe('db');
    expect(listed({ Names: [] })?.name).toBe('a'.repeat(12));
  });

  test('has bound and exposed ports in a stable order, and a warning for each that makes no sense', () => {
    const Ports = [
      { PrivatePort: 80, Type: 'tcp' },
      { IP: '::', PrivatePort: 8080, PublicPort: 3000, Type: 'tcp' },
      { IP: '0.0.0.0', PrivatePort: 8080, PublicPort: 3000, Type: 'tcp' },
      { PrivatePort: 53, PublicPort: 0, Type: 'udp' },
      { PrivatePort: 99999, Type: 'tcp' },
      { PrivatePort: '80', Type: 'tcp' },
      { PrivatePort: 1, PublicPort: -1, Type: 'tcp' },
      { PrivatePort: 1, Type: 'carrier pigeon' },
      '80/tcp',
      null,
    ];
    const first = listed({ Ports });
    expect(first?.ports).toEqual([
      { port: 53, network: 'udp' },
      { port: 80, network: 'tcp' },
      { port: 8080, network: 'tcp', hostIp: '0.0.0.0', hostPort: 3000 },
      { port: 8080, network: 'tcp', hostIp: '::', hostPort: 3000 },
    ]);
    expect(first?.portWarnings).toHaveLength(6);
    expect(first?.portWarnings).toContain('convert docker port: invalid port {"PrivatePort":99999,"Type":"tcp"}');
    expect(listed({ Ports: Ports.toReversed() })).toEqual(first);
  });

  test('names a volume by its name and a bind by its host path', () => {
    const Mounts = [
      { Type: 'bind', Source: '/src', Destination: '/work', RW: false },
      { Type: 'volume', Name: 'cache', Source: '/var/lib/x/_data', Destination: '/cache', RW: true },
      { Type: 'tmpfs', Destination: '/tmp' },
      { Type: 'bind', Source: '/nowhere' },
    ];
    expect(listed({ Mounts })?.mounts).toEqual([
      { type: 'bind', source: '/src', destination: '/work', writable: false },
      { type: 'volume', source: 'cache', destination: '/cache', writable: true },
      { type: 'tmpfs', source: '', destination: '/tmp', writable: true },
    ]);
  });

  test('a label named like a prototype stays a label', () => {
    const Labels = JSON.parse('{"__proto__":"x","constructor":"y","n":1}') as unknown;
    expect(Object.entries(listed({ Labels })?.labels ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });

  test('without an id there is no container', () => {
    expect(parseListedContainer({ Names: ['/x'] })).toBeUndefined();
    expect(parseListedContainer(null)).toBeUndefined();
  });

  propertyTest.prop([
    fc.dictionary(fc.constantFrom('State', 'Status', 'Names', 'Ports', 'Mounts', 'Labels', 'Created'), fc.jsonValue()),
  ])('whatever its fields hold, it is read without an error', (entry) => {
    expect(listed(entry)?.id).toBe('a'.repeat(64));
    expect(parseInspectedContainer({ Id: 'x', Config: entry, State: entry, Mounts: entry })?.id).toBe('x');
  });
});

describe('an inspected container', () => {
  test('has its exit, its error and the settings that matter', () => {
    const details = parseInspectedContainer({
      Id: 'f00',
      Name: '/web',
      Image: 'sha256:abc',
      Created: '2024-02-29T12:34:55.987654321Z',
      State: {
        Status: 'exited',
        ExitCode: 127,
        OOMKilled: true,
        Error: 'no such\nfile',
        StartedAt: '2024-02-29T12:34:56.123456789Z',
      },
      Config: { Image: 'base:1', User: 'dev', Env: ['A=1', 2], Labels: { k: 'v' } },
      Mounts: [],
    });
    expect(details).toEqual({
      id: 'f00',
      name: 'web',
      image: 'base:1',
      imageId: 'sha256:abc',
      state: 'exited',
      running: false,
      status: 'exited with code 127: no such file',
      exitCode: 127,
      oomKilled: true,
      error: 'no such file',
      createdAt: Date.UTC(2024, 1, 29, 12, 34, 55, 987),
      startedAt: Date.UTC(2024, 1, 29, 12, 34, 56, 123),
      labels: { k: 'v' },
      user: 'dev',
      env: ['A=1'],
      mounts: [],
    });
  });

  test('that never ran has no start', () => {
    expect(
      parseInspectedContainer({ Id: 'x', State: { Status: 'created', StartedAt: '0001-01-01T00:00:00Z' } }),
    ).toMatchObject({
      status: 'created',
      startedAt: undefined,
    });
  });
});
