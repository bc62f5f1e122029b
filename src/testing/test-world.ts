import { posix } from 'node:path';
import type { AgentContainersOptions, Ports } from '../agentcontainers/options.ts';
import type { MergedConfiguration } from '../agentcontainers/ports.ts';
import { createMemoryLogSink } from '../agentcontainers/runtime/memory-log-sink.ts';
import { createMemoryStorage } from '../agentcontainers/runtime/memory-storage.ts';
import type { Instant } from '../clock/clock.ts';
import { buildConfig } from './build-configuration.ts';
import type { ContainerSeed } from './build-container.ts';
import { countingIds } from './counting-ids.ts';
import { createFakeClock } from './fake-clock.ts';
import type { FakeClock } from './fake-clock.ts';
import { createFakeConfigFiles } from './fake-config-files.ts';
import type { FakeConfigFiles } from './fake-config-files.ts';
import { createFakeDevcontainerCli } from './fake-devcontainer-cli.ts';
import type { FakeDevcontainerCli } from './fake-devcontainer-cli.ts';
import { createFakeEngine } from './fake-engine.ts';
import type { FakeEngine } from './fake-engine.ts';
import { createFakeLocalListener } from './fake-local-listener.ts';
import type { FakeLocalListener } from './fake-local-listener.ts';
import { createFakeProjectFinder } from './fake-project-finder.ts';
import type { FakeProjectFinder } from './fake-project-finder.ts';
import { createFakeSubAgentClient } from './fake-sub-agent-client.ts';
import type { FakeSubAgentClient } from './fake-sub-agent-client.ts';
import { createFakeSubAgentLauncher } from './fake-sub-agent-launcher.ts';
import type { FakeSubAgentLauncher } from './fake-sub-agent-launcher.ts';
import { createFakeSubAgentProvider } from './fake-sub-agent-provider.ts';
import type { FakeSubAgentProvider } from './fake-sub-agent-provider.ts';
import { createFakeWatcher } from './fake-watcher.ts';
import type { FakeWatcher } from './fake-watcher.ts';
import { createLeakGuard } from './leak-guard.ts';
import type { LeakGuard } from './leak-guard.ts';
import { createRecordingLogger } from './recording-logger.ts';
import type { RecordingLogger } from './recording-logger.ts';

export interface WorkspaceSeed {
  /** Content of its devcontainer.json. Default {@link buildConfig}. */
  readonly config?: object | string;
  /** Default `.devcontainer/devcontainer.json`. */
  readonly configPath?: string;
  /** The container that an `up` makes. */
  readonly container?: ContainerSeed;
  /** What the CLI reads of it; its `customizations` are those of `config` unless given here. */
  readonly merged?: Partial<MergedConfiguration>;
}

/** One fake for each port, wired together, and what makes a test short. */
export interface TestWorld extends Ports, LeakGuard {
  readonly clock: FakeClock;
  readonly engine: FakeEngine;
  readonly cli: FakeDevcontainerCli;
  /** Its changes reach the watcher, unless made quietly. */
  readonly configFiles: FakeConfigFiles;
  readonly watcher: FakeWatcher;
  /** Finds the folders of `addWorkspace`, and those that are added to it. */
  readonly projectFinder: FakeProjectFinder;
  /** Ports of the host. */
  readonly localListener: FakeLocalListener;
  readonly subAgentClient: FakeSubAgentClient;
  readonly subAgentProvider: FakeSubAgentProvider;
  readonly subAgentLauncher: FakeSubAgentLauncher;
  readonly logger: RecordingLogger;
  /** For `createAgentContainers`; the overrides are in it. */
  readonly options: AgentContainersOptions & Ports;
  /** Registering, providing, delivering and launching sub-agents succeeds where nothing else was scripted. */
  subAgentsSucceed(): void;
  /** A folder with a configuration, for which the CLI's `up` and `readConfiguration` succeed. Starts no container. */
  addWorkspace(folder: string, seed?: WorkspaceSeed): void;
}

/**
 * A whole world for one test: `createAgentContainers(createTestWorld().options)`.
 *
 * @param overrides options of the library, and ports of your own in place of fakes; `start` is the clock's first instant
 */
export function createTestWorld(overrides: AgentContainersOptions & { readonly start?: Instant } = {}): TestWorld {
  const { start, ...given } = overrides;
  const clock = createFakeClock(start === undefined ? {} : { start });
  const engine = createFakeEngine({ clock });
  const watcher = createFakeWatcher();
  const fakes = {
    clock,
    engine,
    cli: createFakeDevcontainerCli({ engine, clock }),
    configFiles: createFakeConfigFiles({ clock, onChange: (directory) => void watcher.change(directory) }),
    watcher,
    projectFinder: createFakeProjectFinder({ onChange: (directory) => void watcher.change(directory) }),
    localListener: createFakeLocalListener(),
    subAgentClient: createFakeSubAgentClient(),
    subAgentProvider: createFakeSubAgentProvider(),
    subAgentLauncher: createFakeSubAgentLauncher({ engine }),
    logSink: createMemoryLogSink(),
    storage: createMemoryStorage(),
    logger: createRecordingLogger(),
    newId: countingIds(),
  };
  const { cli, configFiles, projectFinder, localListener, subAgentClient, subAgentProvider, subAgentLauncher } = fakes;

  return {
    ...fakes,
    ...createLeakGuard([
      engine,
      cli,
      configFiles,
      watcher,
      projectFinder,
      localListener,
      subAgentClient,
      subAgentProvider,
      subAgentLauncher,
      clock,
    ]),
    options: { ...fakes, ...given },
    subAgentsSucceed() {
      for (const fake of [subAgentClient, subAgentProvider, subAgentLauncher]) fake.succeedsByDefault();
    },
    addWorkspace(folder, seed = {}) {
      const { config = buildConfig(), configPath = '.devcontainer/devcontainer.json', container, merged } = seed;
      const key = { workspaceFolder: folder, configPath: posix.resolve(folder, configPath) };
      configFiles.write(folder, configPath, config);
      projectFinder.add(folder, configPath);
      cli.upCreatesContainer(key, container);
      cli.readsConfiguration(key, { customizations: customizationsOf(config), ...merged });
    },
  };
}

function customizationsOf(config: object | string): Readonly<Record<string, unknown>>[] {
  if (typeof config === 'string' || !('customizations' in config)) return [];
  return [config.customizations as Readonly<Record<string, unknown>>];
}
