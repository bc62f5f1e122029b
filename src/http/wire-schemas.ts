import { z } from 'zod';
import { wireForward } from './runtime-wire-schemas.ts';

export { wireExecLine, type WireExecLine } from './runtime-wire-schemas.ts';

// What is answered, in snake_case. Clients must accept further properties: later versions may add some.

const time = z.iso.datetime().meta({ description: 'RFC 3339, UTC' });
const level = z.enum(['seen', 'adopted', 'managed']);

const port = z.object({
  port: z.number().int(),
  network: z.enum(['tcp', 'udp', 'sctp']),
  host_ip: z.string().optional(),
  host_port: z.number().int().optional(),
});

export const wireContainer = z
  .object({
    id: z.string(),
    name: z.string(),
    image: z.string(),
    labels: z
      .record(z.string(), z.string())
      .meta({ description: 'Without `devcontainer.metadata`, which holds the environment of the configuration' }),
    created_at: time,
    running: z.boolean(),
    status: z
      .string()
      .meta({ description: '`running`, `exited successfully`, `exited with code N`, then `: <error>`' }),
    ports: z.array(port),
    volumes: z.record(z.string(), z.string()).meta({ description: 'Source to destination, sorted by source' }),
    level: level.optional(),
    devcontainer_id: z.string().optional(),
  })
  .meta({ id: 'Container' });

const dirtyReason = z.object({ input: z.string(), class: z.enum(['recreate', 'rerun-hook', 'live', 'none']) });

export const wireAgent = z
  .object({
    id: z.string().nullable(),
    name: z.string(),
    directory: z.string(),
    status: z.enum(['starting', 'running', 'failed', 'exited', 'unsupported']),
    reason: z.string().optional(),
    version: z.string().optional(),
    started_at: time.optional(),
  })
  .meta({ id: 'Agent' });

export const wireFinding = z
  .object({
    kind: z.enum(['initialize-command', 'mount', 'privilege', 'run-argument', 'local-env', 'remote-feature']),
    detail: z.string(),
    source: z.string().meta({ description: 'The file that says so, or `image <reference>`' }),
  })
  .meta({ id: 'Finding', description: 'One thing that a configuration can do to the host' });

export const wireHolder = z
  .object({
    id: z.string(),
    kind: z.enum(['exec', 'terminal', 'sub-agent']),
    description: z.string(),
    since: time,
  })
  .meta({ id: 'Holder', description: 'Somebody who uses a devcontainer now' });

// Findings can be long and lists are sent on every change, so these three are in the answer for one devcontainer only.
const ONE_ONLY = 'Only in the answer for one devcontainer, not in lists and frames';

export const wireDevcontainer = z
  .object({
    id: z.string(),
    name: z.string(),
    workspace_folder: z.string(),
    config_path: z.string().optional(),
    subagent_id: z.string().nullable(),
    status: z.enum(['running', 'stopped', 'starting', 'stopping', 'deleting', 'error']),
    dirty: z.boolean(),
    container: wireContainer.optional(),
    agent: wireAgent.optional(),
    error: z.string().optional(),
    level,
    dirty_reasons: z.array(dirtyReason).optional(),
    config_error: z.object({ message: z.string(), line: z.number().int(), column: z.number().int() }).optional(),
    candidates: z.array(z.object({ container_id: z.string(), name: z.string(), reason: z.string() })).optional(),
    degraded: z
      .array(
        z.object({
          phase: z.string(),
          command: z.string().optional(),
          exit_code: z.number().int().optional(),
          output_tail: z.string(),
        }),
      )
      .optional(),
    operation_id: z.string().optional(),
    forwards: z.array(wireForward).optional().meta({ description: 'Ports of its container on this machine' }),
    trusted: z.boolean().meta({
      description:
        'A person may create, recreate and start it: it can do nothing to the host, or that was accepted. By itself it is started only when it was accepted',
    }),
    busy: z.boolean().meta({ description: 'Somebody uses it; `holders` says who' }),
    verdict: z
      .object({
        hash: z.string().meta({ description: 'What `trust` takes; another one as soon as the findings change' }),
        finding_count: z.number().int(),
        findings: z.array(wireFinding).optional().meta({ description: ONE_ONLY }),
      })
      .optional()
      .meta({ description: 'What its configuration can do to the host; absent until it was read' }),
    trust: z
      .object({ hash: z.string(), findings: z.array(wireFinding), at: time })
      .optional()
      .meta({ description: `What was accepted; counts while its hash is that of the verdict. ${ONE_ONLY}` }),
    holders: z.array(wireHolder).optional().meta({ description: ONE_ONLY }),
  })
  .meta({ id: 'Devcontainer' });

export const wireList = z
  .object({
    devcontainers: z.array(wireDevcontainer),
    containers: z.array(wireContainer),
    warnings: z.array(z.string()).optional(),
  })
  .meta({ id: 'List' });

export const wireDevcontainers = z.object({ devcontainers: z.array(wireDevcontainer) }).meta({ id: 'Devcontainers' });

export const wireOperation = z
  .object({
    id: z.string(),
    devcontainer_id: z.string(),
    kind: z.enum(['create', 'start', 'recreate', 'restart', 'stop', 'delete', 'recover', 'rerun-hook']),
    status: z.enum(['running', 'succeeded', 'failed', 'cancelled', 'interrupted']),
    phase: z.string(),
    started_at: time,
    ended_at: time.optional(),
    error: z.string().optional(),
    log_offset: z.number().int().meta({
      description: "Where its text begins in the devcontainer's log, in bytes: `logs?offset=` reads it",
    }),
    steps: z
      .array(z.object({ name: z.string(), started_at: time, ended_at: time.optional() }))
      .meta({ description: 'What it has done so far, oldest first; of very many the oldest are left out' }),
  })
  .meta({ id: 'Operation' });

export const wireReceipt = z
  .object({ message: z.string(), operation_id: z.string(), devcontainer_id: z.string() })
  .meta({ id: 'Receipt' });

export const wireRemovalPlan = z
  .object({
    containers: z.array(z.string()),
    volumes: z.array(z.string()),
    networks: z.array(z.string()),
    entry_goes: z.boolean().meta({ description: 'False: it stays as `stopped`, since it is known for another reason' }),
  })
  .meta({ id: 'RemovalPlan' });

export const wireDifferences = z
  .object({
    differences: z.array(
      dirtyReason.extend({
        before: z.string().optional().meta({ description: 'Absent when there was none, or it is not known any more' }),
        after: z.string().optional().meta({ description: 'Absent when there is none any more' }),
      }),
    ),
  })
  .meta({ id: 'Differences' });

export const wireLogChunk = z.object({ offset: z.number().int(), text: z.string() }).meta({ id: 'LogChunk' });

export const logText = z.string();

export const missingThing = z.enum(['program-not-found', 'cwd-not-found', 'user-not-found', 'resident-needed']);

export const wireError = z
  .object({
    message: z.string(),
    code: z.string().optional(),
    detail: z.string().optional(),
    validations: z.array(z.object({ field: z.string(), detail: z.string() })).optional(),
    config_paths: z.array(z.string()).optional().meta({ description: 'What `config_path` can be' }),
    findings: z.array(wireFinding).optional().meta({ description: 'What is not trusted' }),
    hash: z.string().optional().meta({ description: 'Of the findings as they are now' }),
    holders: z.array(wireHolder).optional().meta({ description: 'Who uses it' }),
    reason: missingThing.optional().meta({ description: 'What is not there that this needs' }),
  })
  .meta({ id: 'Error' });

export type WireContainer = z.infer<typeof wireContainer>;
export type WireAgent = z.infer<typeof wireAgent>;
export type WireDevcontainer = z.infer<typeof wireDevcontainer>;
export type WireList = z.infer<typeof wireList>;
export type WireOperation = z.infer<typeof wireOperation>;
export type WireReceipt = z.infer<typeof wireReceipt>;
export type WireLogChunk = z.infer<typeof wireLogChunk>;
export type WireRemovalPlan = z.infer<typeof wireRemovalPlan>;
export type WireDifferences = z.infer<typeof wireDifferences>;
export type WireFinding = z.infer<typeof wireFinding>;
export type WireHolder = z.infer<typeof wireHolder>;
export type WireError = z.infer<typeof wireError>;
