import type { EngineWorld } from '../engine-runtime/engine-process.ts';
import { createEngineRuntime } from '../engine-runtime/engine-runtime.ts';
import type { ContainerRuntime } from '../ports.ts';
import { commandSettings } from './exec.ts';
import { commandEnv } from './command-env.ts';
import type { CommandEnv } from './command-env.ts';
import { hold } from './hold.ts';
import type { Runtime } from './runtime.ts';

/** What runs through the engine, one for each container, kept as long as its devcontainer has that container. */
export interface EngineRuntimes {
  of(id: string, containerId: string): Promise<ContainerRuntime>;
  /** The one there is. */
  known(id: string): ContainerRuntime | undefined;
}

/** After which time profiles that could not be asked are asked again. */
const PROBE_AGAIN_MS = 60_000;

interface Made {
  readonly containerId: string;
  readonly runtime: ContainerRuntime;
  /** Asks the profiles again, when that is due. */
  readonly refresh: () => Promise<void>;
}

export function createEngineRuntimes(rt: Runtime): EngineRuntimes {
  const made = new Map<string, Made>();
  const making = new Map<string, Promise<ContainerRuntime>>();

  async function make(id: string, containerId: string): Promise<ContainerRuntime> {
    const { world, refresh } = await worldOf(rt, id, containerId);
    const held = withHolders(rt, id, createEngineRuntime(world));
    // The container may have been replaced meanwhile: what asked for it is told so by its first call.
    if (rt.store.state.entries.get(id)?.link?.id === containerId) made.set(id, { containerId, runtime: held, refresh });
    return held;
  }
  rt.store.onCommit(({ entries }) => {
    for (const [id, { containerId }] of made) if (entries.get(id)?.link?.id !== containerId) made.delete(id);
  });

  return {
    of: async (id, containerId) => {
      const known = made.get(id);
      if (known?.containerId === containerId) {
        await known.refresh();
        return known.runtime;
      }
      const name = `${id} ${containerId}`;
      const begun = making.get(name) ?? make(id, containerId).finally(() => making.delete(name));
      making.set(name, begun);
      return begun;
    },
    known: (id) => made.get(id)?.runtime,
  };
}

async function worldOf(
  rt: Runtime,
  id: string,
  containerId: string,
): Promise<{ readonly world: EngineWorld; readonly refresh: () => Promise<void> }> {
  const entry = rt.store.state.entries.get(id);
  if (!entry) throw new Error(`devcontainer ${id} is gone`);
  const { details, configuration } = await commandSettings(rt, entry, containerId, rt.closing);
  const { engine, clock } = rt.ports;
  const user = configuration.remoteUser ?? (details.user === '' ? undefined : details.user);
  const ask = (): Promise<CommandEnv> =>
    commandEnv(rt, id, { id: containerId, user, details, configuration }, rt.closing);
  let found = await ask();
  let askedAt = clock.now();
  let asking: Promise<void> | undefined;
  const workingDir = configuration.workspaceFolder;
  const world: EngineWorld = {
    ...{ engine, clock, containerId, user, workingDir },
    remoteEnv: found.remoteEnv,
    get env() {
      return found.env;
    },
  };
  async function askAgain(): Promise<void> {
    try {
      found = await ask();
    } finally {
      askedAt = clock.now();
      asking = undefined;
    }
  }
  return {
    world,
    async refresh() {
      if (found.isProbed || (!asking && clock.now() - askedAt < PROBE_AGAIN_MS)) return;
      asking ??= askAgain();
      await asking;
    },
  };
}

/** A resident says itself what it is busy with; of these commands nobody else knows. */
function withHolders(rt: Runtime, id: string, runtime: ContainerRuntime): ContainerRuntime {
  return {
    ...runtime,
    async exec(spec, signal) {
      const release = hold(rt, id, spec);
      try {
        const running = await runtime.exec(spec, signal);
        void running.exited.then(release);
        closesWith(rt, running.exited, () => running.kill());
        return running;
      } catch (error) {
        release();
        throw error;
      }
    },
    async spawn(spec, signal) {
      const release = hold(rt, id, spec);
      try {
        const process = await runtime.spawn(spec, signal);
        const { exited } = await runtime.attach(process.id, { readOnly: true });
        void exited.then(release);
        closesWith(rt, exited, () => runtime.kill(process.id));
        return process;
      } catch (error) {
        release();
        throw error;
      }
    },
  };
}

/** Nobody could find it again when we are gone. */
function closesWith(rt: Runtime, exited: Promise<unknown>, kill: () => Promise<unknown>): void {
  const onClose = (): void =>
    rt.tasks.spawn('end a command', async () => {
      await kill().catch(() => {});
    });
  // It may have begun just then.
  if (rt.closing.aborted) onClose();
  else rt.closing.addEventListener('abort', onClose, { once: true });
  void exited.then(() => rt.closing.removeEventListener('abort', onClose));
}
