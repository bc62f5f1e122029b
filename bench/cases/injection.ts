import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentContainers, Logger } from '../../src/index.ts';
import { runChild, runUntilLine } from '../child.ts';
import type { BenchContext } from '../context.ts';
import { until } from '../context.ts';
import type { DevFolder } from '../containers.ts';
import { createFleet } from '../containers.ts';
import { loadLibrary } from '../library.ts';
import { DEVCONTAINER_CLI } from '../paths.ts';
import type { Row } from '../row.ts';
import { median } from '../row.ts';

const ROUNDS = 9;
const SIZE = 6_000_000;
const READY = 'bench-agent ready';

/** A sub-agent of 6 MB: the shell ends before it reads the rest, which is random so that nothing can shorten it. */
const SCRIPT = `#!/bin/sh
case $1 in
  --version) echo 'bench-agent 1' ;;
  agent) echo '${READY}'; while read -r line; do [ "$line" = stop ] && exit 0; done ;;
esac
exit 0
`;

/**
 * From the engine's `start` event of a new container to the sub-agent's ready line, against the child processes that do
 * the same on the same container. The container is made anew in each round, so each round really copies.
 */
export async function injection(context: BenchContext): Promise<Row[]> {
  const { engine, cleanup, say } = context;
  const fleet = await createFleet(engine, cleanup);
  const { createAgentContainers, fileSubAgentProvider, silentLogger } = await loadLibrary();
  const binary = join(fleet.root, 'bench-agent');
  await writeFile(binary, Buffer.concat([Buffer.from(SCRIPT), randomBytes(SIZE - SCRIPT.length)]), { mode: 0o755 });

  const ways: unknown[] = [];
  const logger: Logger = {
    ...silentLogger,
    debug(fields, message) {
      if (message === 'The sub-agent is in the container.') ways.push((fields as { readonly way?: unknown }).way);
    },
  };
  const api = createAgentContainers({
    dockerHost: engine.dockerHost,
    adopt: 'all',
    labels: [fleet.label],
    logger,
    subAgentProvider: fileSubAgentProvider({ path: binary, readyLine: READY }),
  });
  const endLibrary = cleanup.add('the library', () => api.close());
  const started = new Map<string, number>();
  const unfollow = await engine.follow(['start'], ({ containerId, at }) => started.set(containerId, at));
  try {
    await api.start();
    const folder = await fleet.makeFolder('inject');
    const ours: number[] = [];
    const baseline: number[] = [];
    say(`Injecting a sub-agent of 6 MB: ${ROUNDS} rounds…`);
    for (let round = 0; round <= ROUNDS; round++) {
      const id = await fleet.create(folder, `inject-${round}`);
      const readyAt = ready(api, id);
      await fleet.start(id);
      const at = await readyAt;
      await until('the start event is here', 10_000, () => started.has(id));
      ours.push(at - (started.get(id) ?? Number.NaN));
      const way = ways.at(-1);
      if (ways.length !== round + 1 || way !== 'archive') throw new Error(`It was not copied, but: ${String(way)}.`);
      baseline.push(await injectByChildren(engine.env, folder, id, binary));
      await fleet.remove(id);
      await until('the library has seen the removal', 10_000, async () =>
        (await api.list()).containers.every((container) => container.id !== id),
      );
    }
    // The first one also reads the merged configuration, a child process whose answer is kept by fingerprint.
    const [first = Number.NaN, ...others] = ours;
    const [firstBaseline = Number.NaN, ...otherBaselines] = baseline;
    return [
      {
        name: 'start event to sub-agent ready, 6 MB',
        unit: 'ms',
        ours: median(others),
        baseline: median(otherBaselines),
        demand: { kind: 'ratio', value: 5 },
        rounds: String(ROUNDS),
        samples: { ours: others, baseline: otherBaselines },
      },
      {
        name: 'the same, configuration not read before',
        unit: 'ms',
        ours: first,
        baseline: firstBaseline,
        rounds: '1',
      },
    ];
  } finally {
    unfollow();
    await endLibrary();
    await fleet.dispose();
  }
}

/** When the library shows the sub-agent of this container as running; ms since the epoch. */
function ready(api: AgentContainers, id: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      unsubscribe();
      reject(new Error('The sub-agent was not ready within 60 s.'));
    }, 60_000);
    const unsubscribe = api.subscribe(({ devcontainers }) => {
      const agent = devcontainers.find(({ container }) => container?.id === id)?.agent;
      if (agent?.status !== 'running' && agent?.status !== 'failed') return;
      const at = Date.now();
      clearTimeout(timer);
      unsubscribe();
      if (agent.status === 'running') resolve(at);
      else reject(new Error(agent.reason));
    });
  });
}

async function injectByChildren(
  env: NodeJS.ProcessEnv,
  folder: DevFolder,
  id: string,
  binary: string,
): Promise<number> {
  const directory = '/.bench-agent';
  const path = `${directory}/agent`;
  const docker = (...args: string[]): Promise<string> => runChild('docker', args, { env });
  const devcontainer = ['exec', '--workspace-folder', folder.path, '--config', folder.configPath, '--container-id', id];
  const began = performance.now();
  await docker('exec', '--user', 'root', id, 'mkdir', '-p', directory);
  await docker('cp', binary, `${id}:${path}`);
  await docker('exec', '--user', 'root', id, 'chmod', '0755', directory, path);
  await docker('exec', '--user', 'root', id, 'chown', 'root:root', path);
  await runChild(process.execPath, [DEVCONTAINER_CLI, ...devcontainer, 'pwd'], { env });
  const at = await runUntilLine(process.execPath, [DEVCONTAINER_CLI, ...devcontainer, path, 'agent'], READY, env);
  return at - began;
}
