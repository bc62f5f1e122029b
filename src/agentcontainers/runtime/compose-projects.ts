import { createHash } from 'node:crypto';
import { bounded } from '../../async/abort.ts';
import { ENGINE_TIMEOUT, FOLDER_TIMEOUT } from '../constants.ts';
import { ownProjectName, type ComposeProject } from '../model/compose-project.ts';
import { LABEL, type Container } from '../model/container.ts';
import type { Entry } from '../model/state.ts';
import type { Runtime } from './runtime.ts';

/** The compose project that a container of an entry belongs to. */
export interface HeldProject {
  readonly name: string;
  /** Of its compose files, as the labels of its containers say it. */
  readonly folder: string;
  /** We made it for this entry. */
  readonly isOurs: boolean;
  /** We made it, or it has a name that this configuration gets: what carries the name may be taken for a part of it. */
  readonly isNamed: boolean;
}

/**
 * The project of the linked container; `undefined` when the configuration is not a compose one, or its container not one
 * of it. An image can carry the labels of any project: they count where they say what was computed or noted here.
 */
export async function heldProject(
  rt: Runtime,
  { id, key, link, config }: Pick<Entry, 'id' | 'key' | 'link' | 'config'>,
): Promise<HeldProject | undefined> {
  const compose = config?.compose;
  const name = link?.labels[LABEL.composeProject];
  const folder = link?.labels[LABEL.composeFolder];
  if (!compose || !name || !folder) return undefined;
  const isOurs = rt.store.state.projects.get(id) === name;
  if (!isOurs && !(await isSameFolder(rt, folder, compose.folder))) return undefined;
  const isNamed = isOurs || name === compose.name || name === ownNameOf(compose, key);
  return { name, folder, isOurs, isNamed };
}

/** A name for the project of this configuration that no other one gets. */
export function ownNameOf(compose: ComposeProject, { workspaceFolder, configPath }: Entry['key']): string {
  const hash = createHash('sha256').update(JSON.stringify([workspaceFolder, configPath]));
  return ownProjectName(compose, hash.digest('hex').slice(0, 12));
}

/** Whether two paths lead to the same directory. Of one that does not answer that cannot be said. */
async function isSameFolder(rt: Runtime, one: string, other: string | undefined): Promise<boolean> {
  if (one === other) return true;
  if (other === undefined) return false;
  const { clock, configFiles } = rt.ports;
  try {
    const look = (): Promise<(string | undefined)[]> =>
      Promise.all([configFiles.realDirectory(one), configFiles.realDirectory(other)]);
    const [real, otherReal] = await bounded(clock, FOLDER_TIMEOUT, `Looking at ${other}`, rt.closing, look);
    return real !== undefined && real === otherReal;
  } catch {
    return false;
  }
}

export function projectLabel(project: string): string {
  return `${LABEL.composeProject}=${project}`;
}

/**
 * All containers that carry the name of a project, told by whether they say that they come from one of these folders. What
 * others say is compared only as text: nobody's folder is looked at because a label names it.
 */
export async function containersOfProject(
  rt: Runtime,
  { name, folders }: { readonly name: string; readonly folders: readonly string[] },
  signal: AbortSignal,
): Promise<{ readonly own: readonly Container[]; readonly foreign: readonly Container[] }> {
  const { clock, engine } = rt.ports;
  const found = await bounded(clock, ENGINE_TIMEOUT, 'Listing containers', signal, (limit) =>
    engine.listContainers({ labels: [projectLabel(name)], signal: limit }),
  );
  const isOwn = ({ labels }: Container): boolean => folders.includes(labels[LABEL.composeFolder] ?? '');
  return { own: found.filter(isOwn), foreign: found.filter((container) => !isOwn(container)) };
}

/** Names of volumes that were made for a project. */
export async function volumesOfProject(rt: Runtime, name: string, signal: AbortSignal): Promise<readonly string[]> {
  const { clock, engine } = rt.ports;
  return bounded(clock, ENGINE_TIMEOUT, 'Listing volumes', signal, (limit) =>
    engine.listVolumes({ labels: [projectLabel(name)], signal: limit }),
  );
}

/** Whether a container mounts this volume. */
export function mountsVolume({ mounts }: Container, name: string): boolean {
  return mounts.some(({ type, source }) => type === 'volume' && source === name);
}

/** A text of a label for people. */
export function shownLabel(text: string | undefined): string {
  return (text ?? 'an unknown folder').replaceAll(/\p{C}/gu, '?').slice(0, 200);
}
