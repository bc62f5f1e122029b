import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { PersistedState, StateStorage, ValidConfig } from '../../src/agentcontainers/ports.ts';
import type * as Adapter from '../../src/devcontainercli/config-files.ts';
import type { Devcontainer } from '../../src/index.ts';
import { createFleet, inParallel, type DevFolder, type Fleet } from '../containers.ts';
import type { BenchContext } from '../context.ts';
import { until } from '../context.ts';
import { loadLibrary } from '../library.ts';
import { LIBRARY } from '../paths.ts';
import { settled } from '../process-counters.ts';
import type { Row } from '../row.ts';
import { median, quantile } from '../row.ts';

const COUNT = 50;
const ROUNDS = 120;
const LATE_MS = 10_000;

/** What each entry is made from, by path in its folder, and the input that differs when a line is added to it. */
const FILES = [
  { path: '.devcontainer/devcontainer.json', input: 'containerEnv', text: configText(1), other: configText(2) },
  {
    path: '.devcontainer/Dockerfile',
    input: './.devcontainer/Dockerfile',
    text: 'FROM agentcontainers-base:1\nCOPY package.json /\n',
    other: 'FROM agentcontainers-base:1\nCOPY package.json /\nRUN true\n',
  },
  { path: 'package.json', input: './package.json', text: '{}\n', other: '{ "private": true }\n' },
  {
    path: '.devcontainer/devcontainer-lock.json',
    input: './.devcontainer/devcontainer-lock.json',
    text: '{ "features": {} }\n',
    other: '{ "features": { "a": {} } }\n',
  },
] as const;

function configText(value: number): string {
  const build = { dockerfile: 'Dockerfile', context: '..' };
  return `${JSON.stringify({ build, containerEnv: { VALUE: String(value) } }, null, 2)}\n`;
}

/**
 * From the write of one file to the moment when a subscriber of the library sees the entry as dirty because of it, with
 * 50 entries whose files are all watched. The revert that follows is awaited and not counted.
 */
export async function dirtyLatency(context: BenchContext): Promise<Row[]> {
  const fleet = await createFleet(context.engine, context.cleanup);
  try {
    context.say(`Creating ${COUNT} containers…`);
    const numbers = Array.from({ length: COUNT }, (_, index) => `d${String(index).padStart(4, '0')}`);
    const made = await inParallel(numbers, (name) => makeEntry(fleet, name));
    const samples = await measure(context, fleet, made);
    const name = `event to dirty, ${COUNT} entries with ${FILES.length} watched files each`;
    const rounds = String(samples.length);
    return [
      {
        name: `${name}, p50`,
        unit: 'ms',
        ours: median(samples),
        demand: { kind: 'below', value: 100 },
        rounds,
        samples: { ours: samples },
      },
      { name: `${name}, p95`, unit: 'ms', ours: quantile(samples, 0.95), rounds },
    ];
  } finally {
    context.say('Removing them…');
    await fleet.dispose();
  }
}

type Made = PersistedState['entries'][number];

async function makeEntry(fleet: Fleet, name: string): Promise<Made> {
  const folder: DevFolder = await fleet.makeFolder(name);
  for (const { path, text } of FILES) await writeFile(join(folder.path, path), text);
  const containerId = await fleet.create(folder, name);
  const { fingerprint, inputs } = await readConfig(folder);
  if (FILES.some(({ input }) => inputs[input] === undefined))
    throw new Error(`Inputs: ${Object.keys(inputs).join(', ')}`);
  return {
    id: `00000000-0000-4000-8000-00000000${name.slice(1)}`,
    workspaceFolder: folder.path,
    configPath: folder.configPath,
    adopted: true,
    made: [{ containerId, fingerprint, inputs, ours: true }],
  };
}

async function readConfig({ path, configPath }: DevFolder): Promise<ValidConfig> {
  const adapter = join(dirname(LIBRARY), 'devcontainercli/config-files.js');
  const { createConfigFiles } = (await import(pathToFileURL(adapter).href)) as typeof Adapter;
  const snapshot = await createConfigFiles().read({ workspaceFolder: path, configPath });
  if (snapshot.kind !== 'valid') throw new Error(`The configuration is ${snapshot.kind}.`);
  return snapshot;
}

async function measure({ engine, say }: BenchContext, fleet: Fleet, entries: readonly Made[]): Promise<number[]> {
  const { createAgentContainers, silentLogger } = await loadLibrary();
  const storage: StateStorage = {
    load: async () => ({ version: 1, entries, operations: [] }),
    save: async () => {},
    saveContents: async () => {},
    loadContents: async () => undefined,
    keepContents: async () => {},
  };
  const api = createAgentContainers({
    dockerHost: engine.dockerHost,
    labels: [fleet.label],
    adopt: 'all',
    injectSubAgents: false,
    // What no watch sees is not found by the safety net, but counted as late.
    updateIntervalMs: 600_000,
    storage,
    logger: silentLogger,
  });
  const seen = new Map<string, Devcontainer>();
  let onChange = (): void => {};
  try {
    const leave = api.subscribe(({ devcontainers }) => {
      for (const one of devcontainers) seen.set(one.workspaceFolder, one);
      onChange();
    });
    await api.start();
    const { devcontainers } = await api.list();
    const clean = devcontainers.filter(({ dirty, container }) => !dirty && container !== undefined);
    if (clean.length !== COUNT) throw new Error(`${clean.length} of ${COUNT} entries are listed as clean.`);
    await settled(process.pid);
    say(`Changing files: ${ROUNDS} rounds…`);
    const samples: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { workspaceFolder } = entries[(round * 7) % entries.length] as Made;
      const { path, input, text, other } = FILES[round % FILES.length] as (typeof FILES)[number];
      const file = join(workspaceFolder, path);
      const inputs = (): string => (seen.get(workspaceFolder)?.dirtyReasons ?? []).map((one) => one.input).join();
      const began = performance.now();
      const shown = new Promise<number>((resolve) => {
        onChange = () => inputs() === input && resolve(performance.now());
      });
      await writeFile(file, other);
      const timeout = new Promise<number>((resolve) => setTimeout(() => resolve(began + LATE_MS), LATE_MS).unref());
      samples.push((await Promise.race([shown, timeout])) - began);
      await writeFile(file, text);
      await until('the entry is clean again', LATE_MS, () => inputs() === '');
    }
    leave();
    return samples;
  } finally {
    await api.close();
  }
}
