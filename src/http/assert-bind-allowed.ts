import { AgentContainersError } from '../errors.ts';
import { isLoopbackAddress } from './host-names.ts';

export interface BindRequest {
  /** What the server would listen on. Empty means every interface, as it does for Node. */
  readonly host: string;
  readonly tls: boolean;
  /** The explicit flag by which a person says that other machines may reach it. */
  readonly allowRemote: boolean;
}

/** Throws `invalid-request` for a binding beyond loopback without both TLS and the explicit flag. */
export function assertBindAllowed(request: BindRequest): void {
  const host = request.host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  // Other names are not believed: what they point at can change.
  if (host === 'localhost' || isLoopbackAddress(host)) return;
  const missing = [...(request.tls ? [] : ['TLS']), ...(request.allowRemote ? [] : ['the flag that allows it'])];
  if (missing.length === 0) return;
  throw new AgentContainersError(
    'invalid-request',
    `Listening on "${request.host}" failed: other machines could reach it, which needs ${missing.join(' and ')}. ` +
      'Listen on 127.0.0.1, or give both.',
  );
}
