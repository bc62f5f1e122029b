import type { WirePorts } from '../../http/runtime-wire-schemas.ts';
import { createDaemonClient, type DaemonClient } from '../client/client.ts';
import { resolveName } from '../client/resolve-name.ts';
import { defaultStateDirectory, stateDirectoryAt } from '../state/state-directory.ts';
import type { Candidate } from './complete.ts';
import { devcontainerPath, listDevcontainers, realFolder } from './context.ts';
import { commandText, listProcesses } from './process-list.ts';

/** What a daemon that runs knows. Each is empty when there is none, and when it does not answer in time. */
export interface CandidateSource {
  names(): Promise<readonly Candidate[]>;
  /** @param onlyRunning what has ended is left out */
  processes(name: string, onlyRunning: boolean): Promise<readonly Candidate[]>;
  ports(name: string): Promise<readonly Candidate[]>;
}

/** From the start of this process on: nobody waits longer for a word that may be completed. */
const ANSWER_MS = 300;
/** Of a command that is only to be recognised. */
const DESCRIPTION_CHARS = 60;

export function createCandidateSource(where: {
  readonly stateDir: string | undefined;
  readonly socket: string | undefined;
}): CandidateSource {
  const environment = process.env;
  const stateDir = where.stateDir ?? environment['AGENTCONTAINERS_STATE_DIR'] ?? defaultStateDirectory();
  const directory = stateDirectoryAt(stateDir, where.socket ?? environment['AGENTCONTAINERS_SOCKET']);
  const signal = AbortSignal.timeout(Math.max(1, ANSWER_MS - Math.round(performance.now())));
  const bare = createDaemonClient(directory.socket);
  const client: DaemonClient = { ...bare, send: (request) => bare.send({ ...request, signal }) };
  const find = async (name: string): Promise<string> => {
    const entry = resolveName({ text: name, folder: await realFolder(name) }, await listDevcontainers(client));
    return devcontainerPath(entry.id);
  };
  const orNothing = (work: Promise<readonly Candidate[]>): Promise<readonly Candidate[]> => work.catch(() => []);

  return {
    names: () =>
      orNothing(
        listDevcontainers(client).then((entries) =>
          entries.map(({ name, status, workspace_folder: folder }) => ({
            value: name,
            description: `${status}, ${folder}`,
          })),
        ),
      ),
    processes: (name, onlyRunning) =>
      orNothing(
        (async () => {
          const processes = await listProcesses(client, await find(name));
          return processes
            .filter(({ running }) => running || !onlyRunning)
            .map((one) => ({ value: one.id, description: commandText(one).slice(0, DESCRIPTION_CHARS) }));
        })(),
      ),
    ports: (name) =>
      orNothing(
        (async () => {
          const { body } = await client.send({ method: 'GET', path: `${await find(name)}/ports` });
          return (body as WirePorts).ports.map((port) => ({ value: String(port.port), description: port.name }));
        })(),
      ),
  };
}
