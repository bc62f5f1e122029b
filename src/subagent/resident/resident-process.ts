// INVARIANTS
// - `exited` settles once and never rejects: when the agent is gone, cannot be reached any more, or was let go of.
// - The environment of commands has no token of ours.
import { createHash } from 'node:crypto';
import type { ContainerEngine, LaunchRequest, SubAgentExit, SubAgentProcess } from '../../agentcontainers/ports.ts';
import { bounded, linkedScope } from '../../async/abort.ts';
import { createDeferred } from '../../async/deferred.ts';
import type { Clock } from '../../clock/clock.ts';
import { cancelled } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { createBusyReports } from '../busy-reports.ts';
import { RUN_ID_VARIABLE, signalProcesses } from '../../agentcontainers/engine-runtime/signal-processes.ts';
import { busyReason } from './busy-reason.ts';
import { commandEnvironment } from './command-environment.ts';
import { connectOlder } from './connect-older.ts';
import { connectResident, residentToken } from './connect-resident.ts';
import { endInContainer } from './end-agents.ts';
import { giveEnvironment } from './give-environment.ts';
import { lookAtContainer } from './look-at-container.ts';
import { createResidentAgent } from './resident-agent.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { unavailable } from './resident-errors.ts';
import { createResidentLink } from './resident-link.ts';
import type { Connected, ContainerLook, LinkEnd } from './resident-link.ts';
import { createResidentRuntime } from './resident-runtime.ts';

export interface LaunchResidentParts {
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly request: LaunchRequest;
  /** What the agent's token is made of. */
  readonly secret: string;
  /** Another process of ours knows the secret too: the agent may be let go of. */
  readonly canDetach: boolean;
  readonly timeoutMs: number;
}

export interface ResidentProcess extends SubAgentProcess {
  readonly runtime: NonNullable<SubAgentProcess['runtime']>;
}

/** One that nobody will come back to ends by itself. */
const ALONE_MS = 60_000;
const KILL_TIMEOUT_MS = 3_000;
/** For agents of before to be connected to, when all are to end. */
const OLDER_MS = 3_000;

/** Starts the agent of a container, or adopts the one that runs. Rejects as {@link connectResident}. */
export async function launchResident(parts: LaunchResidentParts): Promise<ResidentProcess> {
  const { engine, clock, logger, request, secret, canDetach, timeoutMs } = parts;
  const { containerId, binary, path, signal } = request;
  const user = binary.user ?? request.user;
  const token = residentToken(secret, containerId);
  const runId = createHash('sha256').update(`resident ${containerId}`).digest('hex').slice(0, 32);
  const details = await engine.inspectContainer(containerId, signal);

  function connect(abort: AbortSignal, start: boolean, digest?: string): Promise<Connected> {
    const greeting = start
      ? {
          token,
          start,
          env: commandEnvironment(details, request.env),
          workspace: request.workingDir,
          exit_when_alone_ms: canDetach ? 0 : ALONE_MS,
        }
      : { token, start };
    const env = [`${RUN_ID_VARIABLE}=${runId}`];
    const target = { engine, clock, containerId, path, user, env, timeoutMs };
    return connectResident({ ...target, greeting, digest, signal: abort });
  }
  const look = (abort: AbortSignal): Promise<ContainerLook> => lookAtContainer(engine, clock, containerId, abort);

  const first = await connect(signal, true);
  if (!binary.sha256.startsWith(first.hello.digest)) {
    first.connection.close();
    throw unavailable('Connecting to the resident', 'the one that answered is of another binary');
  }

  const exited = createDeferred<SubAgentExit>();
  const busy = request.onBusy && createBusyReports(clock, request.onBusy);
  const older = new Set<ResidentAgent>();
  let stopping: Promise<void> | undefined;

  const link = createResidentLink(first, { connect: (abort) => connect(abort, false), look, clock, logger });
  const newest = createResidentAgent(link, { clock, onBusy: reportBusy });
  const scope = linkedScope();
  let isOlderFound = false;
  // Nothing that is new waits for them.
  const olderFound = connectOlder(first.hello.others, {
    connect: (digest, abort) => connect(abort, false, digest),
    look,
    clock,
    logger,
    onBusy: reportBusy,
    signal: scope.signal,
  }).then((found) => {
    isOlderFound = true;
    found.forEach(addOlder);
  });
  const prepared = giveEnvironment(newest, request, { container: details, logger, signal: scope.signal });

  function addOlder(agent: ResidentAgent): void {
    if (exited.settled) return agent.close();
    older.add(agent);
    void agent.link.ended.then(() => {
      older.delete(agent);
      reportBusy();
    });
  }
  function reportBusy(): void {
    busy?.report(busyReason([...older, newest].map((agent) => agent.busy)));
  }
  function settle(reason: SubAgentExit['reason'], message: string, exitCode: number | null = null): void {
    if (exited.settled) return;
    busy?.end();
    scope.abort(cancelled('closing'));
    for (const agent of [newest, ...older]) agent.close();
    exited.resolve({ reason, message, exitCode, outputTail: '' });
  }
  function killAll(): Promise<string | undefined> {
    const target = { containerId, runId, user, timeoutMs: KILL_TIMEOUT_MS, abort: new AbortController().signal };
    return signalProcesses(engine, clock, { ...target, signal: 'KILL' });
  }
  async function onLinkEnd(end: LinkEnd): Promise<void> {
    if (stopping) return;
    // It would only be adopted again.
    if (end.reason === 'violation') await killAll();
    settle(EXIT_REASONS[end.reason], end.message);
  }
  async function end(graceMs: number): Promise<void> {
    if (exited.settled) return;
    await bounded(clock, OLDER_MS, 'Reaching older residents', undefined, () => olderFound).catch(() => {});
    const isGone = (await endInContainer([newest, ...older], clock, graceMs)) && isOlderFound;
    const message = 'The sub-agent was told to end.';
    if (isGone) return settle('stopped', message, 0);
    const failure = await killAll();
    settle(
      'stopped',
      failure === undefined
        ? `${message} It did not end by itself and was killed.`
        : `${message} It may still run in the container: killing it failed: ${failure}.`,
    );
  }

  void link.ended.then(onLinkEnd);
  logger.debug(
    { containerId, version: first.hello.version, adopted: first.hello.adopted },
    'Connected to the resident',
  );
  request.onOutput?.(`${first.hello.adopted ? 'adopted' : 'started'} ${first.hello.version}`);

  return {
    version: first.hello.version,
    exited: exited.promise,
    ...(busy && { tellBusy: () => busy.flush() }),
    stop(graceMs) {
      stopping ??= end(graceMs);
      return stopping;
    },
    ...(canDetach && {
      async detach() {
        settle('stopped', 'The sub-agent was let go of and runs on.');
      },
    }),
    runtime: createResidentRuntime({ newest, older: () => [...older], olderFound, prepared }, clock),
  };
}

const EXIT_REASONS = {
  closed: 'stopped',
  gone: 'exit',
  'container-gone': 'container-gone',
  oom: 'oom',
  lost: 'connection-lost',
  violation: 'connection-lost',
} as const satisfies Record<LinkEnd['reason'], SubAgentExit['reason']>;
