import { bounded, linkedScope } from '../../async/abort.ts';
import { ENGINE_TIMEOUT } from '../constants.ts';
import type { Entry } from '../model/state.ts';
import type { ContainerDetails, ExecSession, ExecSpec, MergedConfiguration } from '../ports.ts';
import { remoteEnvironment } from './remote-environment.ts';
import { hold } from './hold.ts';
import { runningContainer } from './running-container.ts';
import type { Runtime } from './runtime.ts';

/** Runs a command as the remote user, in the workspace folder, with the remote environment, unless said otherwise. */
export async function execInDevcontainer(
  rt: Runtime,
  id: string,
  spec: Omit<ExecSpec, 'containerId'>,
): Promise<ExecSession> {
  const { entry, containerId } = runningContainer(rt, id);
  // A session belongs to the library, from its preparation on: it ends when that closes.
  const scope = linkedScope(spec.signal, rt.closing);
  // Who uses it is known from the preparation on, so that no recreate comes in between.
  const leave = hold(rt, id, { argv: spec.argv });
  const session = openSession(rt, entry, containerId, { ...spec, signal: scope.signal });
  const release = (): void => {
    scope.release();
    leave();
  };
  session.then(({ exited }) => exited.then(release, release), release);
  return session;
}

/**
 * Runs a command in this container of the devcontainer, with everything that its configuration says of commands.
 *
 * @param remote the remote environment, where it is known already. Default: without what profiles set
 */
export async function openSession(
  rt: Runtime,
  entry: Entry,
  containerId: string,
  spec: Omit<ExecSpec, 'containerId'> & { readonly signal: AbortSignal },
  remote?: Readonly<Record<string, string>>,
): Promise<ExecSession> {
  const { details, configuration } = await commandSettings(rt, entry, containerId, spec.signal);
  const environment = Object.entries(remote ?? remoteEnvironment(configuration.remoteEnv, details.env));
  return rt.ports.engine.exec({
    ...spec,
    containerId,
    user: spec.user ?? configuration.remoteUser,
    workingDir: spec.workingDir ?? configuration.workspaceFolder,
    env: [...environment.map(([name, value]) => `${name}=${value}`), ...(spec.env ?? [])],
  });
}

/** What is known of commands in this container, within a bounded time. */
export async function commandSettings(
  rt: Runtime,
  entry: Entry,
  containerId: string,
  signal: AbortSignal,
): Promise<{ readonly details: ContainerDetails; readonly configuration: MergedConfiguration }> {
  const what = `Preparing a command in ${entry.name}`;
  return bounded(rt.ports.clock, ENGINE_TIMEOUT, what, signal, async (limit) => {
    const details = await rt.ports.engine.inspectContainer(containerId, limit);
    return { details, configuration: await rt.configurations.read(entry, details.imageId, containerId, limit) };
  });
}
