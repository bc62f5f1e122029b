import { AgentContainersError } from '../../errors.ts';
import { adoptedEntry } from './adopted-entry.ts';
import type { Runtime } from './runtime.ts';

/** Accepts the verdict with this hash, and no other: the person has seen that one. */
export async function trust(rt: Runtime, id: string, hash: string): Promise<void> {
  const { verdict } = adoptedEntry(rt, id);
  if (verdict?.hash !== hash) throw changed(verdict?.hash);
  const at = rt.ports.clock.now();
  rt.store.dispatch({ type: 'trusted', id, trust: { hash, findings: verdict.findings, at } });
  await rt.persistence.flush();
}

export async function revokeTrust(rt: Runtime, id: string, hash: string | undefined): Promise<void> {
  const entry = adoptedEntry(rt, id);
  if (hash !== undefined && entry.trust?.hash !== hash) throw changed(entry.trust?.hash);
  rt.store.dispatch({ type: 'trustRevoked', id });
  await rt.persistence.flush();
}

function changed(hash: string | undefined): AgentContainersError {
  return new AgentContainersError('verdict-changed', 'The findings have changed', {
    details: { detail: 'The configuration is another one than the one that was looked at. Look at it again.', hash },
  });
}
