import { sleep } from '../async/abort.ts';
import type { ContainerDetails } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { isAgentContainersError } from '../errors.ts';
import { failed } from './engine-error.ts';
import { objectPath } from './engine-path.ts';
import type { EngineTransport } from './engine-transport.ts';
import { parseInspectedContainer } from './parse-container.ts';
import { sendForJson, sendForStatus } from './read-reply.ts';
import { removeVolume } from './remove-volume.ts';

const POLL_MS = 100;
const MAX_POLLS = 300;

/** A name that an engine gave to a volume itself. */
const ANONYMOUS = /^[0-9a-f]{64}$/;

/**
 * Resolves when the container is gone, also when somebody else is already removing it. With `volumes`, its volumes
 * without a name go too, also those that it got from a container which it replaces: the engine takes these for named ones.
 */
export async function removeContainer(
  transport: EngineTransport,
  clock: Clock,
  id: string,
  options: { readonly volumes: boolean; readonly force: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const { volumes, signal } = options;
  const anonymous = volumes ? await anonymousVolumes(transport, id, signal) : [];
  await removeAlone(transport, clock, id, options);
  for (const name of anonymous) await removeVolume(transport, name, signal);
}

async function anonymousVolumes(transport: EngineTransport, id: string, signal: AbortSignal): Promise<string[]> {
  const mounts = (await find(transport, id, signal))?.mounts ?? [];
  return mounts.flatMap(({ type, source }) => (type === 'volume' && ANONYMOUS.test(source) ? source : []));
}

async function removeAlone(
  transport: EngineTransport,
  clock: Clock,
  id: string,
  options: { readonly volumes: boolean; readonly force: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const { volumes, force, signal } = options;
  const doing = removing(id);
  const query = { v: String(volumes), force: String(force) };
  try {
    await sendForStatus(transport, { doing, method: 'DELETE', path: objectPath('containers', id), query, signal });
    return;
  } catch (error) {
    if (isAgentContainersError(error, 'engine-object-not-found')) return;
    const inProgress = isAgentContainersError(error, 'engine-conflict') && /already in progress/i.test(error.message);
    if (!inProgress) throw error;
  }
  for (let polls = 0; polls < MAX_POLLS; polls++) {
    if (!(await find(transport, id, signal))) return;
    await sleep(clock, POLL_MS, signal, 'remove-container');
  }
  const limit = (POLL_MS * MAX_POLLS) / 1000;
  throw failed('engine-conflict', doing, `a removal that was in progress has not ended after ${limit} s`, 'Try again.');
}

async function find(
  transport: EngineTransport,
  id: string,
  signal: AbortSignal,
): Promise<ContainerDetails | undefined> {
  const request = { doing: removing(id), method: 'GET', path: objectPath('containers', id, 'json'), signal } as const;
  try {
    const found = parseInspectedContainer(await sendForJson(transport, request));
    if (!found) throw failed('engine-request-failed', request.doing, "the engine's answer has no id");
    return found;
  } catch (error) {
    if (isAgentContainersError(error, 'engine-object-not-found')) return undefined;
    throw error;
  }
}

function removing(id: string): string {
  return `Removing container ${id.slice(0, 12)}`;
}
