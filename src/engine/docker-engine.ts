import { homedir, userInfo } from 'node:os';
// oxlint-disable-next-line no-restricted-imports -- DOCKER_HOST counts for embedders too, who need not pass it on
import { env as ownEnvironment } from 'node:process';
import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../logger.ts';
import type { ContainerEngine, EngineInfo } from '../agentcontainers/ports.ts';
import { putArchive, statPath } from './archive.ts';
import { commitContainer } from './commit-container.ts';
import { containerLogTail } from './container-log-tail.ts';
import { createContainer } from './create-container.ts';
import { describeContainer } from './describe-container.ts';
import { createEngineConnection } from './engine-connection.ts';
import { failed } from './engine-error.ts';
import { FOLLOWING_EVENTS, openEvents, readEvents } from './engine-events.ts';
import { objectPath } from './engine-path.ts';
import type { EngineTransport } from './engine-transport.ts';
import { createExecExits } from './exec-exits.ts';
import { imagePlatform, inspectImage } from './inspect-image.ts';
import { asList, asRecord, asText } from './json-values.ts';
import { listImages, listNetworks, listVolumes } from './list-by-label.ts';
import { parseInspectedContainer, parseListedContainer } from './parse-container.ts';
import { sendForJson, sendForStatus } from './read-reply.ts';
import { removeContainer } from './remove-container.ts';
import { removeImage } from './remove-image.ts';
import { removeNetworks } from './remove-networks.ts';
import { removeVolume } from './remove-volume.ts';
import { renameContainer } from './rename-container.ts';
import { startExec } from './start-exec.ts';
import { useTwice } from './use-twice.ts';

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
 * requests over connections of their own and settles soon after its signal aborts. A call that may be repeated is, once,
 * when its answer was lost.
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
  const again: typeof use = (doing, signal, work) => useTwice(connection, doing, signal, work);

  return {
    info: (signal) => again('Asking the engine for its version', signal, (transport) => engineInfo(transport, signal)),

    listContainers({ labels, signal }) {
      const doing = 'Listing containers';
      const query = { all: 'true', ...(labels.length > 0 && { filters: JSON.stringify({ label: labels }) }) };
      return again(doing, signal, async (transport) => {
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
      return again(doing, signal, async (transport) => {
        const path = objectPath('containers', id, 'json');
        const details = parseInspectedContainer(await sendForJson(transport, { doing, method: 'GET', path, signal }));
        if (!details) throw failed('engine-request-failed', doing, "the engine's answer has no id");
        return details;
      });
    },

    imagePlatform: (image, signal) =>
      again('Inspecting an image', signal, (transport) => imagePlatform(transport, image, signal)),

    inspectImage: (image, signal) =>
      again('Inspecting an image', signal, (transport) => inspectImage(transport, image, signal)),

    removeImage: (id, signal) => again('Removing an image', signal, (transport) => removeImage(transport, id, signal)),

    listImages: (query) => again('Listing images', query.signal, (transport) => listImages(transport, query)),

    async *events(query) {
      const { signal } = query;
      const reply = await use(FOLLOWING_EVENTS, signal, (transport) => openEvents(transport, query));
      yield* readEvents(reply, logger, signal);
    },

    async startContainer(id, signal) {
      const doing = `Starting container ${id.slice(0, 12)}`;
      const path = objectPath('containers', id, 'start');
      await again(doing, signal, (transport) =>
        sendForStatus(transport, { doing, method: 'POST', path, signal }, [304]),
      );
    },

    async stopContainer(id, { graceSeconds, signal }) {
      const doing = `Stopping container ${id.slice(0, 12)}`;
      const path = objectPath('containers', id, 'stop');
      const query = { t: String(Math.max(0, Math.ceil(graceSeconds))) };
      await again(doing, signal, (transport) =>
        sendForStatus(transport, { doing, method: 'POST', path, query, signal }, [304, 404]),
      );
    },

    removeContainer: (id, query) =>
      again('Removing a container', query.signal, (transport) => removeContainer(transport, clock, id, query)),

    renameContainer: (id, name, signal) =>
      again('Renaming a container', signal, (transport) => renameContainer(transport, id, name, signal)),

    describeContainer: (id, signal) =>
      again('Describing a container', signal, (transport) => describeContainer(transport, id, signal)),

    commitContainer: (id, image, signal) =>
      use('Keeping a container as an image', signal, (transport) => commitContainer(transport, id, image, signal)),

    createContainer: (blueprint, imageId, signal) =>
      again('Making a container', signal, (transport) => createContainer(transport, blueprint, imageId, signal)),

    listVolumes: (query) => again('Listing volumes', query.signal, (transport) => listVolumes(transport, query)),

    removeVolume: (name, signal) =>
      again('Removing a volume', signal, (transport) => removeVolume(transport, name, signal)),

    listNetworks: (query) =>
      again('Listing networks', query.signal, async (transport) =>
        (await listNetworks(transport, query)).flatMap(({ name }) => name || []),
      ),

    removeNetworks: (query) =>
      again('Removing networks', query.signal, (transport) => removeNetworks(transport, query)),

    exec: (spec) => startExec(connection, exits, clock, spec),

    statPath: (id, path, signal) =>
      again('Looking at a path', signal, (transport) => statPath(transport, id, path, signal)),

    putArchive: (id, path, tar, signal) =>
      use('Copying into a container', signal, (transport) => putArchive(transport, id, path, tar, signal)),

    containerLogTail: (id, lines, signal) =>
      again('Reading a log', signal, (transport) => containerLogTail(transport, id, lines, signal)),

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
