import type { Delivery, DeliverRequest, LaunchRequest, SubAgentLauncher } from '../agentcontainers/ports.ts';
import { AgentContainersError } from '../errors.ts';
import type { FakeEngine } from './fake-engine.ts';
import { createFakeSubAgentProcess } from './fake-sub-agent-process.ts';
import type { FakeSubAgentProcess } from './fake-sub-agent-process.ts';
import type { LeakSource } from './leak-guard.ts';
import { createScriptedCalls } from './scripted-calls.ts';
import type { CallControls } from './scripted-calls.ts';

export interface FakeSubAgentLauncher extends SubAgentLauncher, CallControls<'deliver' | 'launch'>, LeakSource {
  /**
   * Delivery into a running container succeeds (by archive, from then on the file is present) and so does the launch.
   * The process runs until it is stopped, its container ends, or the test ends it.
   */
  succeedsByDefault(): FakeSubAgentLauncher;
  onDeliver(script: (request: DeliverRequest) => Delivery | Promise<Delivery>): void;
  /** Called before the process comes to be: may throw, wait, or return the version that the process reports. */
  onLaunch(script: (request: LaunchRequest) => string | undefined | Promise<string | undefined>): void;
  /** Every delivery that succeeded, oldest first. */
  readonly deliveries: readonly (Delivery & { readonly request: DeliverRequest })[];
  /** Every process that was launched, oldest first, also those that have ended. */
  readonly processes: readonly FakeSubAgentProcess[];
  /** Those that run now; of one container if it is given. */
  running(containerId?: string): FakeSubAgentProcess[];
}

const DEFAULT_VERSION = 'fake-agent 1.0.0';

/** @param world.engine its containers are where sub-agents run; when one ends, so do they */
export function createFakeSubAgentLauncher(world: { engine: FakeEngine }): FakeSubAgentLauncher {
  const calls = createScriptedCalls('subAgentLauncher', ['deliver', 'launch']);
  const deliveries: (Delivery & { readonly request: DeliverRequest })[] = [];
  const processes: FakeSubAgentProcess[] = [];
  let deliverScript: ((request: DeliverRequest) => Delivery | Promise<Delivery>) | undefined;
  let launchScript: ((request: LaunchRequest) => string | undefined | Promise<string | undefined>) | undefined;

  function deliverByDefault({ binary, containerId }: DeliverRequest): Delivery {
    requireRunning(containerId, 'sub-agent-delivery-failed', `Delivering ${binary.name}`);
    const path = `/.agentcontainers/${binary.name}-${binary.sha256.slice(0, 12)}`;
    const present = deliveries.some(
      ({ request, ...done }) => request.containerId === containerId && done.path === path,
    );
    return { path, way: present ? 'present' : 'archive', version: DEFAULT_VERSION };
  }

  function requireRunning(
    containerId: string,
    code: 'sub-agent-delivery-failed' | 'sub-agent-start-failed',
    doing: string,
  ): void {
    const container = world.engine.containers().find(({ id }) => id === containerId);
    if (container?.running) return;
    const reason = container ? 'is not running' : 'is gone';
    throw new AgentContainersError(code, `${doing} failed: container ${containerId.slice(0, 12)} ${reason}.`);
  }

  world.engine.onContainerEnd((container) => {
    for (const process of running(container.id)) {
      process.exit({ reason: 'container-gone', exitCode: null, message: 'The container has ended.' });
    }
  });

  function running(containerId?: string): FakeSubAgentProcess[] {
    return processes.filter(
      (process) => process.running && (containerId === undefined || process.request.containerId === containerId),
    );
  }

  const launcher: FakeSubAgentLauncher = {
    calls: calls.calls,
    failNext: calls.failNext,
    hang: calls.hang,

    succeedsByDefault() {
      deliverScript ??= deliverByDefault;
      launchScript ??= () => DEFAULT_VERSION;
      return launcher;
    },
    onDeliver(script) {
      deliverScript = script;
    },
    onLaunch(script) {
      launchScript = script;
    },
    deliveries,
    processes,
    running,

    deliver: (request) =>
      calls.perform('deliver', request.signal, async () => {
        if (!deliverScript) throw unscripted(`deliver ${request.binary.name}`, 'onDeliver');
        const delivery = await deliverScript(request);
        deliveries.push({ ...delivery, request });
        return delivery;
      }),
    launch: (request) =>
      calls.perform('launch', request.signal, async () => {
        if (!launchScript) throw unscripted(`launch ${request.path}`, 'onLaunch');
        const version = await launchScript(request);
        request.signal.throwIfAborted();
        requireRunning(request.containerId, 'sub-agent-start-failed', `Starting ${request.path}`);
        const process = createFakeSubAgentProcess(request, version);
        processes.push(process);
        return process;
      }),

    leaks: () => [
      ...calls.leaks(),
      ...running().map(({ request }) => `a sub-agent runs in container ${request.containerId.slice(0, 12)}`),
    ],
  };

  function unscripted(call: string, scriptedBy: string): AgentContainersError {
    return calls.unscripted(
      `subAgentLauncher.${call}`,
      `Script it with subAgentLauncher.${scriptedBy}(…) or subAgentLauncher.succeedsByDefault().`,
    );
  }
  return launcher;
}
