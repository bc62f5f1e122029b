import { z } from 'zod';

import { HOOK_NAMES } from '../agentcontainers/model/hook-names.ts';
import type { HookCommand, HookName, MergedConfiguration } from '../agentcontainers/ports.ts';

/** Far more than people write; it bounds what is kept of each configuration. */
const MAX_COMMANDS = 100;
const MAX_PARTS = 256;
const MAX_TEXT = 64 * 1024;

const word = z.string().max(MAX_TEXT);
const program = z.array(word).max(MAX_PARTS);
const named = z.record(z.string(), z.union([word, program])).refine((all) => Object.keys(all).length <= MAX_PARTS);
const hookCommand = z.union([word, program, named]);
const hookCommands = z.array(z.unknown()).optional().catch(undefined);

const userEnvProbe = z
  .enum(['none', 'loginShell', 'interactiveShell', 'loginInteractiveShell'])
  .optional()
  .catch(undefined);
const layerValues = z.record(z.string(), z.unknown());
const answer = z.object({
  configuration: z.object({
    customizations: layerValues.optional().catch(undefined),
    userEnvProbe,
    onCreateCommand: z.unknown().optional(),
    updateContentCommand: z.unknown().optional(),
    postCreateCommand: z.unknown().optional(),
    postStartCommand: z.unknown().optional(),
    postAttachCommand: z.unknown().optional(),
  }),
  workspace: z.object({ workspaceFolder: z.string().optional() }).optional().catch(undefined),
  mergedConfiguration: z.object({
    remoteUser: z.string().optional().catch(undefined),
    containerUser: z.string().optional().catch(undefined),
    remoteEnv: z
      .record(z.string(), z.union([z.string(), z.null()]))
      .optional()
      .catch(undefined),
    userEnvProbe,
    workspaceFolder: z.string().optional().catch(undefined),
    customizations: z.record(z.string(), z.array(z.unknown())).optional().catch(undefined),
    onCreateCommands: hookCommands,
    updateContentCommands: hookCommands,
    postCreateCommands: hookCommands,
    postStartCommands: hookCommands,
    postAttachCommands: hookCommands,
  }),
});

/**
 * Reads the answer of `read-configuration --include-merged-configuration`; `undefined` when it is none. Unknown fields
 * are ignored, and optional fields of an unexpected shape count as absent.
 *
 * What the CLI returns: `configuration` is the workspace's own file after substitution. In `mergedConfiguration`,
 * `customizations.<namespace>` is an array with one value for each layer THAT HAS the namespace (image metadata first,
 * then features, then the workspace's own), so its last element is the root's only when the root has the namespace;
 * a feature's `ignore` would otherwise pass for the root's. `configuration.customizations` tells which it is.
 */
export function parseMergedConfiguration(text: string): MergedConfiguration | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = answer.safeParse(value);
  if (!parsed.success) return undefined;
  const { configuration, workspace, mergedConfiguration: merged } = parsed.data;
  const remoteUser = merged.remoteUser ?? merged.containerUser;
  // The last layer of the merged one is what the container was made with; what the file says now counts at once.
  const probe = configuration.userEnvProbe ?? merged.userEnvProbe;
  return {
    workspaceFolder: merged.workspaceFolder ?? workspace?.workspaceFolder ?? '/',
    ...(remoteUser === undefined ? {} : { remoteUser }),
    remoteEnv: merged.remoteEnv ?? {},
    ...(probe === undefined ? {} : { userEnvProbe: probe }),
    customizations: layersOf(merged.customizations ?? {}, configuration.customizations ?? {}),
    hooks: {
      ...hook('onCreateCommand', merged.onCreateCommands),
      ...hook('updateContentCommand', merged.updateContentCommands),
      ...hook('postCreateCommand', merged.postCreateCommands),
      ...hook('postStartCommand', merged.postStartCommands),
      ...hook('postAttachCommand', merged.postAttachCommands),
    },
    ownHooks: ownHooks(configuration),
  };
}

function ownHooks(
  configuration: Readonly<Partial<Record<HookName, unknown>>>,
): Readonly<Partial<Record<HookName, HookCommand>>> {
  return Object.fromEntries(
    HOOK_NAMES.flatMap((name) => commandsOf([configuration[name]]).map((command) => [name, command])),
  );
}

/** The commands of all layers are in the order in which they run. What is no command, or an empty one, is left out. */
function hook(name: HookName, values: readonly unknown[] = []): Partial<Record<HookName, readonly HookCommand[]>> {
  const commands = commandsOf(values);
  return commands.length === 0 ? {} : { [name]: commands };
}

function commandsOf(values: readonly unknown[]): HookCommand[] {
  const commands: HookCommand[] = [];
  for (const value of values.slice(0, MAX_COMMANDS)) {
    const { data } = hookCommand.safeParse(value);
    if (data !== undefined && Object.keys(data).length > 0) commands.push(data);
  }
  return commands;
}

/** Lower layers in their order for each namespace, then the root, which is always there and may be empty. */
function layersOf(
  merged: Readonly<Record<string, readonly unknown[]>>,
  own: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>>[] {
  const lower: Record<string, unknown>[] = [];
  const root: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [namespace, values] of Object.entries(merged)) {
    const rootHasIt = Object.hasOwn(own, namespace);
    const below = rootHasIt ? values.slice(0, -1) : values;
    // The merged value of the root, not its own: variables of the container are filled in only there.
    if (rootHasIt) root[namespace] = values.at(-1);
    below.forEach((value, index) => {
      (lower[index] ??= Object.create(null) as Record<string, unknown>)[namespace] = value;
    });
  }
  return [...lower, root];
}
