import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { AgentContainers } from '../../src/index.ts';
import { createFleet } from '../containers.ts';
import type { Fleet } from '../containers.ts';
import type { BenchContext } from '../context.ts';
import { until } from '../context.ts';
import { loadLibrary, loadParts } from '../library.ts';
import type { Row } from '../row.ts';
import { median, quantile } from '../row.ts';

const CONTAINERS = 10;
const ROUNDS = 300;
/** Each of these takes tens or hundreds of milliseconds. */
const ENGINE_ROUNDS = 60;
const CLIENT_ROUNDS = 30;
const CLI_ROUNDS = 7;
const AT_ONCE = 50;
const AT_ONCE_ROUNDS = 9;
/** Of each way, before anything is measured: a daemon has run for a while. */
const WARM_UPS = 3;
const STREAM_MB = 200;
const STREAM_ROUNDS = 15;
const LIMIT_MS = 120_000;

/** One way to run a command in the n-th container; resolves with the number of bytes it wrote. */
type Way = (argv: readonly string[], number: number) => Promise<number>;

/**
 * `true` in a dev container, from the call to its known end: through the resident, against the engine's exec, the docker
 * client and the dev container CLI; many at once; and what one command can write.
 */
export async function commands(context: BenchContext): Promise<Row[]> {
  const fleet = await createFleet(context.engine, context.cleanup);
  const { createAgentContainers, residentSubAgentProvider, silentLogger: logger } = await loadLibrary();
  const { createDockerEngine, systemClock: clock } = await loadParts();
  const { dockerHost } = context.engine;
  const engine = createDockerEngine({ dockerHost, clock, logger });
  const endEngine = context.cleanup.add('the connection to the engine', () => engine.close());
  context.say(`Starting ${CONTAINERS} containers with their residents…`);
  const containers = await fleet.fill(CONTAINERS, { start: true });
  const api = createAgentContainers({
    dockerHost,
    logger,
    adopt: 'roots',
    roots: [fleet.root],
    subAgentProvider: residentSubAgentProvider(),
  });
  const endApi = context.cleanup.add('the library', () => api.close());
  try {
    await api.start();
    const ids = await withResidents(api, containers);
    const resident: Way = async (argv, number) => {
      const command = await api.devcontainer(ids[number % CONTAINERS] ?? '').exec({ argv });
      let bytes = 0;
      for await (const chunk of command.output) bytes += chunk.bytes.length;
      const { code, via } = await command.exited;
      if (code !== 0 || via !== 'resident') throw new Error(`${argv.join(' ')} ended with ${code} (${via}).`);
      return bytes;
    };
    const exec: Way = async (argv, number) => {
      const containerId = containers[number % CONTAINERS] ?? '';
      const session = await engine.exec({ containerId, argv, signal: AbortSignal.timeout(LIMIT_MS) });
      let bytes = 0;
      for await (const chunk of session.stdout) bytes += chunk.length;
      if ((await session.exited).exitCode !== 0) throw new Error(`${argv.join(' ')} failed.`);
      return bytes;
    };
    return [
      ...(await latencies(context, fleet, containers, resident, exec)),
      ...(await loads(context, resident, exec)),
    ];
  } finally {
    await endApi();
    await endEngine();
    await fleet.dispose();
  }
}

async function withResidents(api: AgentContainers, containers: readonly string[]): Promise<string[]> {
  const idOf = new Map<string, string>();
  await until('all residents run', LIMIT_MS, async () => {
    for (const { id, container, agent } of (await api.list()).devcontainers) {
      if (container && agent?.status === 'running') idOf.set(container.id, id);
    }
    return containers.every((container) => idOf.has(container));
  });
  return containers.map((container) => idOf.get(container) ?? '');
}

async function latencies(
  context: BenchContext,
  fleet: Fleet,
  containers: readonly string[],
  resident: Way,
  exec: Way,
): Promise<Row[]> {
  context.say('Running true, one after the other…');
  const { dockerHost } = context.engine;
  const first = containers[0] ?? '';
  const require = createRequire(import.meta.url);
  const cli = join(dirname(require.resolve('@devcontainers/cli/package.json')), 'devcontainer.js');
  const client: Way = () => program('docker', ['-H', dockerHost, 'exec', first, 'true']);
  const devcontainer: Way = () =>
    program(process.execPath, [cli, 'exec', '--workspace-folder', join(fleet.root, 'w0000'), 'true'], dockerHost);

  const samples = { resident: [] as number[], exec: [] as number[], client: [] as number[], cli: [] as number[] };
  const measure = async (into: number[], way: Way): Promise<void> => {
    const began = performance.now();
    await way(['true'], 0);
    into.push(performance.now() - began);
  };
  for (const way of [resident, exec]) for (let round = 0; round < 10; round++) await way(['true'], round);
  // In turns, as often as each is asked for.
  for (let round = 0; round < ROUNDS; round++) {
    await measure(samples.resident, resident);
    if (round % (ROUNDS / ENGINE_ROUNDS) === 0) await measure(samples.exec, exec);
    if (round % (ROUNDS / CLIENT_ROUNDS) === 0) await measure(samples.client, client);
    if (round % Math.ceil(ROUNDS / CLI_ROUNDS) === 0) await measure(samples.cli, devcontainer);
  }
  const ours = median(samples.resident);
  const worst = quantile(samples.resident, 0.99);
  const rows = (name: string, baseline: readonly number[], value: number): Row[] => {
    const rounds = `${ROUNDS}/${baseline.length}`;
    return [
      {
        name: `true, against ${name}, p50`,
        unit: 'ms',
        ours,
        baseline: median(baseline),
        demand: { kind: 'ratio', value },
        rounds,
        samples: { ours: samples.resident, baseline },
      },
      { name: `true, against ${name}, p99`, unit: 'ms', ours: worst, baseline: quantile(baseline, 0.99), rounds },
    ];
  };
  const rounds = String(ROUNDS);
  return [
    { name: 'true through the resident, p50', unit: 'ms', ours, demand: { kind: 'below', value: 5 }, rounds },
    ...rows("the engine's exec", samples.exec, 15),
    ...rows('docker exec', samples.client, 20),
    ...rows('devcontainer exec', samples.cli, 100),
  ];
}

async function loads(context: BenchContext, resident: Way, exec: Way): Promise<Row[]> {
  context.say(`Running ${AT_ONCE} at once, and writing ${STREAM_MB} MB…`);
  const inTurns = async (rounds: number, work: (way: Way) => Promise<void>) => {
    const ours: number[] = [];
    const baseline: number[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const [way, into] of [
        [resident, ours],
        [exec, baseline],
      ] as const) {
        const began = performance.now();
        await work(way);
        into.push(performance.now() - began);
      }
    }
    return {
      unit: 'ms' as const,
      ours: median(ours),
      baseline: median(baseline),
      rounds: String(rounds),
      samples: { ours, baseline },
    };
  };
  const numbers = Array.from({ length: AT_ONCE }, (_, index) => index);
  const atOnce = async (way: Way): Promise<void> => {
    await Promise.all(numbers.map((number) => way(['true'], number)));
  };
  await inTurns(WARM_UPS, atOnce);
  const many = await inTurns(AT_ONCE_ROUNDS, atOnce);
  const size = STREAM_MB * 1_000_000;
  const writing = async (...argv: string[]) => {
    const work = async (way: Way): Promise<void> => {
      const bytes = await way(argv, 0);
      if (bytes !== size) throw new Error(`${bytes} of ${size} bytes arrived.`);
    };
    await inTurns(WARM_UPS, work);
    return inTurns(STREAM_ROUNDS, work);
  };
  const stream = await writing('head', '-c', String(size), '/dev/zero');
  const large = await writing('sh', '-c', `exec dd if=/dev/zero bs=1000000 count=${STREAM_MB} 2>/dev/null`);
  return [
    { name: `${AT_ONCE} times true at once, ${CONTAINERS} containers`, demand: { kind: 'ratio', value: 20 }, ...many },
    { name: `${STREAM_MB} MB of standard output`, demand: { kind: 'ratio', value: 1 }, ...stream },
    { name: 'the same, written 1 MB at a time', ...large },
  ];
}

async function program(command: string, args: readonly string[], dockerHost?: string): Promise<number> {
  const env = { ...process.env, ...(dockerHost === undefined ? {} : { DOCKER_HOST: dockerHost }) };
  const child = spawn(command, args, { stdio: 'ignore', env });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}.`);
  return 0;
}
