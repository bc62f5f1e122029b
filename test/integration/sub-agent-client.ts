// Runs in a process of its own, to be killed: starts the shipped sub-agent, prints `ready`, and stays.
import { systemClock } from '../../src/clock/system-clock.ts';
import { createDockerEngine } from '../../src/engine/docker-engine.ts';
import { silentLogger } from '../../src/logger.ts';
import { createSubAgentLauncher } from '../../src/subagent/launcher.ts';
import { shellSubAgentProvider } from '../../src/subagent/provider.ts';
import { launchRequest, resolved, within } from './sub-agent-support.ts';

const [dockerHost, containerId] = [process.env['TEST_DOCKER_HOST'], process.env['TEST_CONTAINER']];
if (!dockerHost || !containerId) throw new Error('TEST_DOCKER_HOST and TEST_CONTAINER are needed');

const engine = createDockerEngine({ dockerHost, clock: systemClock, logger: silentLogger });
const launcher = createSubAgentLauncher({ engine, clock: systemClock, logger: silentLogger });
const heartbeatSeconds = Number(process.env['TEST_HEARTBEAT_SECONDS'] ?? 30);
const binary = await resolved(shellSubAgentProvider({ command: 'exec sleep 9876', heartbeatSeconds }));
const { path } = await launcher.deliver({ containerId, binary, signal: within() });
const launched = await launcher.launch(launchRequest({ containerId, binary, path, signal: within(600_000) }));
process.stdout.write('ready\n');
const exit = await launched.exited;
process.stdout.write(`${JSON.stringify(exit)}\n`);
