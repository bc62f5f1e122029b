import { bounded } from '../../../async/abort.ts';
import { AgentContainersError } from '../../../errors.ts';
import { ENGINE_TIMEOUT } from '../../constants.ts';
import { imagesOfService, isProjectName, type ComposeProject } from '../../model/compose-project.ts';
import { LABEL, type Container } from '../../model/container.ts';
import type { Entry } from '../../model/state.ts';
import {
  containersOfProject,
  heldProject,
  mountsVolume,
  ownNameOf,
  shownLabel,
  volumesOfProject,
  type HeldProject,
} from '../compose-projects.ts';
import type { ProjectOfJob, UpJob } from './up-job.ts';

/**
 * The compose project of the container that is going to be started or made; `undefined` where compose does not make it.
 * The CLI finds a container by the names of project and service alone, and would run the hooks in anybody's. So a name
 * that others have is never used: a container that is there keeps its project, a new one gets a name that is free.
 *
 * Throws `up-failed` with what a person can do.
 */
export async function projectOfJob(
  job: UpJob,
  entry: Entry,
  compose: ComposeProject | undefined,
  startsWhatIsThere: boolean,
): Promise<ProjectOfJob | undefined> {
  if (!compose) return undefined;
  const held = await heldProject(job.rt, { ...entry, config: entry.config && { ...entry.config, compose } });
  const { service } = compose;
  if (startsWhatIsThere && entry.link) {
    const isPart = held && entry.link.labels[LABEL.composeService] === service && (await isKept(job, held));
    if (!isPart) throw notOfThese(entry, entry.link);
    const project = { name: held.name, folders: foldersOf(compose, held), service };
    await requireProject(job, entry, project);
    return project;
  }
  const name = await chooseName(job, entry, compose, held);
  return { name, folders: foldersOf(compose, held), service };
}

/** The files may lie elsewhere by now, or be reached by a link. */
function foldersOf({ folder }: ComposeProject, held: HeldProject | undefined): readonly string[] {
  return [folder, held?.folder].filter((one) => one !== undefined);
}

/** Throws `up-failed` when somebody else has a part in the project, or a container of it would be taken for ours. */
export async function requireProject(job: UpJob, entry: Entry, project: ProjectOfJob | undefined): Promise<void> {
  if (!project) return;
  const { foreign, inTheWay } = await look(job, entry, project);
  if (foreign[0]) throw notAlone(project.name, foreign[0], entry);
  if (inTheWay[0]) throw notOurs(inTheWay[0]);
}

async function look(
  job: UpJob,
  entry: Entry,
  { name, folders, service }: ProjectOfJob,
): Promise<{
  readonly own: readonly Container[];
  readonly foreign: readonly Container[];
  /** The CLI would take it for the one that is meant. */
  readonly inTheWay: readonly Container[];
}> {
  const { rt, jobId } = job;
  const { own, foreign } = await containersOfProject(rt, { name, folders }, job.signal);
  const known = new Set([entry.link?.id, ...entry.candidates.map(({ containerId }) => containerId)]);
  const isOfJob = ({ labels }: Container): boolean => rt.labels.signedBy(labels)?.generation === jobId;
  const inTheWay = own.filter(
    (container) =>
      container.labels[LABEL.composeService] === service && !known.has(container.id) && !isOfJob(container),
  );
  return { own, foreign, inTheWay };
}

/** Its name belongs to this configuration; or nothing of that name belongs to anybody else. */
async function isKept({ rt, signal }: UpJob, { name, folder, isNamed }: HeldProject): Promise<boolean> {
  if (isNamed) return true;
  const { own, foreign } = await containersOfProject(rt, { name, folders: [folder] }, signal);
  const volumes = await volumesOfProject(rt, name, signal);
  return foreign.length === 0 && volumes.every((volume) => own.some((container) => mountsVolume(container, volume)));
}

async function chooseName(
  job: UpJob,
  entry: Entry,
  compose: ComposeProject,
  held: HeldProject | undefined,
): Promise<string> {
  const { rt, id } = job;
  const ownName = ownNameOf(compose, entry.key);
  const computed = [compose.name, ownName];
  const noted = rt.store.state.projects.get(id);
  const before = held?.name ?? noted;
  // Who gives it another name wants another project; else it stays what it is, with its volumes.
  const stays = before !== undefined && (computed.includes(before) || (!!held && !compose.isExplicit));
  const keeps = stays && (!held || (await isKept(job, held)));
  const names = new Set([...(keeps ? [before] : []), ...computed].filter((name) => isProjectName(name)));
  const reasons: string[] = [];
  for (const name of names) {
    const isMine = name === noted || name === held?.name;
    const folders = foldersOf(compose, held);
    const mayHaveVolumes = isMine || name === ownName;
    // Looked at again when all others have answered: from here on there is no pause in which another job could choose it.
    const reason =
      takenBy(job, compose, name) ??
      (await whyNot(job, entry, compose, { name, folders, mayHaveVolumes })) ??
      takenBy(job, compose, name);
    if (reason === undefined) {
      if (reasons.length > 0 && name !== before) say(job, entry, name, reasons);
      rt.store.dispatch({ type: 'projectChosen', id, project: name });
      await rt.persistence.flush();
      return name;
    }
    reasons.push(reason);
  }
  throw new AgentContainersError('up-failed', `Bringing up failed: ${reasons.join('; ')}. ${nameIt(entry)}`);
}

/** Why a new project cannot have this name. Throws when that is for a person to see to. */
async function whyNot(
  job: UpJob,
  entry: Entry,
  compose: ComposeProject,
  { name, folders, mayHaveVolumes }: Omit<ProjectOfJob, 'service'> & { readonly mayHaveVolumes: boolean },
): Promise<string | undefined> {
  const { state } = job.rt.store;
  const { own, foreign, inTheWay } = await look(job, entry, { name, folders, service: compose.service });
  if (foreign[0]) return `the compose project ${name} is that of ${folderOf(foreign[0])}`;
  for (const container of inTheWay) {
    const owner = state.entries.get(state.claims.get(container.id) ?? '');
    if (!owner || owner.id === entry.id) throw notOurs(container);
    return `the service ${compose.service} of the compose project ${name} is the devcontainer ${owner.name}`;
  }
  if (mayHaveVolumes || compose.isExplicit || own.length > 0) return undefined;
  // They were made for somebody who is not there at the moment.
  const [volume] = await volumesOfProject(job.rt, name, job.signal);
  const left = volume === undefined ? await builtImage(job, compose, name) : `volume ${shownLabel(volume)}`;
  return left && `there is the ${left} of a compose project ${name}, and it is not known whose it is`;
}

/** An image that a build of this project would take the name of: who goes by that name would run another one. */
async function builtImage(
  { rt, signal }: UpJob,
  { builds = [] }: ComposeProject,
  name: string,
): Promise<string | undefined> {
  for (const image of builds.flatMap((service) => imagesOfService(name, service))) {
    const found = await bounded(rt.ports.clock, ENGINE_TIMEOUT, `Inspecting the image ${image}`, signal, (limit) =>
      rt.ports.engine.inspectImage(image, limit),
    );
    if (found) return `image ${image}`;
  }
  return undefined;
}

/** Says which other devcontainer the project was chosen for, unless that is another service of the same project. */
function takenBy({ rt, id }: UpJob, compose: ComposeProject, name: string): string | undefined {
  const { entries, projects } = rt.store.state;
  for (const [otherId, project] of projects) {
    const other = otherId === id || project !== name ? undefined : entries.get(otherId);
    const theirs = other?.config?.compose;
    const isSibling =
      theirs?.folder !== undefined && theirs.folder === compose.folder && theirs.service !== compose.service;
    if (other && !isSibling) return `the compose project ${name} is that of the devcontainer ${other.name}`;
  }
  return undefined;
}

function say({ rt, id }: UpJob, { key }: Entry, name: string, reasons: readonly string[]): void {
  const text = `The compose project of ${key.workspaceFolder} is called ${name}, with volumes of its own, since ${reasons.join('; ')}.`;
  rt.ports.logger.warn({ devcontainer: id }, text);
  rt.ports.logSink.append(
    id,
    `${text} To use the volumes of another name all the same, say it by COMPOSE_PROJECT_NAME in .env.\n`,
  );
}

function folderOf({ name, labels }: Container): string {
  return `${shownLabel(labels[LABEL.composeFolder])} (container ${name})`;
}

function nameIt({ key }: Entry): string {
  return `Give this one a name of its own, by \`name:\` in its compose file or by COMPOSE_PROJECT_NAME in ${key.workspaceFolder}/.env, and try again.`;
}

function notAlone(project: string, other: Container, entry: Entry): AgentContainersError {
  return new AgentContainersError(
    'up-failed',
    `Bringing up failed: the compose project ${project} is also that of ${folderOf(other)}, so that one would be taken for the other. Recreate this one, and it gets a project of its own, with volumes of its own; or remove the other: agentcontainers recreate ${entry.name}`,
  );
}

function notOurs({ name }: Container): AgentContainersError {
  return new AgentContainersError(
    'up-failed',
    `Bringing up failed: another container would be taken for this one, as it carries the labels of the same compose service. Remove the container ${name}, and try again.`,
  );
}

function notOfThese({ name }: Entry, link: Container): AgentContainersError {
  return new AgentContainersError(
    'up-failed',
    `Bringing up failed: the container ${link.name} was not made as this service of these compose files, so it cannot be started with them. Recreate it: agentcontainers recreate ${name}`,
  );
}
