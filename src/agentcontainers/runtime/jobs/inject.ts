import { deadlineScope, linkedScope, raceAbort } from '../../../async/abort.ts';
import { AgentContainersError, errorMessage, isAgentContainersError, isCancelled } from '../../../errors.ts';
import { parseCustomization } from '../../model/customization.ts';
import type { EffectMap } from '../../model/effects.ts';
import type {
  ContainerDetails,
  MergedConfiguration,
  SubAgentBinary,
  SubAgentProcess,
  SubAgentSpec,
} from '../../ports.ts';
import { commandEnv } from '../command-env.ts';
import { platformOf } from '../platform.ts';
import { remoteEnvironment } from '../remote-environment.ts';
import type { Runtime } from '../runtime.ts';
import { register } from '../sub-agent-records.ts';

/**
 * Delivers, registers and starts the sub-agent in one container. Reports facts, never states. Ended by us it is dropped
 * without an error; the next pass asks again.
 */
export async function inject(rt: Runtime, effect: EffectMap['inject'], laneSignal: AbortSignal): Promise<void> {
  const { id, jobId } = effect;
  const { clock, logger } = rt.ports;
  const closing = linkedScope(laneSignal, rt.closing);
  try {
    await rt.injectLimiter.run(closing.signal, async () => {
      // The deadline counts from here: waiting for room is not the container's fault.
      const scope = deadlineScope(clock, rt.limits.injectTimeoutMs, 'Injecting the sub-agent', closing.signal);
      try {
        await steps(rt, effect, scope.signal);
      } finally {
        scope.release();
      }
    });
  } catch (error) {
    // Only our own signal makes it our cancellation: a client may have aborted something of its own.
    if (closing.signal.aborted && isCancelled(closing.signal.reason)) {
      rt.store.dispatch({ type: 'injectDropped', id, jobId });
    } else if (isAgentContainersError(error, 'sub-agent-unsupported')) {
      logger.info({ devcontainer: id }, error.message);
      rt.store.dispatch({ type: 'injectUnsupported', id, jobId, reason: error.message });
    } else {
      logger.warn({ err: error, devcontainer: id }, errorMessage(error));
      rt.store.dispatch({ type: 'injectFailed', id, jobId, reason: errorMessage(error), at: clock.now() });
    }
  } finally {
    closing.release();
  }
}

async function steps(rt: Runtime, { id, jobId, containerId }: EffectMap['inject'], signal: AbortSignal): Promise<void> {
  const { engine, subAgentProvider, subAgentLauncher, clock, logger } = rt.ports;
  const entry = rt.store.state.entries.get(id);
  if (!entry) return;

  const details = await raceAbort(engine.inspectContainer(containerId, signal), signal);
  const [platform, configuration] = await raceAbort(
    Promise.all([
      platformOf(engine, details, signal),
      rt.configurations.read(entry, details.imageId, containerId, signal),
    ]),
    signal,
  );
  const binary = await raceAbort(subAgentProvider.resolve(platform, signal), signal);
  if (!binary) {
    const { operatingSystem, architecture, variant } = platform;
    const name = [operatingSystem, architecture, variant].filter(Boolean).join('/');
    throw new AgentContainersError('sub-agent-unsupported', `There is no sub-agent for ${name}.`);
  }

  const customization = parseCustomization(configuration.customizations);
  for (const problem of customization.problems) logger.warn({ devcontainer: id }, problem);
  const user = binary.user ?? configuration.remoteUser ?? (details.user === '' ? undefined : details.user);
  const delivery = await raceAbort(subAgentLauncher.deliver({ containerId, binary, user, signal }), signal);
  logger.debug({ devcontainer: id, container: containerId, ...delivery }, 'The sub-agent is in the container.');

  const { operatingSystem, architecture } = platform;
  const { displayApps, apps } = customization;
  const spec = { directory: configuration.workspaceFolder, operatingSystem, architecture, displayApps, apps };
  // Two never run at the same time: the one before ends first.
  await raceAbort(rt.supervision.endOf(id), signal);
  const { record, token } = await register(rt, id, spec, signal);
  const process = await launch(rt, {
    id,
    jobId,
    containerId,
    binary,
    user,
    path: delivery.path,
    details,
    configuration,
    spec,
    signal,
    record,
    token,
  });
  rt.store.dispatch({ type: 'injected', id, jobId, version: process.version ?? delivery.version, at: clock.now() });
}

/** What the sub-agent says of itself holds a recreate off, as long as it runs. */
function noteBusy(rt: Runtime, id: string, jobId: string, reason: string | undefined): void {
  const holderId = `sub-agent/${jobId}`;
  if (reason === undefined) {
    rt.store.dispatch({ type: 'holderLeft', id, holderId });
    return;
  }
  const since = rt.ports.clock.now();
  rt.store.dispatch({
    type: 'holderCame',
    id,
    holder: { id: holderId, kind: 'sub-agent', description: reason, since },
  });
}

async function launch(
  rt: Runtime,
  run: {
    readonly id: string;
    readonly jobId: string;
    readonly containerId: string;
    readonly binary: SubAgentBinary;
    readonly user: string | undefined;
    readonly path: string;
    readonly details: ContainerDetails;
    readonly configuration: MergedConfiguration;
    readonly spec: Omit<SubAgentSpec, 'name'>;
    readonly signal: AbortSignal;
    readonly record: { readonly id: string; readonly name: string };
    readonly token: string;
  },
): Promise<SubAgentProcess> {
  const { id, jobId, containerId, binary, user, path, signal, record } = run;
  // The process outlives this job, so its scope hangs on the job only until it is ready.
  const scope = linkedScope(signal);
  try {
    const own = {
      ...binary.env,
      ...rt.options.subAgentEnv,
      AGENTCONTAINERS_TOKEN: run.token,
      AGENTCONTAINERS_ID: record.id,
      AGENTCONTAINERS_NAME: record.name,
      AGENTCONTAINERS_WORKSPACE: run.spec.directory,
      ...(rt.options.subAgentUrl === undefined ? {} : { AGENTCONTAINERS_URL: rt.options.subAgentUrl }),
    };
    const { configuration, details } = run;
    const process = await rt.ports.subAgentLauncher.launch({
      containerId,
      binary,
      path,
      user,
      workingDir: configuration.workspaceFolder,
      env: { ...remoteEnvironment(configuration.remoteEnv, details.env), ...own },
      commandEnv: (abort) =>
        commandEnv(rt, id, { id: containerId, user, details, configuration }, abort).then(
          // An agent that was there before may have what its profiles said: that stays.
          ({ env, isProbed }) => (isProbed ? { ...env, ...own } : undefined),
          () => undefined,
        ),
      onOutput: (line) => rt.ports.logSink.append(id, `sub-agent: ${line}\n`),
      onBusy: (reason) => noteBusy(rt, id, jobId, reason),
      signal: scope.signal,
    });
    rt.supervision.add(jobId, { id, containerId, process, scope });
    void process.exited.then((exit) => {
      rt.ports.logger.info(
        { devcontainer: id, container: containerId, ...exit },
        `The sub-agent ended: ${exit.message}`,
      );
      noteBusy(rt, id, jobId, undefined);
      rt.store.dispatch({ type: 'subAgentExited', id, jobId, reason: exit.message, at: rt.ports.clock.now() });
    });
    signal.throwIfAborted();
    return process;
  } catch (error) {
    scope.abort(error);
    throw error;
  } finally {
    scope.release();
  }
}
