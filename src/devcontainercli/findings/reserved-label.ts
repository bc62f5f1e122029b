/**
 * Labels by which containers are told to belong to a devcontainer, to us or to a project of compose. Who sets one claims
 * to be something else.
 */
const RESERVED = /^(?:devcontainer\.(?:local_folder|config_file|metadata|is_test_run)$|agentcontainers|com\.docker\.)/i;

/** A label may be given by a configuration: its name says nothing about what the container is. */
export function isFreeLabel(name: string): boolean {
  return /^[\w./-]+$/.test(name) && !RESERVED.test(name);
}

/** Labels of an image that its containers inherit, and with them another's place. */
export function isClaimingLabel(name: string): boolean {
  return /^(?:devcontainer\.(?:local_folder|config_file)$|agentcontainers\b)/i.test(name);
}

/** The same, unless compose makes the container: it sets its own in their place, and writes some on images it builds. */
export function isComposeLabel(name: string): boolean {
  return /^com\.docker\.compose\b/i.test(name);
}
