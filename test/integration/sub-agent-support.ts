import type {
  ContainerEngine,
  LaunchRequest,
  SubAgentBinary,
  SubAgentProvider,
} from '../../src/agentcontainers/ports.ts';

/** What an engine was asked to do, counted. */
export interface MeteredEngine extends ContainerEngine {
  readonly meter: { uploads: number; bytesSent: number; processes: number };
}

/** The same engine, counting uploads, bytes to standard inputs, and processes. */
export function meter(engine: ContainerEngine): MeteredEngine {
  const count = { uploads: 0, bytesSent: 0, processes: 0 };
  return {
    ...engine,
    meter: count,
    async putArchive(id, path, tar, signal) {
      count.uploads++;
      count.bytesSent += tar instanceof Uint8Array ? tar.length : 1;
      await engine.putArchive(id, path, tar, signal);
    },
    async exec(spec) {
      count.processes++;
      const session = await engine.exec(spec);
      const write = session.write.bind(session);
      return Object.assign(session, {
        write: (bytes: Uint8Array | string) => {
          count.bytesSent += bytes.length;
          return write(bytes);
        },
      });
    },
  };
}

export const within = (ms = 30_000): AbortSignal => AbortSignal.timeout(ms);

export async function resolved(provider: SubAgentProvider): Promise<SubAgentBinary> {
  const binary = await provider.resolve({ operatingSystem: 'linux', architecture: 'amd64' }, within());
  if (!binary) throw new Error('the provider has no binary for linux/amd64');
  return binary;
}

/** As an injection makes it: the provider's environment belongs to it. */
export function launchRequest(
  request: Pick<LaunchRequest, 'containerId' | 'binary' | 'path'> & Partial<LaunchRequest>,
): LaunchRequest {
  const env = { ...request.binary.env, AGENTCONTAINERS_TOKEN: 'token-of-this-test', ...request.env };
  return { workingDir: '/', signal: within(60_000), ...request, env };
}
