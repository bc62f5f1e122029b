import {
  containersOfProject,
  heldProject,
  mountsVolume,
  volumesOfProject,
  type HeldProject,
} from './compose-projects.ts';
import { LABEL, type Container } from '../model/container.ts';
import type { Entry } from '../model/state.ts';
import type { Runtime } from './runtime.ts';

/** What belongs to a devcontainer and goes with it. */
export interface Belongings {
  /** Its container, those of its compose project, and the others that claim it: left behind they would be it again. */
  readonly containers: readonly Container[];
  readonly project?: HeldProject | undefined;
}

/** The linked container, and all others of its compose project. */
export async function containersOf(rt: Runtime, entry: Entry): Promise<readonly Container[]> {
  return withSiblings(rt, entry, await heldProject(rt, entry));
}

export async function belongingsOf(rt: Runtime, entry: Entry): Promise<Belongings> {
  const project = await heldProject(rt, entry);
  const own = withSiblings(rt, entry, project);
  const others = rt.store.state.containers.filter(
    ({ id }) =>
      entry.candidates.some(({ containerId }) => containerId === id) && !own.some((container) => container.id === id),
  );
  return { containers: [...own, ...others], project };
}

/**
 * Volumes and networks that were made for the compose project of a devcontainer. Who else carries its name may use them,
 * and then they stay; `shared` is such a container. Of a project that we have not made a volume goes only when one of its
 * containers mounts it, and networks only when it has the name that this configuration gets.
 */
export async function madeForProject(
  rt: Runtime,
  { containers, project }: Belongings,
  signal: AbortSignal,
): Promise<{
  readonly volumes: readonly string[];
  /** Its networks, if they may go. */
  readonly networksOf?: string | undefined;
  readonly shared?: Container | undefined;
}> {
  if (!project) return { volumes: [] };
  const { foreign } = await containersOfProject(rt, { name: project.name, folders: [project.folder] }, signal);
  if (foreign[0]) return { volumes: [], shared: foreign[0] };
  const volumes = await volumesOfProject(rt, project.name, signal);
  const isIts = (volume: string): boolean =>
    project.isOurs || containers.some((container) => mountsVolume(container, volume));
  return { volumes: volumes.filter(isIts), networksOf: project.isNamed ? project.name : undefined };
}

function withSiblings(rt: Runtime, { link }: Entry, project: HeldProject | undefined): Container[] {
  if (!link) return [];
  if (!project) return [link];
  const others = rt.store.state.containers.filter(
    ({ id, labels }) =>
      id !== link.id && labels[LABEL.composeProject] === project.name && labels[LABEL.composeFolder] === project.folder,
  );
  return [link, ...others];
}
