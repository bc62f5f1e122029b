/**
 * What the library needs from the world. Each port has a real adapter and a published fake; adapters import from here,
 * never the other way round. Every call that can take time takes an AbortSignal and must settle soon after it aborts.
 */
export type * from './ports/container-engine.ts';
export type * from './ports/devcontainer-cli.ts';
export type * from './ports/config-files.ts';
export type * from './ports/project-finder.ts';
export type * from './ports/watcher.ts';
export type * from './ports/sub-agent.ts';
export type * from './ports/container-commands.ts';
export type * from './ports/container-files.ts';
export type * from './ports/container-runtime.ts';
export type * from './ports/local-listener.ts';
export type * from './ports/log-sink.ts';
export type * from './ports/state-storage.ts';
export type * from './ports/new-id.ts';
