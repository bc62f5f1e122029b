/**
 * Fakes of every port, and a clock that tests move. Everything that a test did not script throws its own name, and
 * what a test leaves open fails it. See docs/testing.md.
 */
export { buildConfig, buildMergedConfiguration, buildSubAgentBinary } from './build-configuration.ts';
export { asListed, buildContainer, buildContainerDetails, fakeContainerId } from './build-container.ts';
export type { ContainerSeed } from './build-container.ts';
export { countingIds } from './counting-ids.ts';
export { createFakeClock, FAKE_CLOCK_START } from './fake-clock.ts';
export type { FakeClock, PendingTimer } from './fake-clock.ts';
export { createFakeConfigFiles } from './fake-config-files.ts';
export type { ChangeOptions, FakeConfigFiles } from './fake-config-files.ts';
export type { FakeFile } from './fake-container-files.ts';
export type { FakeContainerControls } from './fake-containers.ts';
export { createFakeDevcontainerCli } from './fake-devcontainer-cli.ts';
export type { FakeDevcontainerCli, ReadConfigurationScript, ScriptKey, UpScript } from './fake-devcontainer-cli.ts';
export { createFakeEngine } from './fake-engine.ts';
export type { EngineCall, FakeEngine } from './fake-engine.ts';
export type { ExecBehaviour, ExecMatcher, FakeExecSession, ScriptedExec } from './fake-exec.ts';
export type { FakeImage, FakeImageControls, ImageSeed } from './fake-engine-images.ts';
export type { FakeVolumeControls } from './fake-engine-volumes.ts';
export { createFakeProjectFinder } from './fake-project-finder.ts';
export type { FakeProjectFinder } from './fake-project-finder.ts';
export { createFakeSubAgentClient } from './fake-sub-agent-client.ts';
export type { FakeSubAgentClient } from './fake-sub-agent-client.ts';
export { createFakeSubAgentLauncher } from './fake-sub-agent-launcher.ts';
export type { FakeSubAgentLauncher } from './fake-sub-agent-launcher.ts';
export type { FakeSubAgentProcess } from './fake-sub-agent-process.ts';
export { createFakeSubAgentProvider } from './fake-sub-agent-provider.ts';
export type { FakeSubAgentProvider } from './fake-sub-agent-provider.ts';
export { createFakeWatcher } from './fake-watcher.ts';
export type { FakeWatcher } from './fake-watcher.ts';
export { createGate } from './gate.ts';
export type { Gate } from './gate.ts';
export { createLeakGuard } from './leak-guard.ts';
export type { LeakGuard, LeakSource } from './leak-guard.ts';
export { createRecordingLogger } from './recording-logger.ts';
export type { LogEntry, RecordingLogger } from './recording-logger.ts';
export type { CallControls } from './scripted-calls.ts';
export type { ScriptedUp } from './scripted-up.ts';
export { createTestWorld } from './test-world.ts';
export type { TestWorld, WorkspaceSeed } from './test-world.ts';
export { createMemoryLogSink } from '../agentcontainers/runtime/memory-log-sink.ts';
export { createMemoryStorage } from '../agentcontainers/runtime/memory-storage.ts';
