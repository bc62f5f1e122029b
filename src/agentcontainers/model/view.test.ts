import { describe, expect, it } from 'vitest';
import {
  claimOf,
  containerOf,
  createScenario,
  FOLDER,
  keyOf,
  readingOf,
} from '../../../test/property/support/model-scenario.ts';
import { createProjector } from './view.ts';

const FIELD = /^[a-z][a-zA-Z]*$/;

describe('the projection', () => {
  it('of nothing is empty', () => {
    expect(createProjector()(createScenario().state)).toEqual({ devcontainers: [], containers: [], warnings: [] });
  });

  it('shows an entry in the words of the domain, with what there is and without what there is not', () => {
    const scenario = createScenario();
    scenario.register();
    expect(scenario.view()).toEqual({
      id: FOLDER,
      name: 'a',
      workspaceFolder: FOLDER,
      configPath: keyOf(FOLDER).configPath,
      trusted: false,
      status: 'stopped',
      dirty: false,
      level: 'adopted',
      subAgentId: null,
    });
    scenario.running();
    scenario.dispatch({ type: 'configRead', id: FOLDER, reading: readingOf('two') });
    const view = scenario.view();
    for (const name of [...Object.keys(view), ...Object.keys(view.agent ?? {})]) expect(name).toMatch(FIELD);
  });

  it('shows no metadata of a container, which holds the environment of its configuration', () => {
    const scenario = createScenario();
    const labels = { 'devcontainer.metadata': '[{"containerEnv":{"TOKEN":"canary"}}]', team: 'red' };
    const container = containerOf('c1', { labels });
    scenario.observe([container, containerOf('plain', { labels })], { claims: [claimOf(container)] });
    const list = createProjector()(scenario.state);
    expect(JSON.stringify(list)).not.toContain('canary');
    expect(list.devcontainers[0]?.container?.labels).toMatchObject({ team: 'red' });
    expect(list.containers.map((one) => one.labels['team'])).toEqual(['red', 'red']);
  });

  it('sorts by folder, then by configuration', () => {
    const scenario = createScenario();
    const entries = [
      ['1', '/w/b', '/w/b/.devcontainer.json'],
      ['2', '/w/a', '/w/a/.devcontainer/z/devcontainer.json'],
      ['3', '/w/a', '/w/a/.devcontainer/b/devcontainer.json'],
      ['4', '/w', '/w/.devcontainer.json'],
    ] as const;
    for (const [id, workspaceFolder, configPath] of entries) {
      scenario.register(id, { key: { workspaceFolder, configPath } });
    }
    expect(createProjector()(scenario.state).devcontainers.map(({ id }) => id)).toEqual(['4', '3', '2', '1']);
  });

  it('leaves out the config path where none is known', () => {
    const scenario = createScenario();
    scenario.register(FOLDER, { key: { workspaceFolder: FOLDER, configPath: '' } });
    expect(scenario.view()).not.toHaveProperty('configPath');
  });

  it('lists all containers, those of devcontainers with their entry and level, with bound ports only', () => {
    const scenario = createScenario();
    const ports = [
      { port: 80, network: 'tcp' as const },
      { port: 81, network: 'tcp' as const, hostIp: '::', hostPort: 8081 },
    ];
    const [mine, plain] = [containerOf('c1', { ports }), containerOf('c2')];
    scenario.observe([mine, plain], { claims: [claimOf(mine)] });
    const { containers, devcontainers } = createProjector()(scenario.state);
    expect(containers).toEqual([{ ...mine, ports: [ports[1]], devcontainerId: FOLDER, level: 'adopted' }, plain]);
    expect(devcontainers[0]?.container?.ports).toEqual([ports[1]]);
  });

  it('shows warnings of ports', () => {
    const scenario = createScenario();
    scenario.observe([containerOf('c1', { portWarnings: ['convert docker port: x'] })]);
    expect(createProjector()(scenario.state).warnings).toEqual(['convert docker port: x']);
  });
});

describe('objects of the projection', () => {
  function world() {
    const scenario = createScenario();
    const project = createProjector();
    scenario.running();
    scenario.observe([containerOf('c1'), containerOf('c2', { workspaceFolder: '/w/b' })]);
    return { scenario, look: () => project(scenario.state) };
  }

  it('are the same when nothing happened, and after a pass that saw nothing new', () => {
    const { scenario, look } = world();
    const before = look();
    expect(look()).toBe(before);
    scenario.observe([containerOf('c1'), containerOf('c2', { workspaceFolder: '/w/b' })]);
    expect(look()).toBe(before);
  });

  it.each<[string, (scenario: ReturnType<typeof createScenario>) => unknown]>([
    ['a failed listing', (scenario) => scenario.dispatch({ type: 'observeFailed', message: 'no', at: 1 })],
    [
      'progress of an operation',
      (scenario) => scenario.dispatch({ type: 'operationProgressed', jobId: 'x', phase: '', at: 0 }),
    ],
    [
      'a configuration with the same content',
      (scenario) => scenario.dispatch({ type: 'configRead', id: FOLDER, reading: readingOf('one') }),
    ],
    ['a registration of what is known', (scenario) => scenario.register(FOLDER, { origin: 'seen', adopted: false })],
    ['a change of an entry that is not visible', (scenario) => scenario.register()],
  ])('are the same after %s', (_what, happen) => {
    const { scenario, look } = world();
    const before = look();
    happen(scenario);
    expect(look()).toBe(before);
  });

  it('of an entry that changed are new, those of the others the same', () => {
    const { scenario, look } = world();
    const before = look();
    scenario.dispatch({ type: 'configRead', id: FOLDER, reading: readingOf('two') });
    const after = look();
    expect(after).not.toBe(before);
    expect(after.devcontainers[0]).not.toBe(before.devcontainers[0]);
    expect(after.devcontainers[1]).toBe(before.devcontainers[1]);
    expect(after.containers).toBe(before.containers);
    expect(after.warnings).toBe(before.warnings);
  });

  it('are new when containers, ports or warnings changed', () => {
    const { scenario, look } = world();
    const before = look();
    scenario.observe([
      containerOf('c1', { ports: [{ port: 80, network: 'tcp', hostIp: '::', hostPort: 80 }] }),
      containerOf('c2', { workspaceFolder: '/w/b' }),
    ]);
    const after = look();
    expect(after.containers).not.toBe(before.containers);
    expect(after.devcontainers[0]?.container?.ports).toHaveLength(1);
    expect(after.devcontainers[1]).toBe(before.devcontainers[1]);
  });

  it('of an entry that is gone are gone', () => {
    const { scenario, look } = world();
    look();
    scenario.remove('job', '/w/b');
    scenario.deleteStopped('job', '/w/b');
    scenario.deleteEnded('job', undefined, '/w/b');
    expect(look().devcontainers.map(({ id }) => id)).toEqual([FOLDER]);
  });
});

it('warns of what of a configuration is not compared', () => {
  const scenario = createScenario();
  const config = { fingerprint: 'one', inputs: {}, modifiedAt: 0, problems: ['./big has too many files.'] };
  scenario.observe([containerOf('c1')], { readings: { [FOLDER]: readingOf('one', { config }) } });
  expect(createProjector()(scenario.state).warnings).toEqual(['a: ./big has too many files.']);
});
