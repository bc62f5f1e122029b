import { z } from 'zod';
import type { DeleteIntent, Intent, Swap, UpIntent } from '../../agentcontainers/model/intent.ts';
import type { Unchecked } from './unchecked.ts';

const text = z.string().max(8_192);
/** All that an engine says of one container. */
const MAX_BLUEPRINT = 4 * 1_048_576;

const begun = { operationId: text, since: z.number(), isInterrupted: z.boolean().optional() };

const processSchema = z.object({ pid: z.int().positive(), startedAt: text });
const backupSchema = z.object({ imageId: text, blueprint: z.string().max(MAX_BLUEPRINT) });
const swapSchema = z.object({
  oldContainerId: text,
  oldName: text,
  wasRunning: z.boolean(),
  isReady: z.boolean(),
  backup: backupSchema.optional(),
});
const upSchema = z.object({
  ...begun,
  kind: z.literal('up'),
  fingerprint: text,
  inputs: z.record(z.string(), z.string()),
  knownContainers: z.array(text),
  process: processSchema.optional(),
  swap: swapSchema.optional(),
});
const deleteSchema = z.object({
  ...begun,
  kind: z.literal('delete'),
  volumes: z.enum(['none', 'anonymous', 'named']),
});

/** What a job had set out to do. The first programs wrote only one kind, and did not name it. */
export const intentSchema = z.preprocess(
  namedKind,
  z.discriminatedUnion('kind', [upSchema, deleteSchema]),
) satisfies z.ZodType<Intent>;

function namedKind(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || 'kind' in value) return value;
  return { kind: 'up', ...('properties' in value ? { inputs: value.properties } : {}), ...value };
}

const complete: [
  Unchecked<UpIntent, typeof upSchema>,
  Unchecked<Swap, typeof swapSchema>,
  Unchecked<NonNullable<Swap['backup']>, typeof backupSchema>,
  Unchecked<NonNullable<UpIntent['process']>, typeof processSchema>,
  Unchecked<DeleteIntent, typeof deleteSchema>,
] extends readonly never[]
  ? true
  : never = true;
void complete;
