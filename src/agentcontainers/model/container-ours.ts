import type { Claim } from './events.ts';
import type { Entry } from './state.ts';

/** Made by a process that outlived its daemon, for an operation that was given up meanwhile. */
export function isAbandoned(entry: Entry, { signed }: Claim): boolean {
  return signed !== undefined && entry.abandoned.includes(signed.generation);
}

/** Made by us, so that it needs no mount as proof: a compose service may keep its workspace elsewhere. */
export function isOurs(entry: Entry, { containerId, signed }: Claim): boolean {
  const { settling, intent } = entry;
  if (settling && settling.kind !== 'ready' && settling.containerId === containerId) return true;
  // Of the job that is under way: nobody can have copied its labels from an earlier container.
  if (settling && intent?.kind === 'up' && signed?.generation === intent.operationId) return true;
  return entry.made.some((made) => made.ours && made.containerId === containerId);
}
