export { createAgentContainers } from './create-agent-containers.ts';
export type {
  AgentContainers,
  AgentStatus,
  AgentView,
  Devcontainer,
  ListedContainer,
  ListResult,
  LogChunk,
  LogQuery,
  Operation,
  OperationKind,
  OperationReceipt,
  OperationStatus,
} from './agentcontainers/api.ts';
export type { AgentContainersOptions, ManifestDevcontainer, Ports } from './agentcontainers/options.ts';
export type {
  ArchiveStat,
  CliProgress,
  ConfigFiles,
  ConfigSnapshot,
  ContainerDetails,
  ContainerEngine,
  Delivery,
  DeliverRequest,
  DevcontainerCli,
  DirectoryWatch,
  EngineEvent,
  EngineInfo,
  ExecExit,
  ExecSession,
  ExecSpec,
  LaunchRequest,
  LogSink,
  MergedConfiguration,
  NewId,
  PersistedEntry,
  PersistedOperation,
  PersistedState,
  Platform,
  StateStorage,
  SubAgentBinary,
  SubAgentClient,
  SubAgentExit,
  SubAgentLauncher,
  SubAgentProcess,
  SubAgentProvider,
  SubAgentRecord,
  SubAgentSpec,
  UpOutcome,
  UpRequest,
  UpRun,
  Watcher,
} from './agentcontainers/ports.ts';
export type { DisplayApp, SubAgentApp } from './agentcontainers/model/customization.ts';
export type { Container, ContainerMount, ContainerPort, ContainerState } from './agentcontainers/model/container.ts';
export type {
  Candidate,
  ConfigError,
  Degraded,
  DevcontainerStatus,
  DirtyReason,
  EntryKey,
  Level,
} from './agentcontainers/model/devcontainer.ts';
export type { Clock, Instant, Timer } from './clock/clock.ts';
export { systemClock } from './clock/system-clock.ts';
export {
  AgentContainersError,
  isAgentContainersError,
  isCancelled,
  type CancelReason,
  type ErrorCode,
  type ErrorDetails,
  type ErrorFamily,
  type FailedCommand,
} from './errors.ts';
export { silentLogger, type Logger } from './logger.ts';
export { createSubAgentRegistry } from './subagent/registry.ts';
export { createHttpSubAgentClient } from './subagent/http-client.ts';
export { fileSubAgentProvider, loadSubAgentProvider, shellSubAgentProvider } from './subagent/provider.ts';
