import { bounded } from '../../async/abort.ts';
import { AgentContainersError, errorMessage } from '../../errors.ts';
import type { AgentContainers, OperationReceipt } from '../api.ts';
import { FOLDER_TIMEOUT } from '../constants.ts';
import { LABEL } from '../model/container.ts';
import { admit, type Command } from '../model/admit.ts';
import { ownerOf } from '../model/container-owner.ts';
import type { StartCause } from '../model/devcontainer.ts';
import type { Event } from '../model/events.ts';
import type { Operation, OperationKind } from '../model/operation.ts';
import type { VolumesOption } from '../model/intent.ts';
import { devcontainerId } from './devcontainer-id.ts';
import { containerNamed } from './container-named.ts';
import { invalidConfig, keyOf, noConfig } from './entry-key.ts';
import { readConfig } from './read-config.ts';
import { rejection } from './rejection.ts';
import type { Runtime } from './runtime.ts';

type Requested = Extract<
  Event,
  { type: 'upRequested' | 'stopRequested' | 'restartRequested' | 'deleteRequested' | 'hookRequested' }
>;
type Wish = { readonly jobId: string; readonly at: number; readonly logOffset: number };

/** The wishes of people: each is admitted or refused at once, then goes on by itself. */
export interface Commands extends Pick<AgentContainers, 'create' | 'recreate' | 'recreateByContainer' | 'rerunHook'> {
  start(id: string): Promise<OperationReceipt>;
  stop(id: string): Promise<OperationReceipt>;
  restart(id: string): Promise<OperationReceipt>;
  remove(id: string, options: { readonly volumes: VolumesOption }): Promise<void>;
  /** Starts it, unless that is not wanted or not possible any more. Never rejects. */
  autoStart(id: string): Promise<void>;
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
    rt.supervision.tellBusy(command.id);
    rt.starting.show(command.id);
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
          steps: [],
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
    const { id, force } = command;
    return request(command, 'recreate', (wish) => ({ ...upOf(id, 'recreate')(wish), force }));
  }

  return {
    operation,
    async create({ workspaceFolder, configPath }) {
      const what = `Reading the configuration of ${workspaceFolder}`;
      const [key, reading] = await bounded(clock, FOLDER_TIMEOUT, what, rt.closing, async () => {
        const found = await keyOf(configFiles, workspaceFolder, configPath);
        return [found, await readConfig(rt, found)] as const;
      });
      if (reading.kind === 'invalid') throw invalidConfig(key.configPath, reading.error);
      if (reading.kind === 'missing') throw noConfig(key.configPath);
      const id = devcontainerId(key);
      rt.store.dispatch({ type: 'registered', id, key, origin: 'created', adopted: true, made: [] });
      rt.store.dispatch({ type: 'configRead', id, reading });
      // Whether it has a container already is known only after that.
      await rt.pass();
      return request({ type: 'create', id }, 'create', upOf(id, 'create'));
    },
    recreate: (id, { force = false } = {}) => recreate({ type: 'recreate', id, force }),
    async recreateByContainer(container, { force = false } = {}) {
      const only = containerNamed(rt, container);
      const id = rt.store.state.claims.get(only.id);
      if (id === undefined || only.labels[LABEL.localFolder] === undefined) {
        throw new AgentContainersError('workspace-folder-label-missing', 'Missing workspace folder label', {
          details: {
            detail: `The container ${only.name} has no label ${LABEL.localFolder}, so it is not a dev container.`,
          },
        });
      }
      if (!ownerOf(rt.store.state, only.id)) {
        throw new AgentContainersError('devcontainer-not-adopted', 'Devcontainer is not adopted', {
          details: {
            detail: `The container ${only.name} carries the labels of a dev container whose folder it does not have.`,
          },
        });
      }
      return recreate({ type: 'recreate-container', id, force });
    },
    start: (id) => request({ type: 'start', id }, 'start', upOf(id, 'start')),
    stop: (id) => request({ type: 'stop', id }, 'stop', (wish) => ({ type: 'stopRequested', id, ...wish })),
    restart: (id) => request({ type: 'restart', id }, 'restart', (wish) => ({ type: 'restartRequested', id, ...wish })),
    rerunHook: (id, hook) =>
      request({ type: 'rerun-hook', id }, 'rerun-hook', (wish) => ({ type: 'hookRequested', id, hook, ...wish })),
    async autoStart(id) {
      try {
        await request({ type: 'start', id }, 'start', upOf(id, 'autostart'));
      } catch (error) {
        rt.ports.logger.info({ devcontainer: id }, `Starting it by itself failed: ${errorMessage(error)}`);
      }
    },
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
