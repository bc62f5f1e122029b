import type { Container } from './container.ts';
import type { DirtyReason } from './devcontainer.ts';
import type { Entry } from './state.ts';
import type { Instant } from './time.ts';

type Class = DirtyReason['class'];

/**
 * What follows from a change of each property of a devcontainer.json.
 *
 * - `recreate`: it is built into the image or given to the engine when the container is made. So is everything that is
 *   not listed here: properties of a later specification, files, images.
 * - `rerun-hook`: a command that ran once when the container was made, and can be run again.
 * - `live`: whoever uses the container reads it each time: no part of the container holds it.
 * - `none`: nothing reads it.
 */
const CLASS_OF: Readonly<Record<string, Class>> = {
  $schema: 'none',
  // Names which secrets a person should be asked for. Nobody is asked here.
  secrets: 'none',
  name: 'live',
  // Also the list of further files in it: a file that it newly names is an input of its own.
  customizations: 'live',
  forwardPorts: 'live',
  portsAttributes: 'live',
  otherPortsAttributes: 'live',
  shutdownAction: 'live',
  postStartCommand: 'live',
  postAttachCommand: 'live',
  waitFor: 'live',
  userEnvProbe: 'live',
  remoteEnv: 'live',
  onCreateCommand: 'rerun-hook',
  updateContentCommand: 'rerun-hook',
  postCreateCommand: 'rerun-hook',
};

/** `image <reference>`: the digest is known only while the engine has the image. */
const IMAGE = 'image ';
/**
 * In place of the value of an input of which nobody knows the state that a container was made from: whatever it is now,
 * that may be another one.
 */
export const UNKNOWN_INPUT = 'unknown';
const WHOLE: DirtyReason = { input: 'devcontainer.json', class: 'recreate' };

/** Why the configuration now is not the one the linked container was made from; empty when it is, or none is linked. */
export function dirtyReasons(entry: Entry): readonly DirtyReason[] {
  const { link, config } = entry;
  if (!link || !config) return [];
  const made = entry.made.find((one) => one.containerId === link.id);
  // What it was made from is not known: changed after it was made, strictly later, counts as another configuration.
  if (!made) return config.modifiedAt > latestCreation(link) ? [WHOLE] : [];
  const isSame = made.fingerprint === config.fingerprint;
  // Only the fingerprint is known, e.g. from a label.
  if (!isSame && Object.keys(made.inputs).length === 0) return [WHOLE];
  // The fingerprint stands for the files that are known; images are compared besides.
  const names = [...new Set([...Object.keys(made.inputs), ...Object.keys(config.inputs)])].filter(
    (name) => !isSame || name.startsWith(IMAGE) || made.inputs[name] === UNKNOWN_INPUT,
  );
  const isAtBoth = (name: string): boolean => Object.hasOwn(made.inputs, name) && Object.hasOwn(config.inputs, name);
  const changed = names.filter(
    (name) => made.inputs[name] !== config.inputs[name] && (isAtBoth(name) || !name.startsWith(IMAGE)),
  );
  if (!isSame && !changed.some((name) => !name.startsWith(IMAGE))) return [WHOLE];
  return changed.sort().map((name) => ({ input: name, class: classOf(name) }));
}

function classOf(input: string): Class {
  return (Object.hasOwn(CLASS_OF, input) ? CLASS_OF[input] : undefined) ?? 'recreate';
}

/** Listings count in whole seconds; the exact time is known of a container that was inspected. ms */
export function latestCreation(container: Container): Instant {
  return container.startedAt === undefined ? container.createdAt + 999 : container.createdAt;
}
