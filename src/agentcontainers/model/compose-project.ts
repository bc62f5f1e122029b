/** The compose project that the container of a configuration belongs to, as far as its files tell. */
export interface ComposeProject {
  /** As the dev container CLI names it by itself; may be unfit for a name. */
  readonly name: string;
  /** A file says so. Else it is made from the name of a folder, which others may have as well. */
  readonly isExplicit: boolean;
  /** Where the first compose file lies, absolute: compose writes it on every container. `undefined`: it cannot be told. */
  readonly folder?: string | undefined;
  /** The service that is the dev container. */
  readonly service?: string | undefined;
  /** Services whose images are named after the project when they are built. Bounded. */
  readonly builds?: readonly string[] | undefined;
}

/** What compose takes for a name. */
export function isProjectName(text: string): boolean {
  return /^[a-z0-9][-_a-z0-9]*$/.test(text);
}

/** Names of the image of a service that is built, in all versions of compose. */
export function imagesOfService(project: string, service: string): readonly string[] {
  return [`${project}-${service}`, `${project}_${service}`];
}

/**
 * A name that no other configuration has.
 * @param digits hexadecimal, of the key of the configuration
 */
export function ownProjectName({ name }: Pick<ComposeProject, 'name'>, digits: string): string {
  const base = name.slice(0, 60).replace(/^[-_]+/, '');
  return `${base === '' ? 'devcontainer' : base}-${digits}`;
}
