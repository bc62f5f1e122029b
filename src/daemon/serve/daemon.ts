import type { Server } from 'node:http';
import { createDevcontainerCli } from '../../devcontainercli/devcontainer-cli.ts';
import { createDockerEngine } from '../../engine/docker-engine.ts';
import { systemClock } from '../../clock/system-clock.ts';
import { createApp } from '../../http/app.ts';
import { createAgentContainers } from '../../index.ts';
import type { AgentContainersOptions } from '../../agentcontainers/options.ts';
import type { EngineInfo, StateStorage, SubAgentProvider } from '../../agentcontainers/ports.ts';
import type { Logger } from '../../logger.ts';
import { createHttpSubAgentClient } from '../../subagent/http-client.ts';
import { createSubAgentLauncher } from '../../subagent/launcher.ts';
import { loadSubAgentProvider } from '../../subagent/load-provider.ts';
import { residentSubAgentProvider, shellSubAgentProvider } from '../../subagent/provider.ts';
import { formatAddress, type ListenAddress } from '../listen-address.ts';
import { packageVersion } from '../package-version.ts';
import type { ServeFlags } from '../serve-options.ts';
import { loadAccessToken } from '../state/access-token.ts';
import { loadLabelKey } from '../state/label-key.ts';
import { createLogFiles } from '../state/log-files.ts';
import type { StateDirectory } from '../state/state-directory.ts';
import { noteEngineInUse } from '../state/engine-in-use.ts';
import { createStateStorage } from '../state/state-storage.ts';
import { listenOnSocket, listenOnTcp } from './listen.ts';
import { createDebugServer, createMetricsServer } from './inspection-servers.ts';
import { loadTheRest } from './load-the-rest.ts';
import { assertListenAllowed, serveTcp } from './serve-tcp.ts';

const ENGINE_TIMEOUT_MS = 20_000;

export interface DaemonSettings {
  readonly flags: ServeFlags;
  /** Real paths. */
  readonly roots: readonly string[];
  /** Prepared and locked by the caller. */
  readonly directory: StateDirectory;
  readonly logger: Logger;
  /** Ends the start: what was begun by then is ended, and the start rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

/** What a daemon says of itself when it has started. */
export interface DaemonReport {
  readonly pid: number;
  readonly version: string;
  readonly engine: EngineInfo & { readonly address: string };
  readonly roots: readonly string[];
  readonly adopt: string;
  readonly state_dir: string;
  readonly socket: string;
  /** `http://host:port`; absent with `--listen off`. */
  readonly url?: string;
  /** Works once, for an hour. */
  readonly link?: string;
  readonly metrics?: string;
  readonly debug?: string;
}

export interface Daemon {
  readonly report: DaemonReport;
  /** Ends servers, loops and sub-agents, and resolves when all is written. Idempotent. */
  close(): Promise<void>;
}

/** Puts the library, its HTTP side and the state directory together. What was begun is ended when a later step fails. */
export async function startDaemon({ flags, roots, directory, logger, signal }: DaemonSettings): Promise<Daemon> {
  assertListenAllowed(flags);
  const ends: (() => Promise<unknown>)[] = [];
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= endAll(ends, logger));
  const endEarly = (): void => void close();
  try {
    signal.throwIfAborted();
    // First of all: with a state that cannot be read there is no daemon, since it could not write any either.
    const storage = await readOnce(createStateStorage(directory, logger));
    const engine = createDockerEngine({
      dockerHost: flags.dockerHost,
      dockerContext: flags.dockerContext,
      clock: systemClock,
      logger,
    });
    ends.push(() => engine.close());
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ENGINE_TIMEOUT_MS)]);
    const info = await engine.info(limit);
    const address = await engine.address(limit);

    // Nobody reads them without an address, and then nothing is counted.
    const metrics = flags.metricsAddress && (await import('./metrics.ts')).createMetrics();
    const logSink = createLogFiles(directory.logs, { logger });
    ends.push(() => logSink.flush());
    const secret = await loadLabelKey(directory.labelKey, logger);
    const api = createAgentContainers({
      ...(await subAgentOptions(flags, logger)),
      subAgentLauncher: createSubAgentLauncher({
        engine,
        engineAddress: (aborted) => engine.address(aborted),
        storeDirectory: directory.subAgents,
        residentSecret: secret,
        clock: systemClock,
        logger,
      }),
      labelSecret: secret,
      // What runs in the containers outlives a restart of the daemon.
      keepSubAgents: true,
      clock: systemClock,
      logger,
      logSink,
      engine: metrics?.countPasses(engine) ?? engine,
      cli: createDevcontainerCli({
        dockerHost: (aborted) => engine.address(aborted),
        stateDirectory: directory.path,
        clock: systemClock,
        logger,
      }),
      storage,
      updateIntervalMs: flags.updateInterval,
      adopt: flags.adopt,
      roots,
      labels: flags.label,
      discovery: flags.discovery,
      autoStart: flags.autostart,
    });
    ends.push(() => api.close());
    const unobserve = metrics?.observe(api);
    ends.push(async () => unobserve?.());

    const token = await loadAccessToken(directory.token);
    const app = createApp(api, {
      clock: systemClock,
      logger,
      allowedHosts: flags.allowRemote,
      token,
    });
    ends.push(() => app.close());
    const url = flags.listen === 'off' ? undefined : await serveTcp(app, flags, flags.listen);

    const about = {
      pid: process.pid,
      version: await packageVersion(),
      roots,
      adopt: flags.adopt,
      state_dir: directory.path,
    };
    const inspect = async (
      create: () => Server | undefined,
      where: ListenAddress | undefined,
    ): Promise<string | undefined> => {
      const server = where && create();
      if (where === undefined || server === undefined) return undefined;
      ends.push(() => closeServer(server));
      return `http://${formatAddress(await listenOnTcp(server, where))}`;
    };
    const metricsUrl = await inspect(() => metrics && createMetricsServer(metrics), flags.metricsAddress);
    const debugUrl = await inspect(() => createDebugServer(api, about, token), flags.debugAddress);

    signal.throwIfAborted();
    const socketServer = app.createServer({ trust: 'socket' });
    let starting: Promise<void> | undefined;
    // Nothing is begun before all addresses are taken; and from then on requests wait for the first pass, while those that
    // came before the start would be refused.
    socketServer.once('listening', () => {
      starting = api.start();
      starting.catch(() => {});
    });
    await listenOnSocket(socketServer, directory.socket);
    signal.throwIfAborted();
    signal.addEventListener('abort', endEarly);
    await starting;
    await loadTheRest();
    signal.throwIfAborted();
    const note = await noteEngineInUse(directory, { engine: address, context: flags.dockerContext });
    ends.push(() => note.remove());
    const link = url === undefined ? undefined : app.createLoginLink(url);
    const report: DaemonReport = {
      ...about,
      engine: { ...info, address },
      socket: directory.socket,
      ...(url === undefined ? {} : { url }),
      ...(link === undefined ? {} : { link }),
      ...(metricsUrl === undefined ? {} : { metrics: `${metricsUrl}/metrics` }),
      ...(debugUrl === undefined ? {} : { debug: `${debugUrl}/debug` }),
    };
    return { report, close };
  } catch (error) {
    await close();
    // What was under way ends with errors of its own.
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', endEarly);
  }
}

/** Reads the state now, and gives the library what was read: a damaged file is set aside and said so only once. */
async function readOnce(storage: StateStorage): Promise<StateStorage> {
  const state = await storage.load();
  return { ...storage, load: () => Promise.resolve(state) };
}

async function subAgentOptions(flags: ServeFlags, logger: Logger): Promise<AgentContainersOptions> {
  const token = process.env['AGENTCONTAINERS_SUB_AGENT_TOKEN'];
  return {
    subAgentProvider:
      flags.subAgent === undefined
        ? ownSubAgent(flags.subAgentCommand)
        : await loadSubAgentProvider(flags.subAgent, { logger }),
    subAgentEnv: flags.subAgentEnv,
    ...(flags.subAgentUrl === undefined
      ? {}
      : {
          subAgentUrl: flags.subAgentUrl,
          subAgentClient: createHttpSubAgentClient({ url: flags.subAgentUrl, token, clock: systemClock }),
        }),
  };
}

/** The resident; the script where none was built, and where it has a command of the user to run. */
function ownSubAgent(command: string | undefined): SubAgentProvider {
  const script = shellSubAgentProvider({ command });
  return command === undefined ? residentSubAgentProvider({ fallback: script }) : script;
}

/** Newest first, each even when another fails. */
async function endAll(ends: readonly (() => Promise<unknown>)[], logger: Logger): Promise<void> {
  for (const end of ends.toReversed()) {
    await end().catch((error: unknown) => logger.error({ err: error }, 'Closing a part of the daemon failed.'));
  }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
