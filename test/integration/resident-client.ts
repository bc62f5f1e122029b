/**
 * A daemon of its own for tests that kill it: adopts the resident of `TEST_CONTAINER`, starts what `TEST_COMMAND` says,
 * prints its process id, and stays.
 */
import { systemClock } from '../../src/clock/system-clock.ts';
import { createDockerEngine } from '../../src/engine/docker-engine.ts';
import { silentLogger } from '../../src/logger.ts';
import { launchResident } from './resident-support.ts';

const { TEST_DOCKER_HOST = '', TEST_CONTAINER = '', TEST_COMMAND = '', TEST_SECRET = '' } = process.env;
const engine = createDockerEngine({ dockerHost: TEST_DOCKER_HOST, clock: systemClock, logger: silentLogger });
const { runtime } = await launchResident(engine, TEST_CONTAINER, { secret: TEST_SECRET });
const command = await runtime.exec({ command: TEST_COMMAND });
const terminal = await runtime.spawn({ command: 'exec sh', tty: { width: 80, height: 24 } });
process.stdout.write(`${JSON.stringify({ command: command.process.id, terminal: terminal.id })}\n`);
let read = 0;
for await (const { bytes } of command.output) {
  read += bytes.length;
  process.stdout.write(`read ${read}\n`);
}
