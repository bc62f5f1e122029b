import { join } from 'node:path';
import type { Clock } from '../clock/clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import { currentContextName, readContext } from './docker-context.ts';
import type { EnginePlace } from './engine-place.ts';
import { pingEngine } from './ping-engine.ts';
import type { PingOutcome } from './ping-engine.ts';

export interface DiscoverEngineOptions {
  /** An address that a person gave: nothing else is tried. */
  readonly dockerHost?: string | undefined;
  /** A docker context that a person gave: nothing else is tried. */
  readonly dockerContext?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDir: string;
  readonly uid: number;
  /** Limits the time for each place. Default: the wall clock. */
  readonly clock?: Clock | undefined;
  /** Where the fixed socket paths begin; for tests. Default `/`. */
  readonly systemRoot?: string | undefined;
}

/** One place that was looked at. `outcome` is `ok` for the one that was chosen, and the reason against each other one. */
export interface TriedPlace {
  readonly source: string;
  readonly address?: string | undefined;
  readonly outcome: PingOutcome | 'unreadable-context';
  /** One readable line. */
  readonly detail: string;
}

export interface DiscoveredEngine {
  readonly chosen?: EnginePlace | undefined;
  /** In the order in which they were tried; the last one is the chosen one, if any was. */
  readonly tried: readonly TriedPlace[];
}

/**
 * Finds the engine: an explicit address or context, `DOCKER_HOST`, `DOCKER_CONTEXT`, the current docker context, then
 * the well-known sockets. What a person or the environment named is binding: when that engine does not answer, no other
 * one is taken in its place. The current context of the docker command line is only preferred.
 *
 * Rejects only when `signal` aborts, with its reason.
 */
export async function discoverEngine(options: DiscoverEngineOptions, signal: AbortSignal): Promise<DiscoveredEngine> {
  const clock = options.clock ?? systemClock;
  const tried: TriedPlace[] = [];
  const attempt = async (found: NamedPlace): Promise<EnginePlace | undefined> => {
    const { source } = found;
    if (found.place === undefined) {
      tried.push({ source, outcome: 'unreadable-context', detail: found.detail });
      return undefined;
    }
    const { outcome, detail } = await pingEngine(found.place, clock, signal);
    tried.push({ source, address: found.place.address, outcome, detail });
    return outcome === 'ok' ? found.place : undefined;
  };

  const named = await namedPlace(options);
  if (named) {
    const chosen = await attempt(named);
    if (chosen || named.binding) return { chosen, tried };
  }
  for (const { source, path } of wellKnownSockets(options)) {
    const address = `unix://${path}`;
    if (tried.some((place) => place.address === address)) continue;
    const chosen = await attempt({ source, binding: false, place: { address, source } });
    if (chosen) return { chosen, tried };
  }
  return { tried };
}

type NamedPlace = { readonly source: string; readonly binding: boolean } & (
  | { readonly place: EnginePlace; readonly detail?: undefined }
  | { readonly place?: undefined; readonly detail: string }
);

async function namedPlace(options: DiscoverEngineOptions): Promise<NamedPlace | undefined> {
  const { dockerHost, dockerContext, env, homeDir } = options;
  const configDirectory = env['DOCKER_CONFIG'] || join(homeDir, '.docker');
  // The docker command line uses its certificates for TCP addresses only when it is told to verify.
  const tlsDirectory = env['DOCKER_TLS_VERIFY'] ? env['DOCKER_CERT_PATH'] || configDirectory : undefined;
  const byAddress = (source: string, address: string): NamedPlace => ({
    source,
    binding: true,
    place: { address, source, tlsDirectory },
  });
  if (dockerHost) return byAddress('--docker-host', dockerHost);
  if (dockerContext) return byContext(configDirectory, dockerContext, true);
  if (env['DOCKER_HOST']) return byAddress('DOCKER_HOST', env['DOCKER_HOST']);
  if (env['DOCKER_CONTEXT']) return byContext(configDirectory, env['DOCKER_CONTEXT'], true);
  const current = await currentContextName(configDirectory);
  return current ? byContext(configDirectory, current, false) : undefined;
}

/** The context `default` has no files: it stands for the well-known sockets. */
async function byContext(directory: string, name: string, binding: boolean): Promise<NamedPlace | undefined> {
  if (name === 'default') return undefined;
  const source = `docker context ${JSON.stringify(name)}`;
  const context = await readContext(directory, name);
  if (context.kind === 'unreadable') return { source, binding, detail: context.detail };
  return { source, binding, place: { address: context.address, source, tlsDirectory: context.tlsDirectory } };
}

function wellKnownSockets(options: DiscoverEngineOptions): { readonly source: string; readonly path: string }[] {
  const { env, homeDir, uid, systemRoot = '/' } = options;
  const runtimeDirectory = env['XDG_RUNTIME_DIR'] || join(systemRoot, 'run/user', String(uid));
  return [
    { source: 'rootless Docker', path: join(runtimeDirectory, 'docker.sock') },
    { source: 'Docker', path: join(systemRoot, 'var/run/docker.sock') },
    { source: 'Docker Desktop', path: join(homeDir, '.docker/run/docker.sock') },
    { source: 'Docker Desktop', path: join(homeDir, '.docker/desktop/docker.sock') },
    { source: 'Colima', path: join(homeDir, '.colima/default/docker.sock') },
    { source: 'Colima', path: join(homeDir, '.config/colima/default/docker.sock') },
    { source: 'OrbStack', path: join(homeDir, '.orbstack/run/docker.sock') },
    { source: 'Rancher Desktop', path: join(homeDir, '.rd/docker.sock') },
    { source: 'rootless Podman', path: join(runtimeDirectory, 'podman/podman.sock') },
    { source: 'Podman', path: join(systemRoot, 'run/podman/podman.sock') },
  ];
}
