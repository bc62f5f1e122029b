import type { ContainerEngine } from '../../../src/agentcontainers/ports.ts';
import type { Clock } from '../../../src/clock/clock.ts';
import { silentLogger } from '../../../src/logger.ts';
import { connectResident } from '../../../src/subagent/resident/connect-resident.ts';
import { createResidentAgent } from '../../../src/subagent/resident/resident-agent.ts';
import type { ResidentAgent } from '../../../src/subagent/resident/resident-agent.ts';
import { createResidentLink } from '../../../src/subagent/resident/resident-link.ts';
import type { Connected, ContainerLook } from '../../../src/subagent/resident/resident-link.ts';
import type { FakeResident } from './fake-resident.ts';
import type { MemorySession } from './memory-session.ts';

/** Connects to it as through an engine's exec. */
export function connectTo(
  fake: FakeResident,
  clock: Clock,
  options: { readonly start?: boolean; readonly onSession?: (session: MemorySession) => void } = {},
): Promise<Connected> {
  const engine = {
    exec: async () => {
      const session = fake.connect();
      options.onSession?.(session);
      return session.session;
    },
  } as unknown as ContainerEngine;
  return connectResident({
    engine,
    clock,
    containerId: 'c0ffee',
    path: '/resident',
    user: undefined,
    greeting: { token: 'token', start: options.start ?? true },
    timeoutMs: 5_000,
    signal: new AbortController().signal,
  });
}

/** An agent whose connection is made again as in life. */
export async function agentOf(
  fake: FakeResident,
  clock: Clock,
  options: { readonly onSession?: (session: MemorySession) => void; readonly look?: () => ContainerLook } = {},
): Promise<ResidentAgent> {
  const { onSession } = options;
  const link = createResidentLink(await connectTo(fake, clock, { ...(onSession && { onSession }) }), {
    connect: () => connectTo(fake, clock, { start: false, ...(onSession && { onSession }) }),
    look: async () => options.look?.() ?? 'runs',
    clock,
    logger: silentLogger,
  });
  return createResidentAgent(link, { clock, onBusy: () => {} });
}

/** Lets the program run until it holds; bounded. */
export async function until(check: () => boolean): Promise<void> {
  for (let turn = 0; turn < 20_000 && !check(); turn++) await new Promise((resolve) => setImmediate(resolve));
  if (!check()) throw new Error('It did not come to hold.');
}
