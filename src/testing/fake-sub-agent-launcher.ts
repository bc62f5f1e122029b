import type { Container } from '../agentcontainers/model/container.ts';
import type {
  ContainerRuntime,
  Delivery,
  DeliverRequest,
  LaunchRequest,
  SubAgentLauncher,
} from '../agentcontainers/ports.ts';
import { AgentContainersError } from '../errors.ts';
import type { FakeEngine } from './fake-engine.ts';
import { createFakeSubAgentProcess } from './fake-sub-agent-process.ts';
import type { FakeSubAgentProcess } from './fake-sub-agent-process.ts';
import type { LeakSource } from './leak-guard.ts';
import { createScriptedCalls } from './scripted-calls.ts';
import type { CallControls } from './scripted-calls.ts';

export interface FakeSubAgentLauncher
  extends SubAgentLauncher, CallControls<'readOnlyMount' | 'deliver' | 'launch'>, LeakSource {
  /**
   * Delivery into a running container succeeds (without a copy where {@link mounts} says so, else by archive, from then
   * on the file is present) and so does the launch. The process runs until it is stopped, its container ends, or the test
   * ends it.
   */
  succeedsByDefault(): FakeSubAgentLauncher;
  /** From now on this directory of the host is to be mounted into containers that are made; `undefined`: none, as at first. */
  mounts(source: string | undefined): void;
  onDeliver(script: (request: DeliverRequest) => Delivery | Promise<Delivery>): void;
  /** Called before the process comes to be: may throw, wait, or return the version that the process reports. */
  onLaunch(script: (request: LaunchRequest) => string | undefined | Promise<string | undefined>): void;
  /**
   * From now on a process that is launched serves what this returns, if anything, as a resident does, and can be let go of.
   */
  servesRuntime(runtimeOf: (request: LaunchRequest) => ContainerRuntime | undefined): void;
  /** Every delivery that succeeded, oldest first. */
  readonly deliveries: readonly (Delivery & { readonly request: DeliverRequest })[];
  /** Every process that was launched, oldest first, also those that have ended. */
  readonly processes: readonly FakeSubAgentProcess[];
  /** Those that run now; of one container if it is given. */
  running(containerId?: string): FakeSubAgentProcess[];
}

const DEFAULT_VERSION = 'fake-agent 1.0.0';
const DIRECTORY = '/.agentcontainers';

/** @param world.engine its containers are where sub-agents run; when one ends, so do they */
export function createFakeSubAgentLauncher(world: { engine: FakeEngine }): FakeSubAgentLauncher {
  const calls = createScriptedCalls('subAgentLauncher', ['readOnlyMount', 'deliver', 'launch']);
  const deliveries: (Delivery & { readonly request: DeliverRequest })[] = [];
  const processes: FakeSubAgentProcess[] = [];
  let runtimeOf: (request: LaunchRequest) => ContainerRuntime | undefined = () => undefined;
  let mountSource: string | undefined;
  let deliverScript: ((request: DeliverRequest) => Delivery | Promise<Delivery>) | undefined;
  let launchScript: ((request: LaunchRequest) => string | undefined | Promise<string | undefined>) | undefined;

  function deliverByDefault({ binary, containerId }: DeliverRequest): Delivery {
    const { mounts } = requireRunning(containerId, 'sub-agent-delivery-failed', `Delivering ${binary.name}`);
    const path = `${DIRECTORY}/${binary.name}-${binary.sha256.slice(0, 12)}`;
    const isMounted = mounts.some(
      (mount) => mount.destination === DIRECTORY && mount.source === mountSource && !mount.writable,
    );
    if (isMounted) return { path, way: 'mounted', version: DEFAULT_VERSION };
    const present = deliveries.some(
      ({ request, ...done }) => request.containerId === containerId && done.path === path,
    );
    return { path, way: present ? 'present' : 'archive', version: DEFAULT_VERSION };
  }

  function requireRunning(
    containerId: string,
    code: 'sub-agent-delivery-failed' | 'sub-agent-start-failed',
    doing: string,
  ): Container {
    const container = world.engine.containers().find(({ id }) => id === containerId);
    if (container?.running) return container;
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
    mounts(source) {
      mountSource = source;
    },
    servesRuntime(next) {
      runtimeOf = next;
    },
    deliveries,
    processes,
    running,

    readOnlyMount: (signal) =>
      calls.perform('readOnlyMount', signal, () =>
        mountSource === undefined ? undefined : { source: mountSource, target: DIRECTORY },
      ),
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
        const process = createFakeSubAgentProcess(request, version, runtimeOf(request));
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
