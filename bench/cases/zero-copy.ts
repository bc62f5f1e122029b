import { randomBytes } from 'node:crypto';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Delivery, ReadOnlyMount, SubAgentBinary } from '../../src/agentcontainers/ports.ts';
import type { SubAgentLauncher } from '../../src/index.ts';
import type { BenchContext } from '../context.ts';
import { createFleet, inParallel } from '../containers.ts';
import type { DevFolder, Fleet } from '../containers.ts';
import { loadLibrary, loadParts } from '../library.ts';
import type { Row } from '../row.ts';
import { median } from '../row.ts';

const ROUNDS = 3;
const COUNT = 20;
const SIZE = 60_000_000;
const MB = 1_000_000;
const READY = 'bench-agent ready';
const LIMIT_MS = 180_000;

/** The shell ends before it reads the rest, which is random so that nothing can shorten it. */
const SCRIPT = `#!/bin/sh
case $1 in
  --version) echo 'bench-agent 1' ;;
  agent) echo '${READY}'; while read -r line; do [ "$line" = stop ] && exit 0; done ;;
esac
exit 0
`;

interface Round {
  /** From the first start call to the last ready line. */
  readonly total: number;
  /** From the engine's answer that a container has started to its sub-agent's ready line; the mean. */
  readonly each: number;
  /** What all containers together hold of their own. */
  readonly mb: number;
}

/**
 * 20 dev containers that were made before are started, and each gets its sub-agent of 60 MB: until the last one has said
 * that it is ready. Ours: with the store mounted, as the daemon makes containers; baseline: the same launcher, copying.
 */
export async function zeroCopy(context: BenchContext): Promise<Row[]> {
  const { engine: benchEngine, cleanup, say } = context;
  const { fileSubAgentProvider, silentLogger: logger } = await loadLibrary();
  const { createDockerEngine, createSubAgentLauncher, systemClock: clock } = await loadParts();
  const fleet = await createFleet(benchEngine, cleanup);
  const engine = createDockerEngine({ dockerHost: benchEngine.dockerHost, clock, logger });
  const endEngine = cleanup.add('the connection to the engine', () => engine.close());
  try {
    const path = join(fleet.root, 'bench-agent');
    await writeFile(path, Buffer.concat([Buffer.from(SCRIPT), randomBytes(SIZE - SCRIPT.length)]), { mode: 0o755 });
    const signal = AbortSignal.timeout(LIMIT_MS);
    const provider = fileSubAgentProvider({ path, readyLine: READY });
    const binary = await provider.resolve({ operatingSystem: 'linux', architecture: 'amd64' }, signal);
    if (!binary) throw new Error('The provider has no executable.');
    const folders = await inParallel(numbers(), (number) => fleet.makeFolder(`zero-copy-${number}`));

    const measure = async (name: string, storeDirectory?: string): Promise<Round> => {
      // A launcher of its own, as of a daemon that was just started: nothing is known to work.
      const launcher = createSubAgentLauncher({ engine, clock, logger, storeDirectory });
      const mount = await launcher.readOnlyMount(AbortSignal.timeout(LIMIT_MS));
      return startAll({ context, fleet, launcher, binary, folders, mounts: mount ? [mount] : [], name });
    };
    const ours: Round[] = [];
    const baseline: Round[] = [];
    say(`Starting ${COUNT} containers with a sub-agent of 60 MB: ${ROUNDS} rounds of each…`);
    for (let round = 0; round < ROUNDS; round++) {
      // A store of its own: the first container of each round pays for the copy into it.
      ours.push(await measure(`mounted-${round}`, join(fleet.root, `store-${round}`)));
      baseline.push(await measure(`copied-${round}`));
    }
    const rounds = String(ROUNDS);
    const all = (of: readonly Round[], what: keyof Round): number[] => of.map((round) => round[what]);
    const times = (what: 'each' | 'total') => ({
      unit: 'ms' as const,
      ours: median(all(ours, what)),
      baseline: median(all(baseline, what)),
      rounds,
      samples: { ours: all(ours, what), baseline: all(baseline, what) },
    });
    return [
      {
        name: `container started to sub-agent ready, 60 MB, ${COUNT} containers`,
        demand: { kind: 'ratio', value: 3 },
        ...times('each'),
      },
      { name: `the same with the engine's own start, all ${COUNT}`, ...times('total') },
      {
        name: `what these ${COUNT} containers then hold of their own`,
        unit: 'MB',
        ours: Math.max(...all(ours, 'mb')),
        baseline: median(all(baseline, 'mb')),
        demand: { kind: 'zero' },
        rounds,
      },
      {
        name: 'the executable on the host, once for all of them',
        unit: 'MB',
        ours: await megabytesIn(join(fleet.root, 'store-0')),
        rounds: '1',
      },
    ];
  } finally {
    await endEngine();
    await fleet.dispose();
  }
}

async function startAll(run: {
  readonly context: BenchContext;
  readonly fleet: Fleet;
  readonly launcher: SubAgentLauncher;
  readonly binary: SubAgentBinary;
  readonly folders: readonly DevFolder[];
  readonly mounts: readonly ReadOnlyMount[];
  readonly name: string;
}): Promise<Round> {
  const { context, fleet, launcher, binary, folders, mounts, name } = run;
  const ids = await inParallel(folders, (folder) => fleet.create(folder, `${name}-${folder.path.slice(-2)}`, mounts));
  const ways: Delivery['way'][] = [];
  let afterStart = 0;
  const began = performance.now();
  const processes = await inParallel(ids, async (containerId) => {
    await fleet.start(containerId);
    const started = performance.now();
    const request = { containerId, binary, user: 'dev', signal: AbortSignal.timeout(LIMIT_MS) };
    const { path, way } = await launcher.deliver(request);
    ways.push(way);
    const process = await launcher.launch({ ...request, path, workingDir: '/', env: {} });
    afterStart += performance.now() - started;
    return process;
  });
  const total = performance.now() - began;
  const expected = mounts.length > 0 ? 'mounted' : 'archive';
  if (ways.some((way) => way !== expected)) throw new Error(`Not all were ${expected}: ${ways.join(', ')}.`);
  const sizes = await inParallel(ids, async (id) => {
    const container = await context.engine.call('GET', `/containers/${id}/json?size=true`);
    return (container as { readonly SizeRw?: number }).SizeRw ?? 0;
  });
  await inParallel(processes, (process) => process.stop(5_000));
  await inParallel(ids, (id) => fleet.remove(id));
  return { total, each: afterStart / COUNT, mb: sizes.reduce((sum, size) => sum + size, 0) / MB };
}

async function megabytesIn(directory: string): Promise<number> {
  const sizes = await Promise.all(
    (await readdir(directory)).map(async (name) => (await stat(join(directory, name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0) / MB;
}

function numbers(): string[] {
  return Array.from({ length: COUNT }, (_, index) => String(index).padStart(2, '0'));
}
