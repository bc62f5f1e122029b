import { z } from 'zod';
import type { DisplayApp, SubAgentRecord, SubAgentSpec } from '../agentcontainers/ports.ts';

// What goes over the wire between us and a remote control plane; described in docs/design/control-plane.md.
// Unknown fields in answers are ignored, so that a control plane can grow.

const DISPLAY_APPS = ['vscode', 'vscode_insiders', 'web_terminal', 'ssh_helper', 'port_forwarding_helper'] as const;

const text = z.string().max(4_096);

const recordSchema = z.object({
  id: z.uuid(),
  parent_id: z.uuid().nullish(),
  name: z.string().min(1).max(256),
  directory: text,
  operating_system: z.string().max(64),
  architecture: z.string().max(64),
  // A newer control plane may know more of them; those are left out.
  display_apps: z.array(z.string().max(64)).max(64).default([]),
  apps: z
    .array(z.looseObject({ slug: z.string().min(1).max(64) }))
    .max(1_000)
    .default([]),
});

export const listSchema = z.object({ sub_agents: z.array(recordSchema).max(10_000) });

export const createdSchema = z.object({
  sub_agent: recordSchema,
  // Goes into an environment variable: one line, no NUL.
  token: z
    .string()
    .min(1)
    .max(8_192)
    .regex(/^[\x21-\x7e]+$/),
});

export function toRecord(wire: z.infer<typeof recordSchema>): SubAgentRecord {
  return {
    id: wire.id,
    parentId: wire.parent_id ?? undefined,
    name: wire.name,
    directory: wire.directory,
    operatingSystem: wire.operating_system,
    architecture: wire.architecture,
    displayApps: wire.display_apps.filter((app): app is DisplayApp =>
      (DISPLAY_APPS as readonly string[]).includes(app),
    ),
    apps: wire.apps,
  };
}

export function fromSpec(spec: SubAgentSpec): object {
  return {
    name: spec.name,
    directory: spec.directory,
    operating_system: spec.operatingSystem,
    architecture: spec.architecture,
    display_apps: spec.displayApps,
    apps: spec.apps,
  };
}
