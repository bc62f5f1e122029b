// A daemon that ends itself by SIGKILL at a fault point; see faults.test.ts. Appends each point to a file first.
import { appendFileSync } from 'node:fs';
import { appendFile, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLogFiles } from '../../../src/daemon/state/log-files.ts';
import { stateDirectoryAt } from '../../../src/daemon/state/state-directory.ts';
import { createStateStorage } from '../../../src/daemon/state/state-storage.ts';
import { createDevcontainerCli } from '../../../src/devcontainercli/devcontainer-cli.ts';
import { createDockerEngine } from '../../../src/engine/docker-engine.ts';
import { createAgentContainers, createHttpSubAgentClient, silentLogger, systemClock } from '../../../src/index.ts';
import { faultyCli, faultyControlPlane, faultyEngine, faultyStorage } from './fault-points.ts';

function given(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is needed`);
  return value;
}

const [dockerHost, stateDir, folder, job] = [
  given('TEST_DOCKER_HOST'),
  given('TEST_STATE'),
  given('TEST_FOLDER'),
  given('TEST_JOB'),
];
const points = join(stateDir, 'points');
/** `<point>#<which time it is reached>` */
const killAt = process.env['TEST_KILL_AT'];
let armed = false;
const times = new Map<string, number>();

function reach(point: string): void {
  if (!armed) return;
  appendFileSync(points, `${point}\n`);
  times.set(point, (times.get(point) ?? 0) + 1);
  if (killAt === `${point}#${times.get(point)}`) process.kill(process.pid, 'SIGKILL');
}

const clock = systemClock;
const logger = silentLogger;
const api = createAgentContainers({
  clock,
  logger,
  engine: faultyEngine(createDockerEngine({ dockerHost, clock, logger }), reach),
  cli: faultyCli(
    createDevcontainerCli({
      dockerHost: async () => dockerHost,
      dockerPath: process.env['TEST_DOCKER_PATH'],
      clock,
      logger,
    }),
    reach,
  ),
  storage: faultyStorage(createStateStorage(stateDirectoryAt(stateDir), logger), reach),
  logSink: createLogFiles(join(stateDir, 'logs'), { logger }),
  subAgentClient: faultyControlPlane(createHttpSubAgentClient({ url: given('TEST_CONTROL_PLANE'), clock }), reach),
  labelSecret: stateDir,
  adopt: 'none',
});
await api.start();

async function arm(): Promise<void> {
  // What the CLI does is counted by whom it calls, from here on.
  await writeFile(join(stateDir, 'pid'), String(process.pid));
  armed = true;
}

async function create(): Promise<string> {
  const { operation, done } = await api.create({ workspaceFolder: folder });
  await done;
  return operation.devcontainerId;
}

/** Until the sub-agent runs, in another container than that one. */
async function untilInjected(id: string, otherThan?: string): Promise<void> {
  for (let round = 0; round < 2_400; round++) {
    const { agent, container } = await api.get(id);
    if (agent?.status === 'running' && container?.id !== otherThan) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`The sub-agent did not come up: ${JSON.stringify(await api.get(id))}`);
}

if (job === 'create') {
  await arm();
  await untilInjected(await create());
} else {
  const id = await create();
  await untilInjected(id);
  const config = join(folder, '.devcontainer/devcontainer.json');
  // In one step: a file that is half there is no configuration.
  await writeFile(`${config}.new`, (await readFile(config, 'utf8')).replace('"before"', '"after"'));
  await rename(`${config}.new`, config);
  await arm();
  if (job === 'recreate') {
    const before = (await api.get(id)).container?.id;
    await (
      await api.recreate(id)
    ).done;
    await untilInjected(id, before);
  } else {
    await api.remove(id, { volumes: 'anonymous' });
  }
}
armed = false;
await appendFile(points, 'done\n');
process.exit(0);
