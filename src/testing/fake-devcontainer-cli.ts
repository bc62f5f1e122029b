import type { EntryKey } from '../agentcontainers/model/devcontainer.ts';
import type {
  BuildOutcome,
  BuildRequest,
  DevcontainerCli,
  MergedConfiguration,
  ProcessIdentity,
  UpOutcome,
  UpRequest,
} from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { AgentContainersError, cancelled, isAgentContainersError, isCancelled } from '../errors.ts';
import { buildMergedConfiguration } from './build-configuration.ts';
import type { ContainerSeed } from './build-container.ts';
import type { FakeEngine } from './fake-engine.ts';
import type { LeakSource } from './leak-guard.ts';
import { createScriptedUp } from './scripted-up.ts';
import type { ScriptedUp } from './scripted-up.ts';
import { createScriptedCalls } from './scripted-calls.ts';
import type { CallControls } from './scripted-calls.ts';

/** A folder, for whatever configuration in it, or one configuration. Of several that fit, the last one given wins. */
export type ScriptKey = string | EntryKey;
/** Plays one `devcontainer up`. Throwing after the request was aborted is how it honours that. */
export type UpScript = (up: ScriptedUp) => UpOutcome | Promise<UpOutcome>;
export type ReadConfigurationScript = (request: {
  readonly key: EntryKey;
  readonly containerId?: string | undefined;
}) => MergedConfiguration | Promise<MergedConfiguration>;

/** Plays one `devcontainer build`; its result may be a failure. */
export type BuildScript = (request: BuildRequest) => BuildOutcome | Promise<BuildOutcome>;

export interface FakeDevcontainerCli
  extends DevcontainerCli, CallControls<'version' | 'build' | 'up' | 'readConfiguration' | 'endProcess'>, LeakSource {
  /** Where an `up` was scripted a build succeeds, unless this says otherwise. */
  onBuild(key: ScriptKey, script: BuildScript): void;
  onUp(key: ScriptKey, script: UpScript): void;
  /** `up` makes a running container (or starts the one that is there, if it was asked to find one), says ready and succeeds. */
  upCreatesContainer(key: ScriptKey, seed?: ContainerSeed): void;
  onReadConfiguration(key: ScriptKey, script: ReadConfigurationScript): void;
  /** The answer is {@link buildMergedConfiguration} with these overrides. */
  readsConfiguration(key: ScriptKey, overrides?: Partial<MergedConfiguration>): void;
  /** Every request for a build, oldest first. */
  readonly buildRequests: readonly BuildRequest[];
  /** Processes that were to be ended, oldest first. */
  readonly endedProcesses: readonly ProcessIdentity[];
  /** Every request for an `up`, oldest first. */
  readonly upRequests: readonly UpRequest[];
  /** Folders whose `up` is under way. */
  readonly running: readonly string[];
}

/** A devcontainer CLI whose every `up` and `readConfiguration` follows a script. */
export function createFakeDevcontainerCli(world: { engine: FakeEngine; clock: Clock }): FakeDevcontainerCli {
  const calls = createScriptedCalls('cli', ['version', 'build', 'up', 'readConfiguration', 'endProcess']);
  const ups = new Map<string, UpScript>();
  const reads = new Map<string, ReadConfigurationScript>();
  const builds = new Map<string, BuildScript>();
  const buildRequests: BuildRequest[] = [];
  const endedProcesses: ProcessIdentity[] = [];
  const upRequests: UpRequest[] = [];
  const running = new Set<UpRequest>();

  async function play(up: ScriptedUp, script: UpScript): Promise<UpOutcome> {
    const { request } = up;
    running.add(request);
    try {
      const outcome = await calls.perform('up', request.signal, async () => {
        await request.beforeSpawn?.();
        return script(up);
      });
      request.signal.throwIfAborted();
      return outcome;
    } catch (error) {
      if (request.signal.aborted) {
        throw isAgentContainersError(request.signal.reason, 'cancelled')
          ? request.signal.reason
          : cancelled('superseded');
      }
      if (isAgentContainersError(error) && !isCancelled(error)) throw error;
      const problem = `the up script of ${request.key.workspaceFolder} threw: ${String(error)}`;
      calls.report(problem);
      throw new AgentContainersError('broken-contract', `Playing a scripted up failed: ${problem}`, { cause: error });
    } finally {
      running.delete(request);
      up.end();
    }
  }

  const cli: FakeDevcontainerCli = {
    calls: calls.calls,
    failNext: calls.failNext,
    hang: calls.hang,

    onBuild: (key, script) => give(builds, key, script),
    get buildRequests() {
      return [...buildRequests];
    },
    get endedProcesses() {
      return [...endedProcesses];
    },
    endProcess: (process, signal) => calls.perform('endProcess', signal, () => void endedProcesses.push(process)),
    build(request) {
      buildRequests.push(request);
      const script = find(builds, request.key);
      if (!script && !find(ups, request.key)) {
        throw calls.unscripted(`cli.build ${textOf(request.key)}`, 'Script it with cli.onBuild(…) or cli.onUp(…).');
      }
      return calls.perform('build', request.signal, async () => {
        await request.beforeSpawn?.();
        return script ? script(request) : { outcome: 'success', images: [] };
      });
    },
    onUp: (key, script) => give(ups, key, script),
    upCreatesContainer(key, seed = {}) {
      cli.onUp(key, (up) => {
        up.progress('create', 'Starting container');
        const container = up.createContainer(seed);
        up.ready();
        return up.success(container.id);
      });
    },
    onReadConfiguration: (key, script) => give(reads, key, script),
    readsConfiguration(key, overrides) {
      cli.onReadConfiguration(key, (request) => buildMergedConfiguration(request.key.workspaceFolder, overrides));
    },
    get upRequests() {
      return [...upRequests];
    },
    get running() {
      return [...running].map(({ key }) => key.workspaceFolder);
    },

    version: (signal) => calls.perform('version', signal, () => '0.89.0'),
    up(request) {
      upRequests.push(request);
      const script = find(ups, request.key);
      if (!script) {
        throw calls.unscripted(
          `cli.up ${textOf(request.key)}`,
          'Script it with cli.onUp(…) or cli.upCreatesContainer(…).',
        );
      }
      const up = createScriptedUp(world, request);
      return { ready: up.readiness, done: play(up, script) };
    },
    readConfiguration: ({ key, containerId, signal }) =>
      calls.perform('readConfiguration', signal, () => {
        const script = find(reads, key);
        if (script) return script({ key, containerId });
        throw calls.unscripted(
          `cli.readConfiguration ${textOf(key)}`,
          'Script it with cli.onReadConfiguration(…) or cli.readsConfiguration(…).',
        );
      }),

    leaks: () => [
      ...calls.leaks(),
      ...[...running].map(({ key }) => `devcontainer up of ${key.workspaceFolder} is running`),
    ],
  };
  return cli;
}

function textOf(key: ScriptKey): string {
  return typeof key === 'string' ? key : `${key.workspaceFolder} with ${key.configPath}`;
}

function give<Script>(scripts: Map<string, Script>, key: ScriptKey, script: Script): void {
  // Given again it becomes the last one.
  scripts.delete(textOf(key));
  scripts.set(textOf(key), script);
}

function find<Script>(scripts: ReadonlyMap<string, Script>, key: EntryKey): Script | undefined {
  let found: Script | undefined;
  for (const [text, script] of scripts) if (text === textOf(key) || text === key.workspaceFolder) found = script;
  return found;
}
