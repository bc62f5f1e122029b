import { linkedScope } from '../../async/abort.ts';
import { AgentContainersError } from '../../errors.ts';
import type { Entry } from '../model/state.ts';
import type { ExecSession, ExecSpec } from '../ports.ts';
import { remoteEnvironment } from './remote-environment.ts';
import type { Runtime } from './runtime.ts';

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
  const session = open(rt, entry, entry.link.id, { ...spec, signal: scope.signal });
  const release = (): void => scope.release();
  session.then(({ exited }) => exited.then(release, release), release);
  return session;
}

async function open(
  rt: Runtime,
  entry: Entry,
  containerId: string,
  spec: Omit<ExecSpec, 'containerId'> & { readonly signal: AbortSignal },
): Promise<ExecSession> {
  const details = await rt.ports.engine.inspectContainer(containerId, spec.signal);
  const configuration = await rt.configurations.read(entry, details.imageId, containerId, spec.signal);
  const environment = Object.entries(remoteEnvironment(configuration.remoteEnv, details.env));
  return rt.ports.engine.exec({
    ...spec,
    containerId,
    user: spec.user ?? configuration.remoteUser,
    workingDir: spec.workingDir ?? configuration.workspaceFolder,
    env: [...environment.map(([name, value]) => `${name}=${value}`), ...(spec.env ?? [])],
  });
}
