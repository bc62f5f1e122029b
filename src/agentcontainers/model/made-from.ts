import type { Container } from './container.ts';
import type { Claim } from './events.ts';
import type { Entry, MadeFrom } from './state.ts';

/** Notes what fingerprint the linked container was made from, as far as it can be known; forgets what is gone. */
export function withMade(entry: Entry, containers: readonly Container[], claims: readonly Claim[]): Entry {
  const { link } = entry;
  const present = new Set(containers.map((container) => container.id));
  let made: readonly MadeFrom[] = entry.made.every((one) => present.has(one.containerId))
    ? entry.made
    : entry.made.filter((one) => present.has(one.containerId));
  if (link && !made.some((one) => one.containerId === link.id)) {
    const claim = claims.find(({ containerId }) => containerId === link.id);
    const found = madeFrom(entry, link, claim?.proven ? claim.signed : undefined);
    if (found) made = [...made, { containerId: link.id, ...found }];
  }
  return made === entry.made ? entry : { ...entry, made };
}

function madeFrom(entry: Entry, link: Container, signed: Claim['signed']): Omit<MadeFrom, 'containerId'> | undefined {
  const { intent, config } = entry;
  const isOfIntent = intent?.kind === 'up' && !intent.knownContainers.includes(link.id);
  if (isOfIntent && (signed === undefined || signed.generation === intent.operationId)) {
    return { fingerprint: intent.fingerprint, inputs: intent.inputs, ours: true };
  }
  // Our own labels say what it was made from, also when what we wrote down is lost; but not of each input.
  if (signed) {
    const inputs = config?.fingerprint === signed.fingerprint ? config.inputs : {};
    return { fingerprint: signed.fingerprint, inputs, ours: true };
  }
  // Not changed since the container was made, so this is what it was made from.
  if (!config || config.modifiedAt > link.createdAt) return undefined;
  return { fingerprint: config.fingerprint, inputs: config.inputs, ours: false };
}
