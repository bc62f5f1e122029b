import { bounded } from '../../async/abort.ts';
import { AgentContainersError } from '../../errors.ts';
import type { RemovalPlan } from '../api.ts';
import { ENGINE_TIMEOUT } from '../constants.ts';
import { admit } from '../model/admit.ts';
import type { ContainerMount } from '../model/container.ts';
import type { VolumesOption } from '../model/intent.ts';
import { projectLabel } from './compose-projects.ts';
import { belongingsOf, madeForProject } from './devcontainer-containers.ts';
import { rejection } from './rejection.ts';
import type { Runtime } from './runtime.ts';

/** What a removal with this option would remove now. Changes nothing. */
export async function planRemoval(rt: Runtime, id: string, volumes: VolumesOption): Promise<RemovalPlan> {
  const { state } = rt.store;
  // What could not be removed is not planned for either.
  const command = { type: 'remove', id } as const;
  const admission = admit(state, command);
  if (admission.kind === 'rejected') throw rejection(admission, command, state.observation);
  const entry = state.entries.get(id);
  if (!entry) throw new AgentContainersError('devcontainer-not-found', 'Devcontainer not found.');
  const belongings = await belongingsOf(rt, entry);
  const { containers } = belongings;
  const anonymous = volumes === 'none' ? [] : containers.flatMap(({ mounts }) => mounts.filter(isAnonymousVolume));
  const { clock, engine } = rt.ports;
  const [named, networks] = await bounded(clock, ENGINE_TIMEOUT, 'Listing volumes', rt.closing, async (signal) => {
    const made = await madeForProject(rt, belongings, signal);
    const labels = made.networksOf === undefined ? undefined : [projectLabel(made.networksOf)];
    return [
      volumes === 'named' ? made.volumes : [],
      labels === undefined ? [] : await engine.listNetworks({ labels, signal }),
    ] as const;
  });
  return {
    containers: containers.map(({ name }) => name),
    volumes: [...new Set([...anonymous.map(({ source }) => source), ...named])].sort(),
    networks,
    entryGoes: entry.origin !== 'manifest' && entry.origin !== 'discovered',
  };
}

/** The engine names a volume that nobody named by 64 hexadecimal digits. */
function isAnonymousVolume({ type, source }: ContainerMount): boolean {
  return type === 'volume' && /^[0-9a-f]{64}$/.test(source);
}
