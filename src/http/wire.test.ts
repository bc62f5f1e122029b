import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Holder, ListedContainer } from '../agentcontainers/api.ts';
import { rfc3339 } from '../clock/rfc3339.ts';
import { devcontainer, operation, T0, VERDICT } from './test-api.ts';
import { wireContainer, wireDevcontainer, wireList, wireOperation } from './wire-schemas.ts';
import { toWireContainer, toWireDevcontainer, toWireList, toWireOperation } from './wire.ts';

function container(part: Partial<ListedContainer> = {}): ListedContainer {
  return {
    id: 'c1',
    name: 'web',
    image: 'busybox',
    imageId: 'sha256:1',
    labels: { a: 'b' },
    createdAt: T0,
    state: 'running',
    running: true,
    status: 'running',
    startedAt: T0,
    ports: [{ port: 8080, network: 'tcp', hostIp: '127.0.0.1', hostPort: 80 }],
    mounts: [],
    portWarnings: ['raw'],
    level: 'managed',
    devcontainerId: 'dc-1',
    ...part,
  };
}

const sent = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;

test('a container is written with the fields of the contract and no other', () => {
  const wire = sent(
    toWireContainer(
      container({
        mounts: [
          { type: 'volume', source: 'z', destination: '/z', writable: true },
          { type: 'bind', source: '/home/me', destination: '/work', writable: true },
          { type: 'tmpfs', source: '', destination: '/tmp', writable: true },
        ],
      }),
    ),
  );
  expect(wire).toEqual({
    id: 'c1',
    name: 'web',
    image: 'busybox',
    labels: { a: 'b' },
    created_at: '2025-01-31T12:00:00.000Z',
    running: true,
    status: 'running',
    ports: [{ port: 8080, network: 'tcp', host_ip: '127.0.0.1', host_port: 80 }],
    volumes: { '/home/me': '/work', z: '/z' },
    level: 'managed',
    devcontainer_id: 'dc-1',
  });
  expect(Object.keys((wire as { volumes: object }).volumes)).toEqual(['/home/me', 'z']);
  wireContainer.strict().parse(wire);
});

test('a devcontainer is written with every field in snake case', () => {
  const wire = sent(
    toWireDevcontainer(
      devcontainer({
        subAgentId: 'a-1',
        container: container(),
        agent: { id: 'a-1', name: 'web', directory: '/work', status: 'running', version: '1', startedAt: T0 },
        error: 'hook failed',
        degraded: [{ phase: 'postCreateCommand', command: 'make', exitCode: 2, outputTail: 'no rule' }],
        dirtyReasons: [{ input: 'image', class: 'recreate' }],
        configError: { message: 'expected a comma', line: 3, column: 7 },
        candidates: [{ containerId: 'c2', name: 'old', reason: 'stopped' }],
        operationId: 'op-1',
        trusted: false,
        verdict: VERDICT,
        trust: { hash: 'old', findings: VERDICT.findings.slice(1), at: T0 },
        holders: [{ id: 'h-1', kind: 'exec', description: 'npm', since: T0 }],
      }),
    ),
  );
  wireDevcontainer.strict().parse(wire);
  expect(wire).toMatchObject({
    workspace_folder: '/src/web',
    config_path: '/src/web/.devcontainer/devcontainer.json',
    subagent_id: 'a-1',
    agent: { status: 'running', started_at: '2025-01-31T12:00:00.000Z' },
    degraded: [{ phase: 'postCreateCommand', command: 'make', exit_code: 2, output_tail: 'no rule' }],
    dirty_reasons: [{ input: 'image', class: 'recreate' }],
    config_error: { message: 'expected a comma', line: 3, column: 7 },
    candidates: [{ container_id: 'c2', name: 'old', reason: 'stopped' }],
    operation_id: 'op-1',
    trusted: false,
    busy: true,
    verdict: { hash: VERDICT.hash, finding_count: 2, findings: VERDICT.findings },
    trust: { hash: 'old', findings: VERDICT.findings.slice(1), at: '2025-01-31T12:00:00.000Z' },
    holders: [{ id: 'h-1', kind: 'exec', description: 'npm', since: '2025-01-31T12:00:00.000Z' }],
  });
});

test('in a list are counts instead of findings and holders, which can be long and change often', () => {
  const holder: Holder = { id: 'h-1', kind: 'exec', description: 'npm', since: T0 };
  const trust = { ...VERDICT, at: T0 };
  const entry = (...holders: Holder[]) => devcontainer({ trusted: true, verdict: VERDICT, trust, holders });
  const list = (...devcontainers: ReturnType<typeof entry>[]) =>
    sent(toWireList({ devcontainers, containers: [], warnings: [] }));
  const [listed] = wireList.parse(list(entry(holder))).devcontainers;
  expect(listed).toMatchObject({ trusted: true, busy: true, verdict: { hash: VERDICT.hash, finding_count: 2 } });
  expect(JSON.stringify(listed)).not.toContain('docker.sock');
  expect(listed).not.toHaveProperty('trust');
  expect(listed).not.toHaveProperty('holders');
  // So a second holder, or another one, makes no new frame.
  expect(list(entry(holder))).toEqual(list(entry(holder, { ...holder, id: 'h-2' })));
  expect(wireList.parse(list(entry())).devcontainers[0]?.busy).toBe(false);
});

test.each(['recover', 'rerun-hook'] as const)('an operation of kind %s is written with its steps', (kind) => {
  const steps = [
    { name: 'build', startedAt: T0, endedAt: T0 + 1500 },
    { name: 'create', startedAt: T0 + 1500 },
  ];
  const wire = sent(toWireOperation(operation({ kind, steps })));
  wireOperation.strict().parse(wire);
  expect(wire).toMatchObject({
    kind,
    steps: [
      { name: 'build', started_at: '2025-01-31T12:00:00.000Z', ended_at: '2025-01-31T12:00:01.500Z' },
      { name: 'create', started_at: '2025-01-31T12:00:01.500Z' },
    ],
  });
});

test('what is not there is left out, but an agent record that is not there is null', () => {
  const wire = sent(toWireDevcontainer(devcontainer()));
  expect(Object.keys(wire as object).sort()).toEqual(
    [
      ...['config_path', 'dirty', 'id', 'level', 'name', 'status', 'subagent_id', 'workspace_folder'],
      ...['trusted', 'busy'],
    ].sort(),
  );
  expect(wire).toMatchObject({ subagent_id: null });
});

test('labels and volumes called __proto__ are values like any other', () => {
  const labels = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
  const mounts = [{ type: 'bind', source: '__proto__', destination: '/p', writable: true }];
  const wire = JSON.stringify(toWireContainer(container({ labels, mounts })));
  expect(wire).toContain('"labels":{"__proto__":"x"}');
  expect(wire).toContain('"volumes":{"__proto__":"/p"}');
});

test('any instant becomes a valid time', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.double(), fc.integer(), fc.constantFrom(NaN, Infinity, -Infinity, 8.64e15, 8.64e15 + 1)),
      (at) => {
        expect(Number.isNaN(Date.parse(rfc3339(at)))).toBe(false);
      },
    ),
  );
});

test('warnings are listed only when there are some', () => {
  const empty = { devcontainers: [], containers: [], warnings: [] };
  expect(toWireList(empty)).toEqual({ devcontainers: [], containers: [] });
  expect(toWireList({ ...empty, warnings: ['w'] })).toEqual({ devcontainers: [], containers: [], warnings: ['w'] });
});
