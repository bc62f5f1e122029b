import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentContainersError } from '../errors.ts';

/** Where an engine is to be found. */
export interface EnginePlace {
  /** `unix:///path` or `tcp://host:port`. */
  readonly address: string;
  /** What named it: `--docker-host`, `DOCKER_HOST`, `docker context "x"`, or the kind of socket. */
  readonly source: string;
  /** Directory with `ca.pem`, `cert.pem` and `key.pem`, each optional; with it a TCP address is spoken to with TLS. */
  readonly tlsDirectory?: string | undefined;
}

/** How to connect to a place, in the words of `node:http`. */
export type EngineEndpoint =
  | { readonly socketPath: string }
  | {
      readonly protocol: 'http' | 'https';
      readonly host: string;
      readonly port: number;
      readonly ca?: Buffer | undefined;
      readonly cert?: Buffer | undefined;
      readonly key?: Buffer | undefined;
    };

/**
 * Understands `unix:///path`, `tcp://`, `http://` and `https://`.
 *
 * @throws `invalid-request` with the reason and what to write instead.
 */
export async function resolveEndpoint(place: EnginePlace): Promise<EngineEndpoint> {
  const { address, tlsDirectory } = place;
  if (address.startsWith('unix://')) {
    const socketPath = address.slice('unix://'.length);
    if (!socketPath.startsWith('/')) throw refused(place, 'the path of a socket must be absolute: unix:///path');
    return { socketPath };
  }
  if (address.startsWith('ssh://')) {
    throw refused(place, 'ssh is not supported, forward the socket with `ssh -L` and name the forwarded socket');
  }
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !['tcp:', 'http:', 'https:'].includes(url.protocol) || !url.hostname) {
    throw refused(place, 'an address looks like unix:///var/run/docker.sock or tcp://host:2375');
  }
  const secure = url.protocol === 'https:' || tlsDirectory !== undefined;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port) || (secure ? 2376 : url.protocol === 'http:' ? 80 : 2375);
  if (!secure) return { protocol: 'http', host, port };
  const [ca, cert, key] = await Promise.all(['ca.pem', 'cert.pem', 'key.pem'].map((name) => pem(tlsDirectory, name)));
  return { protocol: 'https', host, port, ca, cert, key };
}

async function pem(directory: string | undefined, name: string): Promise<Buffer | undefined> {
  if (directory === undefined) return undefined;
  return readFile(join(directory, name)).catch(() => undefined);
}

function refused({ address, source }: EnginePlace, reason: string): AgentContainersError {
  return new AgentContainersError(
    'invalid-request',
    `Reading the engine address ${JSON.stringify(address.slice(0, 200))} of ${source} failed: ${reason}.`,
  );
}
