import { z } from 'zod';
import { AgentContainersError } from '../errors.ts';
import type { ContainerBlueprint } from '../agentcontainers/ports.ts';

/** A container carries its labels and its environment; one larger than this is none that a tool has made. */
const MAX_BLUEPRINT_LENGTH = 4 * 1024 * 1024;

const names = z.array(z.string().max(1_024)).max(1_024);

const endpointSchema = z.strictObject({
  /** As the create call takes it: `IPv4Address`, `IPv6Address`, `LinkLocalIPs`. */
  IPAMConfig: z.record(z.string(), z.unknown()).optional(),
  Links: names.optional(),
  Aliases: names.optional(),
  DriverOpts: z.record(z.string(), z.string()).optional(),
  MacAddress: z.string().max(64).optional(),
  GwPriority: z.number().optional(),
});

const blueprintSchema = z.object({
  version: z.literal(1),
  name: z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,255}$/),
  /** `Config` and `HostConfig` in the engine's own words, so that what this program does not know comes back as well. */
  config: z.record(z.string(), z.unknown()),
  hostConfig: z.record(z.string(), z.unknown()),
  labels: z.record(z.string(), z.string()),
  /** By the name of the network. */
  networks: z.record(z.string().max(256), endpointSchema),
});

/** How a container joins one network. */
export type EndpointBlueprint = z.infer<typeof endpointSchema>;

/** What a blueprint says. */
export type BlueprintContent = Omit<z.infer<typeof blueprintSchema>, 'version'>;

export function writeBlueprint(content: BlueprintContent): ContainerBlueprint {
  return JSON.stringify({ version: 1, ...content } satisfies z.infer<typeof blueprintSchema>);
}

/** Reads a blueprint back, which may have lain in a file. `state-unreadable`. */
export function readBlueprint(blueprint: ContainerBlueprint): BlueprintContent {
  if (blueprint.length > MAX_BLUEPRINT_LENGTH) throw unreadable(`it is longer than ${MAX_BLUEPRINT_LENGTH} characters`);
  let raw: unknown;
  try {
    raw = JSON.parse(blueprint);
  } catch {
    // The parser's own words quote the text, which holds environment variables.
    throw unreadable('it is no JSON');
  }
  const parsed = blueprintSchema.safeParse(raw);
  if (parsed.success) {
    const { version: _version, ...content } = parsed.data;
    return content;
  }
  const issue = parsed.error.issues[0];
  throw unreadable(`its ${issue?.path.join('.') || 'content'} is not as expected`);
}

function unreadable(reason: string): AgentContainersError {
  return new AgentContainersError(
    'state-unreadable',
    `Reading the description of a container failed: ${reason}. The container cannot be made again from it; bring its folder up anew.`,
  );
}
