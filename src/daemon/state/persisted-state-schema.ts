import { z } from 'zod';
import type { PersistedEntry, PersistedOperation } from '../../agentcontainers/ports.ts';

const text = z.string().max(8_192);
const properties = z.record(z.string(), z.string());

/** One entry of the snapshot. Unknown fields are dropped: an older program must be able to read what a newer wrote. */
export const persistedEntrySchema = z.object({
  id: z.string().min(1).max(200),
  workspaceFolder: text.min(1),
  configPath: text,
  name: text.optional(),
  adopted: z.boolean(),
  ignored: z.boolean().optional(),
  made: z.array(z.object({ containerId: text, fingerprint: text, properties, ours: z.boolean() })),
  intent: z
    .object({ operationId: text, fingerprint: text, properties, since: z.number(), knownContainers: z.array(text) })
    .optional(),
}) satisfies z.ZodType<PersistedEntry>;

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
}) satisfies z.ZodType<PersistedOperation>;

/** The frame; entries and operations are checked one by one, so that a damaged one does not take the others along. */
export const snapshotSchema = z.object({
  version: z.literal(1),
  entries: z.array(z.unknown()),
  operations: z.array(z.unknown()),
});

// A field that the port has and a schema does not would be lost at the next start: that must not compile.
type Unchecked<T, S extends z.ZodType> = Exclude<keyof T, keyof z.infer<S>>;
const complete: [
  Unchecked<PersistedEntry, typeof persistedEntrySchema>,
  Unchecked<PersistedOperation, typeof persistedOperationSchema>,
] extends [never, never]
  ? true
  : never = true;
void complete;
