import { z } from 'zod';
import { isHost, type KnownForward } from '../../agentcontainers/model/forward.ts';
import type { Finding, FindingKind, Trust } from '../../agentcontainers/model/verdict.ts';
import type {
  PersistedEntry,
  PersistedMemory,
  PersistedOperation,
  PersistedProject,
} from '../../agentcontainers/ports.ts';
import { intentSchema } from './intent-schema.ts';
import type { Unchecked } from './unchecked.ts';

const text = z.string().max(8_192);

const KINDS = [
  'initialize-command',
  'mount',
  'privilege',
  'run-argument',
  'local-env',
  'remote-feature',
] as const satisfies readonly FindingKind[];
const findingSchema = z.object({ kind: z.enum(KINDS), detail: text, source: text }) satisfies z.ZodType<Finding>;
const trustSchema = z.object({
  hash: text.min(1),
  findings: z.array(findingSchema),
  at: z.number(),
}) satisfies z.ZodType<Trust>;

/** The first programs wrote `properties` for what is called `inputs` now. */
const madeSchema = z.preprocess(
  (value) =>
    typeof value === 'object' && value !== null && !('inputs' in value) && 'properties' in value
      ? { ...value, inputs: value.properties }
      : value,
  z.object({ containerId: text, fingerprint: text, inputs: z.record(z.string(), z.string()), ours: z.boolean() }),
);

const portSchema = z.number().int().min(1).max(65_535);
const forwardSchema = z.object({
  id: z.string().min(1).max(200),
  host: z.string().refine(isHost),
  port: portSchema,
  hostPort: portSchema,
}) satisfies z.ZodType<KnownForward>;

/** One entry of the snapshot. Unknown fields are dropped: an older program must be able to read what a newer wrote. */
export const persistedEntrySchema = z.object({
  id: z.string().min(1).max(200),
  workspaceFolder: text.min(1),
  configPath: text,
  name: text.optional(),
  adopted: z.boolean(),
  discovered: z.boolean().optional(),
  ignored: z.boolean().optional(),
  made: z.array(madeSchema),
  intent: intentSchema.optional(),
  trust: trustSchema.optional(),
  imageFindings: z.array(findingSchema).optional(),
  stopped: z.boolean().optional(),
  abandoned: z.array(text).optional(),
  forwards: z.array(forwardSchema).optional(),
}) satisfies z.ZodType<PersistedEntry>;

export const persistedMemorySchema = z.object({
  id: z.string().min(1).max(200),
  stopped: z.boolean().optional(),
  trust: trustSchema.optional(),
  imageFindings: z.array(findingSchema).optional(),
}) satisfies z.ZodType<PersistedMemory>;

const stepSchema = z.object({ name: text, startedAt: z.number(), endedAt: z.number().optional() });

export const persistedOperationSchema = z.object({
  id: z.string().min(1).max(200),
  devcontainerId: text,
  kind: text,
  status: text,
  phase: text,
  startedAt: z.number(),
  endedAt: z.number().optional(),
  error: z.string().optional(),
  logOffset: z.number().int().nonnegative(),
  steps: z.array(stepSchema).optional(),
}) satisfies z.ZodType<PersistedOperation>;

export const persistedProjectSchema = z.object({
  id: z.string().min(1).max(200),
  name: text.regex(/^[a-z0-9][-_a-z0-9]*$/),
}) satisfies z.ZodType<PersistedProject>;

/** The frame; entries and operations are checked one by one, so that a damaged one does not take the others along. */
export const snapshotSchema = z.object({
  version: z.literal(1),
  entries: z.array(z.unknown()),
  operations: z.array(z.unknown()),
  remembered: z.array(z.unknown()).optional().catch(undefined),
  projects: z.array(z.unknown()).optional().catch(undefined),
});

type Step = NonNullable<PersistedOperation['steps']>[number];
const complete: [
  Unchecked<PersistedEntry, typeof persistedEntrySchema>,
  Unchecked<PersistedEntry['made'][number], typeof madeSchema>,
  Unchecked<PersistedMemory, typeof persistedMemorySchema>,
  Unchecked<KnownForward, typeof forwardSchema>,
  Unchecked<Trust, typeof trustSchema>,
  Unchecked<Finding, typeof findingSchema>,
  Exclude<FindingKind, (typeof KINDS)[number]>,
  Unchecked<PersistedOperation, typeof persistedOperationSchema>,
  Unchecked<Step, typeof stepSchema>,
  Unchecked<PersistedProject, typeof persistedProjectSchema>,
] extends readonly never[]
  ? true
  : never = true;
void complete;
