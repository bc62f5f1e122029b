import { z } from 'zod';
import type {
  CommandExit,
  CommandProcess,
  ContainerStats,
  FileStat,
  FoundLine,
  ListeningPort,
} from '../../agentcontainers/ports.ts';

// What a resident says, checked and turned into our words. Fields that we do not know are left out.

const count = z.number().int().nonnegative();
const instant = z.string().max(40);
/** `<first 4 of the instance>-<number>`. */
const processId = z.string().regex(/^[A-Za-z0-9]{1,8}-\d{1,16}$/);
const digest = z.string().regex(/^[0-9a-f]{12,64}$/);
const version = z.string().regex(/^[\w.+-]{1,60}$/);

/** Paths that a kernel takes are shorter. */
const path = z.string().max(8_192);
/** What is told of a command line, and of a line of a file: 16 and 64 KiB, and what says that there was more. */
const SHOWN_CHARS = 16_400;
const lineText = z.string().max(65_600);
const shownText = z.string().max(SHOWN_CHARS);
/** More than these of a list that may be long are not looked at: each costs time. */
const MAX_LISTED = 1_024;
const atMost = <T extends z.ZodType>(one: T, more: readonly unknown[] = []) =>
  z.preprocess(
    (all) =>
      Array.isArray(all) && all.length > MAX_LISTED
        ? [...(all as unknown[]).slice(0, MAX_LISTED - more.length), ...more]
        : all,
    z.array(one),
  );
const shownArguments = atMost(shownText, ['…']).refine(
  (all) => all.reduce((sum, { length }) => sum + length, 0) <= SHOWN_CHARS,
  'its arguments are too long',
);
const pid = count.max(2 ** 31);
const pids = atMost(pid);

const size = z.object({ width: count, height: count });

const exitSchema = z.object({
  code: z.number().int().nullable(),
  signal: z
    .string()
    .regex(/^SIG[A-Z0-9+-]{1,16}$/)
    .nullable(),
  reason: z.enum(['exit', 'signal', 'timeout', 'oom', 'killed']),
  survivors: pids.nullish(),
  background_held: z.boolean().nullish(),
});

export const processSchema = z.object({
  id: processId,
  pid,
  argv: shownArguments.nullish(),
  command: shownText.nullish(),
  cwd: path,
  user: z.string().max(4_096),
  tty: size.nullish(),
  merged: z.boolean(),
  kind: z.enum(['exec', 'terminal', 'background']),
  key: z.string().max(256).nullish(),
  started_at: instant,
  running: z.boolean(),
  exit: exitSchema.nullish(),
  /** Of one that was killed and still runs. */
  survivors: pids.nullish(),
  output: z.object({ start: count, end: count, stalled: z.boolean().nullish() }),
  /** Of one that has standard input. */
  stdin: z.object({ written: count, open: z.boolean() }).nullish(),
});
export type WireProcess = z.infer<typeof processSchema>;

export const processesSchema = z.object({ processes: z.array(processSchema).max(10_000) });

/** Frames of kind 0 in an output stream. */
export const progressSchema = z.object({ offset: count.optional(), process: processSchema });

const busySchema = z.object({ commands: count, terminals: count });

const portSchema = z.object({
  port: z.number().int().min(0).max(65_535),
  address: z.string().max(64),
  family: z.union([z.literal(4), z.literal(6)]),
  pid: pid.nullish(),
  name: z.string().max(4_096).nullish(),
  process: processId.nullish(),
});
export const portsSchema = z.object({ ports: z.array(portSchema).max(65_536) });

export const eventSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('snapshot'),
    processes: z.array(processSchema).max(10_000).nullish(),
    busy: busySchema,
    ports: z.array(portSchema).max(65_536).nullish(),
  }),
  z.object({ type: z.literal('process'), process: processSchema }),
  z.object({ type: z.literal('forgotten'), id: processId }),
  z.object({ type: z.literal('busy'), busy: busySchema }),
  z.object({ type: z.literal('ports'), ports: z.array(portSchema).max(65_536) }),
]);
export type WireEvent = z.infer<typeof eventSchema>;

const greeted = z.object({
  ok: z.literal(true),
  protocol: count,
  version,
  digest,
  instance: z.string().regex(/^[A-Za-z0-9-]{4,64}$/),
  pid,
  adopted: z.boolean(),
  others: z
    .array(z.object({ digest, protocol: count, version, pid }))
    .max(64)
    .nullish(),
});
const refused = z.object({ ok: z.literal(false), code: z.string().max(100), message: z.string().max(4_096) });
export const helloSchema = z.discriminatedUnion('ok', [greeted, refused]);
export type Hello = z.infer<typeof greeted>;

/** True for an id that this agent has given. */
export function ownsId({ instance }: Pick<Hello, 'instance'>, id: string): boolean {
  return id.startsWith(`${instance.slice(0, 4)}-`);
}

export const statSchema = z.object({
  path,
  type: z.enum(['file', 'directory', 'link', 'other']),
  size: count,
  mode: z.string().regex(/^[0-7]{3,5}$/),
  modified_at: instant,
  uid: count,
  gid: count,
  target: path.nullish(),
});
export const listSchema = z.object({ entries: z.array(statSchema).max(10_000), truncated: z.boolean() });
export const foundSchema = z.union([
  z.object({ done: z.literal(true), truncated: z.boolean() }),
  z.object({ path, line: count.nullish(), column: count.nullish(), text: lineText.nullish() }),
]);

const orNull = count.nullish();
export const statsSchema = z.object({
  memory: z.object({ current: orNull, max: orNull, oom_kills: orNull }).nullish(),
  cpu: z.object({ usage_usec: orNull }).nullish(),
  pids: z.object({ current: orNull, max: orNull }).nullish(),
  resident: z.object({ rss: orNull }).nullish(),
});

export const nothingSchema = z.undefined();

/** The beginning of the keys that we make ourselves, so that a start may be asked for twice. */
export const OWN_KEY = 'agentcontainers:';

export function toExit(exit: z.infer<typeof exitSchema>): CommandExit {
  return {
    code: exit.code,
    signal: exit.signal,
    reason: exit.reason,
    survivors: exit.survivors ?? [],
    backgroundHeld: exit.background_held ?? false,
    via: 'resident',
  };
}

export function toProcess(process: WireProcess): CommandProcess {
  const key = process.key ?? undefined;
  return {
    id: process.id,
    pid: process.pid,
    argv: process.argv ?? [],
    command: process.command ?? undefined,
    cwd: process.cwd,
    user: process.user,
    tty: process.tty ?? null,
    merged: process.merged,
    kind: process.kind,
    key: key === undefined || key === '' || key.startsWith(OWN_KEY) ? undefined : key,
    startedAt: process.started_at,
    running: process.running,
    exit: process.exit ? toExit(process.exit) : undefined,
    via: 'resident',
    output: { start: process.output.start, end: process.output.end, isStalled: process.output.stalled ?? undefined },
    stdin: process.stdin ? { written: process.stdin.written, isOpen: process.stdin.open } : undefined,
  };
}

export function toPort(port: z.infer<typeof portSchema>): ListeningPort {
  const { port: number, address, family } = port;
  return {
    port: number,
    address,
    family,
    pid: port.pid ?? undefined,
    name: port.name ?? undefined,
    process: port.process ?? undefined,
  };
}

export function toStat(stat: z.infer<typeof statSchema>): FileStat {
  return {
    path: stat.path,
    type: stat.type,
    size: stat.size,
    mode: stat.mode,
    modifiedAt: stat.modified_at,
    uid: stat.uid,
    gid: stat.gid,
    target: stat.target ?? undefined,
  };
}

export function toFoundLine(found: Exclude<z.infer<typeof foundSchema>, { done: true }>): FoundLine {
  return {
    path: found.path,
    line: found.line ?? undefined,
    column: found.column ?? undefined,
    text: found.text ?? undefined,
  };
}

export function toStats(stats: z.infer<typeof statsSchema>): ContainerStats {
  return {
    memory: {
      current: stats.memory?.current ?? null,
      max: stats.memory?.max ?? null,
      oomKills: stats.memory?.oom_kills ?? null,
    },
    cpu: { usageUsec: stats.cpu?.usage_usec ?? null },
    pids: { current: stats.pids?.current ?? null, max: stats.pids?.max ?? null },
    residentBytes: stats.resident?.rss ?? null,
  };
}
