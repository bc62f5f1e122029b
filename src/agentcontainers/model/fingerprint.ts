import type { Container } from './container.ts';
import type { DirtyReason } from './devcontainer.ts';
import type { Entry } from './state.ts';
import type { Instant } from './time.ts';

type Class = DirtyReason['class'];

// Properties whose change does not need a new container. Every other property does.
const CLASS_OF: Readonly<Record<string, Class>> = {
  $schema: 'none',
  name: 'live',
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

/** Why the configuration now is not the one the linked container was made from; empty when it is, or none is linked. */
export function dirtyReasons(entry: Entry): readonly DirtyReason[] {
  const { link, config } = entry;
  if (!link || !config) return [];
  const made = entry.made.find((one) => one.containerId === link.id);
  if (!made) {
    // What it was made from is not known: changed after it was made, strictly later, counts as another configuration.
    return config.modifiedAt > latestCreation(link) ? [{ input: 'devcontainer.json', class: 'recreate' }] : [];
  }
  if (made.fingerprint === config.fingerprint) return [];
  const names = new Set([...Object.keys(made.properties), ...Object.keys(config.properties)]);
  const changed = [...names].filter((name) => made.properties[name] !== config.properties[name]).sort();
  if (changed.length === 0) return [{ input: 'devcontainer.json', class: 'recreate' }];
  return changed.map((name) => ({ input: name, class: classOf(name) }));
}

function classOf(property: string): Class {
  return (Object.hasOwn(CLASS_OF, property) ? CLASS_OF[property] : undefined) ?? 'recreate';
}

/** Listings count in whole seconds; the exact time is known of a container that was inspected. ms */
export function latestCreation(container: Container): Instant {
  return container.startedAt === undefined ? container.createdAt + 999 : container.createdAt;
}
