import type { ContainerBlueprint } from '../agentcontainers/ports.ts';
import { writeBlueprint } from './blueprint.ts';
import type { EndpointBlueprint } from './blueprint.ts';
import { failed } from './engine-error.ts';
import { objectPath } from './engine-path.ts';
import type { EngineTransport } from './engine-transport.ts';
import { asInteger, asList, asRecord, asText, asTextRecord } from './json-values.ts';
import type { JsonRecord } from './json-values.ts';
import { sendForJson } from './read-reply.ts';

/** Holds the container's environment: fit for a file of ours, not for a log or an answer. */
export async function describeContainer(
  transport: EngineTransport,
  id: string,
  signal: AbortSignal,
): Promise<ContainerBlueprint> {
  const doing = `Describing container ${id.slice(0, 12)}`;
  const path = objectPath('containers', id, 'json');
  const blueprint = blueprintOf(await sendForJson(transport, { doing, method: 'GET', path, signal }));
  if (!blueprint) throw failed('engine-request-failed', doing, "the engine's answer has no id or no configuration");
  return blueprint;
}

/** The blueprint of an inspected container. */
export function blueprintOf(raw: unknown): ContainerBlueprint | undefined {
  const entry = asRecord(raw);
  const id = asText(entry['Id']);
  const name = asText(entry['Name']).replace(/^\//, '');
  const { Labels, Image: _image, ...config } = asRecord(entry['Config']);
  if (!id || !name || !entry['Config'] || !entry['HostConfig']) return undefined;
  const { hostConfig, networks } = networking(
    id,
    asRecord(entry['HostConfig']),
    asRecord(asRecord(entry['NetworkSettings'])['Networks']),
    asText(config['MacAddress']),
  );
  return writeBlueprint({
    name,
    labels: asTextRecord(Labels),
    config: ownConfig(id, config, hostConfig),
    hostConfig: withVolumes(asTaken(hostConfig), asList(entry['Mounts'])),
    networks,
  });
}

/** Takes out what the engine filled in and would refuse, or what would be wrong for another container. */
function ownConfig(id: string, config: JsonRecord, hostConfig: JsonRecord): JsonRecord {
  const { Hostname, Domainname, ExposedPorts, MacAddress, Entrypoint, Env, ...rest } = config;
  const sharesNetwork = asText(hostConfig['NetworkMode']).startsWith('container:');
  const sharesHostname = sharesNetwork || asText(hostConfig['UTSMode']) === 'host';
  const hostname = asText(Hostname);
  // The engine's default, and the name of no other container.
  const isDefault = hostname.length >= 12 && id.startsWith(hostname);
  const hasHostname = hostname !== '' && !isDefault && !sharesHostname;
  const entrypoint = typeof Entrypoint === 'string' ? [Entrypoint] : texts(Entrypoint);
  return {
    ...rest,
    // Podman writes the hostname into the environment.
    Env: texts(Env).filter((variable) => !(isDefault && variable === `HOSTNAME=${hostname}`)),
    ...(hasHostname && { Hostname: hostname }),
    ...(!sharesHostname && Domainname !== undefined && { Domainname }),
    ...(!sharesNetwork && ExposedPorts !== undefined && { ExposedPorts }),
    ...(!sharesNetwork && MacAddress !== undefined && { MacAddress }),
    // An absent one would be taken from the image; an empty text says that there is none.
    Entrypoint: entrypoint.length > 0 ? entrypoint : [''],
  };
}

/** The networks by name, and `NetworkMode` naming one of them: it may have been given by id, and Podman does not name it. */
function networking(
  id: string,
  hostConfig: JsonRecord,
  joined: JsonRecord,
  macAddress: string,
): { readonly hostConfig: JsonRecord; readonly networks: Record<string, EndpointBlueprint> } {
  const mode = asText(hostConfig['NetworkMode']);
  const entries = Object.entries(joined).map(([name, raw]) => [name, asRecord(raw)] as const);
  const primary = primaryNetwork(mode, entries);
  const networks = entries.map(([name, network]) => {
    const endpoint = endpointOf(id, network);
    // The address of an endpoint is shown whether it was chosen or not; the one of the container only if chosen.
    return [name, name === primary && macAddress ? { ...endpoint, MacAddress: macAddress } : endpoint] as const;
  });
  return { hostConfig: { ...hostConfig, NetworkMode: primary }, networks: Object.fromEntries(networks) };
}

function primaryNetwork(mode: string, joined: readonly (readonly [string, JsonRecord])[]): string {
  if (/^[0-9a-f]{12,64}$/.test(mode)) {
    return joined.find(([, network]) => asText(network['NetworkID']).startsWith(mode))?.[0] ?? mode;
  }
  const isUnnamed = mode === 'bridge' && !joined.some(([name]) => name === mode);
  return (isUnnamed && joined[0]?.[0]) || mode;
}

function endpointOf(id: string, network: JsonRecord): EndpointBlueprint {
  // Engines add the beginning of the container's id as an alias.
  const aliases = texts(network['Aliases']).filter((alias) => !(alias.length >= 12 && id.startsWith(alias)));
  const links = texts(network['Links']);
  const addresses = asRecord(network['IPAMConfig']);
  const options = asTextRecord(network['DriverOpts']);
  const priority = network['GwPriority'];
  return {
    ...(aliases.length > 0 && { Aliases: aliases }),
    ...(links.length > 0 && { Links: links }),
    ...(Object.keys(addresses).length > 0 && { IPAMConfig: addresses }),
    ...(Object.keys(options).length > 0 && { DriverOpts: options }),
    ...(typeof priority === 'number' && priority !== 0 && { GwPriority: priority }),
  };
}

/** Names every volume, so that the new container gets the ones that the engine named itself, with what is in them. */
function withVolumes(hostConfig: JsonRecord, mounts: readonly unknown[]): JsonRecord {
  const volumes = new Map<string, { readonly Name: string; readonly RW: boolean }>();
  for (const mount of mounts.map(asRecord)) {
    const name = asText(mount['Name']);
    if (mount['Type'] !== 'volume' || !name) continue;
    volumes.set(asText(mount['Destination']), { Name: name, RW: mount['RW'] !== false });
  }
  // A bind without a source is a volume that the engine named.
  const binds = texts(hostConfig['Binds']).filter((bind) => bind.includes(':'));
  for (const bind of binds) volumes.delete(bind.split(':')[1] ?? '');
  const named = asList(hostConfig['Mounts']).map((raw): JsonRecord => {
    const mount = asRecord(raw);
    const target = asText(mount['Target']);
    const volume = volumes.get(target);
    volumes.delete(target);
    return volume && mount['Type'] === 'volume' ? { ...mount, Source: volume.Name } : mount;
  });
  const added = [...volumes].map(([Target, { Name, RW }]): JsonRecord => ({
    Type: 'volume',
    Source: Name,
    Target,
    ReadOnly: !RW,
  }));
  const all = [...named, ...added];
  return {
    ...hostConfig,
    ...(hostConfig['Binds'] != null && { Binds: binds }),
    ...(all.length > 0 && { Mounts: all }),
  };
}

/** What engines show otherwise than they take it. */
function asTaken(hostConfig: JsonRecord): JsonRecord {
  const { ContainerIDFile: _file, Links, Ulimits, MemorySwappiness, ...rest } = hostConfig;
  // Shown as `/other:/this/alias`.
  const links = texts(Links).map((link) => link.replace(/^\/([^:]+):\/[^/]+\/(.+)$/, '$1:$2'));
  const ulimits = asList(Ulimits).map((raw): JsonRecord => {
    // Podman's are called RLIMIT_NOFILE and so on.
    const limit = asRecord(raw);
    return {
      ...limit,
      Name: asText(limit['Name'])
        .replace(/^RLIMIT_/, '')
        .toLowerCase(),
    };
  });
  return {
    ...rest,
    ...(links.length > 0 && { Links: links }),
    ...(Ulimits != null && { Ulimits: ulimits }),
    // Podman shows processors in two ways, of which only one may be asked for; and its word for no swappiness is -1.
    ...((asInteger(rest['NanoCpus']) ?? 0) > 0 && { CpuPeriod: 0, CpuQuota: 0 }),
    ...(MemorySwappiness !== undefined && MemorySwappiness !== -1 && { MemorySwappiness }),
  };
}

function texts(value: unknown): string[] {
  return asList(value).filter((item) => typeof item === 'string');
}
