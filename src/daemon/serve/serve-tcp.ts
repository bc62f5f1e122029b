import { readFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { AgentContainersError, errorMessage } from '../../errors.ts';
import type { AppServerOptions, ContainersApp } from '../../http/app.ts';
import { assertBindAllowed } from '../../http/assert-bind-allowed.ts';
import { parseHostHeader } from '../../http/host-names.ts';
import { formatAddress, isLoopback, type ListenAddress } from '../listen-address.ts';
import type { ServeFlags } from '../serve-options.ts';
import { listenOnTcp } from './listen.ts';

/** Listens on the address of the flags; where it is reached. */
export async function serveTcp(app: ContainersApp, flags: ServeFlags, where: ListenAddress): Promise<string> {
  const tls =
    flags.tlsCert === undefined || flags.tlsKey === undefined
      ? undefined
      : { cert: await readPem(flags.tlsCert), key: await readPem(flags.tlsKey) };
  const bound = await listenOnTcp(createTcpServer(app, tls), where);
  const host = isLoopback(bound.host)
    ? formatAddress(bound)
    : remoteHost(flags.allowRemote[0] ?? bound.host, bound.port);
  return `${tls === undefined ? 'http' : 'https'}://${host}`;
}

/** An allowed name may have a port of its own, as behind a proxy. */
function remoteHost(allowed: string, port: number): string {
  return parseHostHeader(allowed)?.port === undefined ? formatAddress({ host: allowed, port }) : allowed;
}

function createTcpServer(app: ContainersApp, tls: AppServerOptions['tls']): Server {
  try {
    return app.createServer({ trust: 'token', tls });
  } catch (error) {
    throw new AgentContainersError(
      'invalid-request',
      `Setting up TLS failed: ${errorMessage(error)}. Give a certificate and its own private key, both as PEM files.`,
      { cause: error },
    );
  }
}

async function readPem(file: string): Promise<Buffer> {
  return readFile(file).catch((error: unknown) => {
    throw new AgentContainersError(
      'invalid-request',
      `Reading ${file} failed: give a PEM file that this user may read.`,
      { cause: error },
    );
  });
}

/** Refuses addresses that would be open to others. `invalid-request`. */
export function assertListenAllowed(flags: ServeFlags): void {
  if ((flags.tlsCert === undefined) !== (flags.tlsKey === undefined)) {
    throw new AgentContainersError(
      'invalid-request',
      'Setting up TLS failed: --tls-cert and --tls-key belong together.',
    );
  }
  if (flags.listen !== 'off') {
    const tls = flags.tlsCert !== undefined;
    assertBindAllowed({ host: flags.listen.host, tls, allowRemote: flags.allowRemote.length > 0 });
  }
  for (const [name, address] of [
    ['--metrics-address', flags.metricsAddress],
    ['--debug-address', flags.debugAddress],
  ] as const) {
    if (address !== undefined && !isLoopback(address.host)) {
      throw new AgentContainersError(
        'invalid-request',
        `Listening on ${formatAddress(address)} failed: ${name} is for loopback only. Use 127.0.0.1.`,
      );
    }
  }
}
