import { homedir, userInfo } from 'node:os';
// oxlint-disable-next-line no-restricted-imports -- DOCKER_HOST counts for embedders too, who need not pass it on
import { env as ownEnvironment } from 'node:process';
import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../logger.ts';
import type { ContainerEngine, EngineInfo, Platform } from '../agentcontainers/ports.ts';
import { putArchive, statPath } from './archive.ts';
import { containerLogTail } from './container-log-tail.ts';
import { createEngineConnection } from './engine-connection.ts';
import { failed } from './engine-error.ts';
import { FOLLOWING_EVENTS, openEvents, readEvents } from './engine-events.ts';
import { imagePath, objectPath } from './engine-path.ts';
import type { EngineTransport } from './engine-transport.ts';
import { createExecExits } from './exec-exits.ts';
import { asList, asRecord, asText } from './json-values.ts';
import { parseInspectedContainer, parseListedContainer } from './parse-container.ts';
import { sendForJson, sendForStatus } from './read-reply.ts';
import { removeContainer } from './remove-container.ts';
import { removeNetworks } from './remove-networks.ts';
import { startExec } from './start-exec.ts';

export interface DockerEngine extends ContainerEngine {
  /** The address in use, `unix:///…` or `tcp://…`; discovers the engine first when that was not done yet. */
  address(signal: AbortSignal): Promise<string>;
}

export interface DockerEngineOptions {
  /** `unix:///path` or `tcp://host:port`. Default: discovery, see {@link discoverEngine}. */
  readonly dockerHost?: string | undefined;
  readonly dockerContext?: string | undefined;
  /** Where discovery reads `DOCKER_HOST` and the like. Default: the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Default: the home directory of this user. */
  readonly homeDir?: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The container engine over the Docker API, for Docker and Podman. Connects with the first call. Each call sends its
 * requests over connections of their own and settles soon after its signal aborts.
 *
 * Errors of every call: `engine-unreachable`, `engine-api-version`, `engine-object-not-found` (404), `engine-conflict`
 * (409), `engine-request-failed`, and the signal's own reason (`timeout`, `cancelled`).
 */
export function createDockerEngine(options: DockerEngineOptions): DockerEngine {
  const { clock, logger } = options;
  const connection = createEngineConnection({
    dockerHost: options.dockerHost,
    dockerContext: options.dockerContext,
    env: options.env ?? ownEnvironment,
    homeDir: options.homeDir ?? homedir(),
    uid: userInfo().uid,
    clock,
    logger,
  });
  const exits = createExecExits(connection, clock, logger);
  const { use } = connection;

  return {
    info: (signal) => use('Asking the engine for its version', signal, (transport) => engineInfo(transport, signal)),

    listContainers({ labels, signal }) {
      const doing = 'Listing containers';
      const query = { all: 'true', ...(labels.length > 0 && { filters: JSON.stringify({ label: labels }) }) };
      return use(doing, signal, async (transport) => {
        const found = await sendForJson(transport, { doing, method: 'GET', path: '/containers/json', query, signal });
        if (!Array.isArray(found)) throw failed('engine-request-failed', doing, "the engine's answer is no list");
        return asList(found).flatMap((entry) => {
          const container = parseListedContainer(entry);
          if (!container) logger.warn({}, 'A listed container was left out because it has no id');
          return container ?? [];
        });
      });
    },

    inspectContainer(id, signal) {
      const doing = `Inspecting container ${id.slice(0, 12)}`;
      return use(doing, signal, async (transport) => {
        const path = objectPath('containers', id, 'json');
        const details = parseInspectedContainer(await sendForJson(transport, { doing, method: 'GET', path, signal }));
        if (!details) throw failed('engine-request-failed', doing, "the engine's answer has no id");
        return details;
      });
    },

    imagePlatform(image, signal) {
      const doing = `Inspecting image ${JSON.stringify(image.slice(0, 100))}`;
      return use(doing, signal, async (transport) => {
        const path = imagePath(image, 'json');
        return parsePlatform(asRecord(await sendForJson(transport, { doing, method: 'GET', path, signal })));
      });
    },

    async *events(query) {
      const { signal } = query;
      const reply = await use(FOLLOWING_EVENTS, signal, (transport) => openEvents(transport, query));
      yield* readEvents(reply, logger, signal);
    },

    async startContainer(id, signal) {
      const doing = `Starting container ${id.slice(0, 12)}`;
      const path = objectPath('containers', id, 'start');
      await use(doing, signal, (transport) => sendForStatus(transport, { doing, method: 'POST', path, signal }, [304]));
    },

    async stopContainer(id, { graceSeconds, signal }) {
      const doing = `Stopping container ${id.slice(0, 12)}`;
      const path = objectPath('containers', id, 'stop');
      const query = { t: String(Math.max(0, Math.ceil(graceSeconds))) };
      await use(doing, signal, (transport) =>
        sendForStatus(transport, { doing, method: 'POST', path, query, signal }, [304, 404]),
      );
    },

    removeContainer: (id, query) =>
      use('Removing a container', query.signal, (transport) => removeContainer(transport, clock, id, query)),

    removeNetworks: (query) => use('Removing networks', query.signal, (transport) => removeNetworks(transport, query)),

    exec: (spec) => startExec(connection, exits, clock, spec),

    statPath: (id, path, signal) =>
      use('Looking at a path', signal, (transport) => statPath(transport, id, path, signal)),

    putArchive: (id, path, tar, signal) =>
      use('Copying into a container', signal, (transport) => putArchive(transport, id, path, tar, signal)),

    containerLogTail: (id, lines, signal) =>
      use('Reading a log', signal, (transport) => containerLogTail(transport, id, lines, signal)),

    address: (signal) => connection.address(signal),

    close() {
      connection.close();
      return Promise.resolve();
    },
  };
}

async function engineInfo(transport: EngineTransport, signal: AbortSignal): Promise<EngineInfo> {
  const doing = 'Asking the engine for its version';
  const answer = asRecord(await sendForJson(transport, { doing, method: 'GET', path: '/version', signal }));
  const component = asText(asRecord(asList(answer['Components'])[0])['Name']);
  return {
    name: /^podman/i.test(component) ? 'podman' : component === '' || component === 'Engine' ? 'docker' : component,
    version: asText(answer['Version']),
    apiVersion: transport.apiVersion,
    operatingSystem: asText(answer['Os']),
    architecture: asText(answer['Arch']),
  };
}

function parsePlatform(image: Readonly<Record<string, unknown>>): Platform {
  const variant = asText(image['Variant']);
  return {
    operatingSystem: asText(image['Os']) || 'linux',
    architecture: asText(image['Architecture']),
    ...(variant && { variant }),
  };
}
