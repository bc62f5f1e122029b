import { isAgentContainersError } from '../errors.ts';
import { failed } from './engine-error.ts';
import { isObjectName, objectPath } from './engine-path.ts';
import type { EngineTransport } from './engine-transport.ts';
import { asRecord, asText } from './json-values.ts';
import { sendForJson, sendForStatus } from './read-reply.ts';

/** Having the name already is success; `engine-conflict` when another container has it. */
export async function renameContainer(
  transport: EngineTransport,
  id: string,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const doing = `Renaming container ${id.slice(0, 12)} to ${JSON.stringify(name.slice(0, 100))}`;
  if (!isObjectName(name)) throw failed('engine-request-failed', doing, 'that is no name for a container');
  const path = objectPath('containers', id, 'rename');
  try {
    await sendForStatus(transport, { doing, method: 'POST', path, query: { name }, signal });
  } catch (error) {
    // Engines refuse a container's own name, each with another status. So a request whose answer was lost can be repeated.
    const wasRefused = isAgentContainersError(error, 'engine-conflict', 'engine-request-failed');
    if (!wasRefused || (await nameOf(transport, id, doing, signal)) !== name) throw error;
  }
}

async function nameOf(transport: EngineTransport, id: string, doing: string, signal: AbortSignal): Promise<string> {
  const path = objectPath('containers', id, 'json');
  const answer = asRecord(await sendForJson(transport, { doing, method: 'GET', path, signal }));
  return asText(answer['Name']).replace(/^\//, '');
}
