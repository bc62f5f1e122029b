import { bounded } from '../../async/abort.ts';
import { AgentContainersError, type ErrorCode } from '../../errors.ts';
import type { AgentContainers, OperationReceipt } from '../api.ts';
import { FOLDER_TIMEOUT } from '../constants.ts';
import { LABEL, type Container } from '../model/container.ts';
import { admit, type Admission, type Command } from '../model/admit.ts';
import type { EntryKey, StartCause } from '../model/devcontainer.ts';
import type { Event } from '../model/events.ts';
import type { Observation } from '../model/state.ts';
import type { Operation, OperationKind } from '../model/operation.ts';
import { devcontainerId } from './observe.ts';
import { readConfig } from './read-config.ts';
import type { Runtime } from './runtime.ts';

type Requested = Extract<Event, { type: 'upRequested' | 'stopRequested' | 'restartRequested' | 'deleteRequested' }>;
type Wish = { readonly jobId: string; readonly at: number; readonly logOffset: number };

/** The wishes of people: each is admitted or refused at once, then goes on by itself. */
export interface Commands extends Pick<AgentContainers, 'create' | 'recreate' | 'recreateByContainer'> {
  start(id: string): Promise<OperationReceipt>;
  stop(id: string): Promise<OperationReceipt>;
  restart(id: string): Promise<OperationReceipt>;
  remove(id: string, options: { readonly volumes: boolean }): Promise<void>;
  operation(id: string): Operation;
}

export function createCommands(rt: Runtime): Commands {
  const { clock, configFiles, logSink, newId } = rt.ports;

  /** Admission and its event, without an await between them. */
  async function request(
    command: Command,
    kind: OperationKind,
    event: (wish: Wish) => Requested,
  ): Promise<OperationReceipt> {
    // Asked first: from `admit` on nothing may be awaited.
    const known = rt.store.state.entries.has(command.id);
    const logOffset = known ? await logSink.size(command.id) : 0;
    const admission = admit(rt.store.state, command);
    const at = clock.now();
    switch (admission.kind) {
      case 'rejected':
        throw rejection(admission, command, rt.store.state.observation);
      case 'joined':
        return receipt(admission.jobId, true);
      case 'nothing-to-do': {
        const phase = admission.entry.phase.status;
        const devcontainerId = admission.entry.id;
        const operation: Operation = {
          id: newId(),
          devcontainerId,
          kind,
          status: 'succeeded',
          phase,
          startedAt: at,
          endedAt: at,
          logOffset,
        };
        rt.store.dispatch({ type: 'operationRestored', operation });
        return { operation, started: false, done: Promise.resolve(operation) };
      }
      case 'accepted': {
        const jobId = newId();
        rt.store.dispatch(event({ jobId, at, logOffset }));
        return receipt(jobId, true);
      }
    }
  }

  function operation(id: string): Operation {
    const found = rt.store.state.operations.get(id);
    if (!found) throw new AgentContainersError('operation-not-found', 'Operation not found.');
    return found;
  }

  function receipt(jobId: string, started: boolean): OperationReceipt {
    return { operation: operation(jobId), started, done: ended(jobId) };
  }

  function ended(jobId: string): Promise<Operation> {
    return new Promise((resolve) => {
      let last = operation(jobId);
      const look = (): boolean => {
        last = rt.store.state.operations.get(jobId) ?? last;
        // A closing library ends its jobs without a last word on each.
        const over = last.status !== 'running' || rt.store.state.lifecycle === 'closed';
        if (over) resolve(last.status === 'running' ? { ...last, status: 'cancelled' } : last);
        return over;
      };
      if (look()) return;
      const off = rt.store.onCommit(() => {
        if (look()) off();
      });
    });
  }

  const upOf =
    (id: string, cause: StartCause) =>
    (wish: Wish): Requested => ({ type: 'upRequested', id, cause, ...wish });

  function recreate(command: Command): Promise<OperationReceipt> {
    return request(command, 'recreate', upOf(command.id, 'recreate'));
  }

  return {
    operation,
    async create({ workspaceFolder, configPath }) {
      const what = `Reading the configuration of ${workspaceFolder}`;
      const [key, reading] = await bounded(clock, FOLDER_TIMEOUT, what, rt.closing, async () => {
        const found = await keyOf(configFiles, workspaceFolder, configPath);
        return [found, await readConfig(rt.ports, found)] as const;
      });
      if (reading.kind === 'invalid') throw invalidConfig(key.configPath, reading.error);
      if (reading.kind === 'missing') throw noConfig(key.configPath);
      const id = devcontainerId(key);
      rt.store.dispatch({ type: 'registered', id, key, origin: 'created', adopted: true, made: [] });
      rt.store.dispatch({ type: 'configRead', id, reading });
      return request({ type: 'create', id }, 'create', upOf(id, 'create'));
    },
    recreate: (id) => recreate({ type: 'recreate', id }),
    async recreateByContainer(container) {
      const only = containerNamed(rt, container);
      const id = rt.store.state.claims.get(only.id);
      if (id === undefined || only.labels[LABEL.localFolder] === undefined) {
        throw new AgentContainersError('workspace-folder-label-missing', 'Missing workspace folder label', {
          details: {
            detail: `The container ${only.name} has no label ${LABEL.localFolder}, so it is not a dev container.`,
          },
        });
      }
      return recreate({ type: 'recreate-container', id });
    },
    start: (id) => request({ type: 'start', id }, 'start', upOf(id, 'start')),
    stop: (id) => request({ type: 'stop', id }, 'stop', (wish) => ({ type: 'stopRequested', id, ...wish })),
    restart: (id) => request({ type: 'restart', id }, 'restart', (wish) => ({ type: 'restartRequested', id, ...wish })),
    async remove(id, { volumes }) {
      const { operation: begun, done } = await request({ type: 'remove', id }, 'delete', (wish) => ({
        type: 'deleteRequested',
        id,
        volumes,
        ...wish,
      }));
      const end = await done;
      const failure = rt.failures.get(begun.id);
      rt.failures.delete(begun.id);
      if (failure) throw failure;
      if (end.status !== 'succeeded') throw new AgentContainersError('api-closed', 'API closed');
    },
  };
}

/** By id or name; else by a beginning of the id that only one has. */
function containerNamed(rt: Runtime, wanted: string): Container {
  const { containers } = rt.store.state;
  const exact = containers.find(({ id, name }) => id === wanted || name === wanted);
  if (exact) return exact;
  const found = wanted.length < 4 ? [] : containers.filter(({ id }) => id.startsWith(wanted));
  const [only] = found;
  if (!only) throw new AgentContainersError('container-not-found', 'Container not found');
  if (found.length > 1) {
    throw new AgentContainersError('devcontainer-ambiguous', 'Several containers match', {
      details: { detail: `${wanted} begins the ids of ${found.map(({ name }) => name).join(', ')}.` },
    });
  }
  return only;
}

async function keyOf(
  configFiles: Runtime['ports']['configFiles'],
  workspaceFolder: string,
  configPath: string | undefined,
): Promise<EntryKey> {
  const found = await configFiles.canonicalKey(workspaceFolder, configPath);
  if ('workspaceFolder' in found) {
    if ((await configFiles.realDirectory(found.workspaceFolder)) === undefined) throw noFolder(workspaceFolder);
    return found;
  }
  if (!found.folderExists) throw noFolder(workspaceFolder);
  if (found.configPaths.length === 0) throw noConfig(`${workspaceFolder}/.devcontainer/devcontainer.json`);
  throw new AgentContainersError('config-ambiguous', 'Several configurations in the folder', {
    details: { detail: `Name one of: ${found.configPaths.join(', ')}`, configPaths: found.configPaths },
  });
}

function noFolder(folder: string): AgentContainersError {
  return new AgentContainersError('folder-not-found', 'Workspace folder not found', {
    details: { detail: `There is no folder ${folder} on this machine.` },
  });
}

function noConfig(path: string): AgentContainersError {
  return new AgentContainersError('config-not-found', 'No dev container configuration found', {
    details: { detail: `Add ${path} and try again.` },
  });
}

function invalidConfig(path: string, error: { message: string; line: number; column: number }): AgentContainersError {
  return new AgentContainersError('config-invalid', 'Dev container configuration is invalid', {
    details: { detail: `${path}:${error.line}:${error.column}: ${error.message}`, ...error, path },
  });
}

/** Wording of the answers: existing consumers rely on it. */
function rejection(
  { code, entry }: Extract<Admission, { kind: 'rejected' }>,
  command: Command,
  observation: Observation,
): AgentContainersError {
  const make = (message: string, detail?: string): AgentContainersError =>
    new AgentContainersError(code satisfies ErrorCode, message, { details: { detail } });
  switch (code) {
    case 'api-closed':
      return make('API closed');
    case 'devcontainer-not-found':
      return make('Devcontainer not found.');
    case 'devcontainer-not-adopted':
      return make(
        'Devcontainer is not adopted',
        `${entry?.name} is only listed: it lies under no root. Adopt it with: agentcontainers up ${entry?.key.workspaceFolder}`,
      );
    case 'list-failed':
      return make('Could not get containers', observation.status === 'failed' ? observation.message : undefined);
    case 'recreation-in-progress':
      return make('Devcontainer recreation already in progress', `Recreation for ${entry?.name} is already underway.`);
    case 'devcontainer-transitioning':
      return command.type === 'remove'
        ? make(
            'Unable to delete transitioning devcontainer',
            `Devcontainer ${entry?.name} is currently ${entry?.phase.status} and cannot be deleted.`,
          )
        : make(
            `Unable to ${command.type === 'create' ? 'start' : command.type} transitioning devcontainer`,
            `Devcontainer ${entry?.name} is currently ${entry?.phase.status} and cannot be restarted.`,
          );
    case 'config-invalid':
      return invalidConfig(
        entry?.key.configPath ?? '',
        entry?.configError ?? { message: 'unreadable', line: 1, column: 1 },
      );
  }
}
