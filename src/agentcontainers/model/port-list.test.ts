import { describe, expect, it } from 'vitest';
import { containerOf } from '../../../test/property/support/model-scenario.ts';
import type { ContainerPort } from './container.ts';
import { boundPorts, portWarnings } from './port-list.ts';

const port = (hostIp: string | undefined, hostPort: number | undefined, inside = 80): ContainerPort => ({
  port: inside,
  network: 'tcp',
  hostIp,
  hostPort,
});

describe('boundPorts', () => {
  it('leaves out what is not bound', () => {
    expect(boundPorts(containerOf('c', { ports: [port(undefined, undefined), port('0.0.0.0', 80)] }))).toEqual([
      port('0.0.0.0', 80),
    ]);
  });

  it.each([
    ['0.0.0.0', '::'],
    ['127.0.0.1', '::1'],
    ['127.0.0.53', '0.0.0.0'],
    ['', '127.0.0.1'],
    [undefined, '::'],
  ])('lists one pair on %s and %s once', (one, other) => {
    const ports = [port(one, 8080), port(other, 8080)];
    expect(boundPorts(containerOf('c', { ports }))).toEqual([port(one, 8080)]);
  });

  it.each([
    ['another host port', port('::', 8081)],
    ['another port inside', port('::', 8080, 81)],
    ['another network', { ...port('::', 8080), network: 'udp' as const }],
    ['an address of the network', port('192.168.1.5', 8080)],
  ])('keeps beside it a port with %s', (_what, other) => {
    const ports = [port('0.0.0.0', 8080), other];
    expect(boundPorts(containerOf('c', { ports }))).toEqual(ports);
  });

  it('lists the same pair on two addresses of the network twice', () => {
    const ports = [port('192.168.1.5', 8080), port('10.0.0.5', 8080)];
    expect(boundPorts(containerOf('c', { ports }))).toEqual(ports);
  });
});

describe('portWarnings', () => {
  it('names, sorted, the containers that share a host port on loopback and unspecified addresses', () => {
    const of = (name: string, hostIp: string, hostPort: number) =>
      containerOf(name, { name, ports: [port(hostIp, hostPort)] });
    expect(
      portWarnings([
        of('zeta', '0.0.0.0', 9000),
        of('beta', '127.0.0.2', 9000),
        of('beta', '::1', 80),
        of('alpha', '127.0.0.1', 80),
      ]),
    ).toEqual([
      'host port 80 is mapped to multiple containers on different interfaces: alpha, beta',
      'host port 9000 is mapped to multiple containers on different interfaces: beta, zeta',
    ]);
  });

  it('does not warn of one container on several addresses, nor of addresses of the network', () => {
    const both = containerOf('a', { ports: [port('0.0.0.0', 80), port('::', 80)] });
    const outside = containerOf('b', { ports: [port('192.168.1.5', 80)] });
    expect(portWarnings([both, outside])).toEqual([]);
  });

  it('hands on what could not be understood, first', () => {
    const broken = containerOf('a', { portWarnings: ['convert docker port: x/y'], ports: [port('::', 80)] });
    const other = containerOf('b', { ports: [port('::', 80)] });
    expect(portWarnings([broken, other])).toEqual([
      'convert docker port: x/y',
      'host port 80 is mapped to multiple containers on different interfaces: name-a, name-b',
    ]);
  });
});
