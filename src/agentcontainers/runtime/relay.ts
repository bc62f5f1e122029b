// INVARIANTS
// - Each direction waits for its own receiver alone. An end is told as an end, and what broke off as broken off.
// - It never rejects, and when it resolves both connections are closed.
import type { ContainerConnection, LocalConnection } from '../ports.ts';

/** Carries bytes both ways until both directions have ended. */
export async function relay(local: LocalConnection, remote: ContainerConnection): Promise<void> {
  let isCarried = false;
  const cutOff = (): void => {
    local.close();
    remote.close();
  };
  // Seen also while the other side takes nothing. What it has sent and ended goes on; it is closed only after both ends.
  void local.closed.then(() => {
    if (!isCarried) cutOff();
  });
  const carried = await Promise.all([carry(local, remote), carry(remote, local)].map(orCutOff(cutOff)));
  isCarried = true;
  // Else what was sent last may still be on its way.
  if (carried.includes(false)) cutOff();
  await Promise.all([local.closed, remote.closed]);
}

const orCutOff =
  (cutOff: () => void) =>
  (carried: Promise<boolean>): Promise<boolean> =>
    carried.catch(() => {
      cutOff();
      return false;
    });

/**
 * Resolves with false when the receiver takes no more: it may still have something to say to the sender. Rejects when the
 * sender breaks off.
 */
async function carry(from: ContainerConnection, to: ContainerConnection): Promise<boolean> {
  for await (const bytes of from.incoming) {
    try {
      await to.write(bytes);
    } catch {
      return false;
    }
  }
  to.end();
  return true;
}
