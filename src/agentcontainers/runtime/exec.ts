import { bounded, linkedScope } from '../../async/abort.ts';
import { AgentContainersError } from '../../errors.ts';
import { ENGINE_TIMEOUT } from '../constants.ts';
import type { Entry } from '../model/state.ts';
import type { ContainerDetails, ExecSession, ExecSpec, MergedConfiguration } from '../ports.ts';
import { remoteEnvironment } from './remote-environment.ts';
import { plainLine } from '../../text/plain-text.ts';
import type { Runtime } from './runtime.ts';

const LONGEST_DESCRIPTION = 80;

/** Runs a command as the remote user, in the workspace folder, with the remote environment, unless said otherwise. */
export async function execInDevcontainer(
  rt: Runtime,
  id: string,
  spec: Omit<ExecSpec, 'containerId'>,
): Promise<ExecSession> {
  const entry = rt.store.state.entries.get(id);
  if (!entry) throw new AgentContainersError('devcontainer-not-found', 'Devcontainer not found.');
  if (entry.level === 'seen') throw new AgentContainersError('devcontainer-not-adopted', 'Devcontainer is not adopted');
  if (entry.link?.state !== 'running') {
    throw new AgentContainersError('devcontainer-not-running', 'Devcontainer is not running', {
      details: { detail: `Start it with: agentcontainers start ${entry.name}` },
    });
  }
  // A session belongs to the library, from its preparation on: it ends when that closes.
  const scope = linkedScope(spec.signal, rt.closing);
  const holderId = rt.ports.newId();
  const description = plainLine(spec.argv[0] ?? '').slice(0, LONGEST_DESCRIPTION);
  const since = rt.ports.clock.now();
  // Who uses it is known from the preparation on, so that no recreate comes in between.
  rt.store.dispatch({ type: 'holderCame', id, holder: { id: holderId, kind: 'exec', description, since } });
  const session = openSession(rt, entry, entry.link.id, { ...spec, signal: scope.signal });
  const release = (): void => {
    scope.release();
    rt.store.dispatch({ type: 'holderLeft', id, holderId });
  };
  session.then(({ exited }) => exited.then(release, release), release);
  return session;
}

/** Runs a command in this container of the devcontainer, with everything that its configuration says of commands. */
export async function openSession(
  rt: Runtime,
  entry: Entry,
  containerId: string,
  spec: Omit<ExecSpec, 'containerId'> & { readonly signal: AbortSignal },
): Promise<ExecSession> {
  const { details, configuration } = await commandSettings(rt, entry, containerId, spec.signal);
  const environment = Object.entries(remoteEnvironment(configuration.remoteEnv, details.env));
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
