/** `npm run bench`: measures, prints a table, exits with 1 when a demand is missed. See docs/benchmarks.md. */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { CASES } from './cases/cases.ts';
import type { Cleanup } from './cleanup.ts';
import { createCleanup } from './cleanup.ts';
import type { BenchContext } from './context.ts';
import { until } from './context.ts';
import { createFleet } from './containers.ts';
import type { Fleet } from './containers.ts';
import { startDaemon } from './daemon.ts';
import type { RunningDaemon, WireList } from './daemon.ts';
import type { BenchEngine } from './engine.ts';
import { openEngine } from './engine.ts';
import type { Row } from './row.ts';
import { formatTable, isMet, ratioOf } from './row.ts';

const USAGE = `usage: npm run bench -- [--only <name>]… [--json]

  --only   one of ${Object.keys(CASES).join(', ')}; repeatable
  --json   print the result as JSON, with all samples

It starts a private engine (Debian, root), or takes the one that AGENTCONTAINERS_TEST_DOCKER_HOST names.`;

const say = (text: string): void => void process.stderr.write(`${text}\n`);

function createContext(engine: BenchEngine, cleanup: Cleanup): BenchContext {
  let fleet: Promise<Fleet & { readonly ids: readonly string[] }> | undefined;
  let daemon: Promise<RunningDaemon> | undefined;
  const context: BenchContext = {
    engine,
    cleanup,
    say,
    hundredRunning: () =>
      (fleet ??= (async () => {
        say('Starting 100 containers…');
        const made = await createFleet(engine, cleanup);
        return { ...made, ids: await made.fill(100, { start: true }) };
      })()),
    daemonOfHundred: () =>
      (daemon ??= (async () => {
        const { ids, root } = await context.hundredRunning();
        say('Starting a daemon and waiting for its 100 sub-agents…');
        const began = await startDaemon(engine, root, cleanup);
        let latest: WireList | undefined;
        const leave = await began.watch(({ list }) => {
          latest = list;
        });
        await until('all sub-agents run', 300_000, () => {
          const running = latest?.devcontainers.filter(({ agent }) => agent?.status === 'running') ?? [];
          return running.length >= ids.length;
        });
        leave();
        return began;
      })()),
    async endHundred() {
      await (await daemon)?.stop();
      await (await fleet)?.dispose();
      daemon = undefined;
      fleet = undefined;
    },
  };
  return context;
}

async function measure(names: readonly string[], cleanup: Cleanup): Promise<{ engine: string; rows: Row[] }> {
  const engine = await openEngine(cleanup, say);
  const context = createContext(engine, cleanup);
  const rows: Row[] = [];
  for (const [name, run] of Object.entries(CASES)) {
    if (names.length === 0 || names.includes(name)) rows.push(...(await run(context)));
  }
  return { engine: engine.name, rows };
}

function print({ engine, rows }: { engine: string; rows: readonly Row[] }, json: boolean): void {
  const machine = {
    engine,
    node: process.version,
    cpus: cpus().length,
    cpu: cpus()[0]?.model.trim() ?? '',
    load: loadavg()[0] ?? 0,
  };
  if (json) {
    const results = rows.map((row) => ({ ...row, ratio: ratioOf(row), ok: isMet(row) }));
    process.stdout.write(`${JSON.stringify({ machine, results }, null, 2)}\n`);
    return;
  }
  const load = machine.load.toFixed(1);
  process.stdout.write(`${formatTable(rows)}\n\n`);
  process.stdout.write(
    `${engine}, Node.js ${machine.node}, ${machine.cpus} x ${machine.cpu}, load ${load} at the end\n`,
  );
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const unknown = values.only.find((name) => !Object.hasOwn(CASES, name));
  if (values.help || unknown !== undefined) {
    say(unknown === undefined ? USAGE : `There is no benchmark "${unknown}".\n\n${USAGE}`);
    return values.help ? 0 : 2;
  }
  const cleanup = createCleanup(say);
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    let again = false;
    process.on(signal, () => {
      if (again) process.exit(code);
      again = true;
      say('Cleaning up; a second signal ends this at once.');
      void cleanup.run().then(() => process.exit(code));
    });
  }
  try {
    const result = await measure(values.only, cleanup);
    print(result, values.json);
    return result.rows.every((row) => isMet(row) !== false) ? 0 : 1;
  } finally {
    say('Cleaning up…');
    await cleanup.run();
  }
}

process.exit(
  await main().catch((error: unknown) => {
    say(`The benchmark failed: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }),
);
