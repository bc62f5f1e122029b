import { createFakeContainerRuntime } from '../../../src/testing/index.ts';
import type { FakeContainerRuntime, TestWorld } from '../../../src/testing/index.ts';

/** What the residents serve, one for each container, also over restarts of the library. */
export interface Residents {
  in(containerId: string): FakeContainerRuntime;
  /** Throws when a connection or a call was left open. */
  assertNoLeaks(): void;
}

/** From now on each sub-agent that is launched is a resident; one that is launched again in its container adopts what runs there. */
export function withResidents(world: Pick<TestWorld, 'clock' | 'engine' | 'subAgentLauncher'>): Residents {
  const runtimes = new Map<string, FakeContainerRuntime>();

  function made(containerId: string): FakeContainerRuntime {
    const runtime = runtimes.get(containerId) ?? createFakeContainerRuntime(world);
    runtimes.set(containerId, runtime);
    return runtime;
  }
  world.subAgentLauncher.servesRuntime(({ containerId }) => made(containerId));
  world.engine.onContainerEnd(({ id }) => runtimes.get(id)?.end());

  return {
    in(containerId) {
      const runtime = runtimes.get(containerId);
      if (!runtime) throw new Error(`No resident was launched in ${containerId}.`);
      return runtime;
    },
    assertNoLeaks() {
      const leaks = [...runtimes.values()].flatMap((runtime) => runtime.leaks());
      if (leaks.length > 0) throw new Error(`Something was left open in containers:\n- ${leaks.join('\n- ')}`);
    },
  };
}
