import type { WireProcess, WireProcesses } from '../../http/runtime-wire-schemas.ts';
import { AgentContainersError, isAgentContainersError } from '../../errors.ts';
import type { ClientAnswer, ClientRequest, DaemonClient } from '../client/client.ts';
import { plainText } from '../output/plain-text.ts';
import { processPath } from '../session/process-paths.ts';

export async function listProcesses(client: DaemonClient, base: string): Promise<readonly WireProcess[]> {
  const { body } = await client.send({ method: 'GET', path: `${base}/processes` });
  return (body as WireProcesses).processes;
}

/** `process-not-found` with the way to the ids that there are. */
export async function getProcess(
  client: DaemonClient,
  base: string,
  processId: string,
  name: string,
): Promise<WireProcess> {
  const path = processPath(base, processId);
  return (await sendAboutProcess(client, { method: 'GET', path }, processId, name)).body as WireProcess;
}

export async function sendAboutProcess(
  client: DaemonClient,
  request: ClientRequest,
  processId: string,
  name: string,
): Promise<ClientAnswer> {
  try {
    return await client.send(request);
  } catch (error) {
    if (!isAgentContainersError(error, 'process-not-found')) throw error;
    throw new AgentContainersError(
      'process-not-found',
      `Finding process "${plainText(processId)}" failed: ${plainText(name)} has none with this id.`,
      { cause: error, details: { detail: `\`agentcontainers ps -a ${plainText(name)}\` shows all.` } },
    );
  }
}

/** What a person called it: the line, or the program with its arguments. */
export function commandText({ command, argv }: WireProcess): string {
  return (
    command ??
    argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`)).join(' ')
  );
}
