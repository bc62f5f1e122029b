// The subpath `agentcontainers/http`.
export { createApp } from './app.ts';
export type { AppOptions, AppServerOptions, ContainersApp } from './app.ts';
export { assertBindAllowed } from './assert-bind-allowed.ts';
export type { BindRequest } from './assert-bind-allowed.ts';
export { MOUNT_PATH } from './mount-path.ts';
export type { CallerGuardOptions, Trust } from './caller-guard.ts';
export { toErrorAnswer } from './error-status.ts';
export type { ErrorAnswer, ErrorBody, RouteMessages, Validation } from './error-status.ts';
export { openApiDocument } from './openapi.ts';
export { createRouter } from './router.ts';
export type { ContainersRouter, RouterOptions } from './router.ts';
export type { WatchOptions } from './watch-clients.ts';
export {
  startBody,
  wireBash,
  wireExit,
  wireFileList,
  wireFileStat,
  wireForward,
  wireForwards,
  wireFoundLine,
  wireOutputPage,
  wirePorts,
  wireProcess,
  wireProcesses,
  wireStats,
} from './runtime-wire-schemas.ts';
export type {
  StartBody,
  WireBash,
  WireExit,
  WireFileList,
  WireFileStat,
  WireForward,
  WireForwards,
  WireFoundLine,
  WireOutputPage,
  WirePorts,
  WireProcess,
  WireProcesses,
  WireStats,
} from './runtime-wire-schemas.ts';
export {
  toWireBash,
  toWireExit,
  toWireFileStat,
  toWireForward,
  toWireFoundLine,
  toWirePorts,
  toWireProcess,
  toWireStats,
} from './runtime-wire.ts';
export {
  wireAgent,
  wireContainer,
  wireDevcontainer,
  wireDevcontainers,
  wireDifferences,
  wireError,
  wireExecLine,
  wireFinding,
  wireHolder,
  wireList,
  wireLogChunk,
  wireOperation,
  wireReceipt,
  wireRemovalPlan,
} from './wire-schemas.ts';
export type {
  WireAgent,
  WireContainer,
  WireDevcontainer,
  WireDifferences,
  WireError,
  WireExecLine,
  WireFinding,
  WireHolder,
  WireList,
  WireLogChunk,
  WireOperation,
  WireReceipt,
  WireRemovalPlan,
} from './wire-schemas.ts';
export {
  toWireContainer,
  toWireDevcontainer,
  toWireDifferences,
  toWireList,
  toWireLogChunk,
  toWireOperation,
  toWireRemovalPlan,
} from './wire.ts';
