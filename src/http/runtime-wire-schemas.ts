import { z } from 'zod';
import * as part from './schema-parts.ts';

// What runs in a container, as it is asked for and answered, in snake_case. Shared by routes, WebSockets and the command
// line. Answers may grow; requests are closed.

const time = z.iso.datetime().meta({ description: 'RFC 3339, UTC' });
const count = z.number().int();
const via = z.enum(['resident', 'engine']).meta({
  description: '`engine`: no resident runs in the container, so that some things are not possible there',
});
const reason = z.enum(['exit', 'signal', 'timeout', 'oom', 'killed', 'lost']);

/** A command that is to be started; see `toCommandSpec`. */
export const startBody = z
  .strictObject({
    argv: part.argv.optional(),
    command: part.commandLine.optional().meta({ description: "A line for the user's shell." }),
    cwd: part.cwd.optional(),
    env: part.env.optional(),
    user: part.user.optional(),
    tty: part.terminalSize.optional().meta({ description: 'Run it in a terminal of this size.' }),
    merged: z.boolean().optional().meta({ description: 'One pipe for both outputs, so that their order is kept.' }),
    stdin: z.boolean().optional().meta({ description: 'Keep standard input open for writing.' }),
    timeout_ms: part.timeoutMs.optional(),
    grace_ms: part.graceMs.optional(),
    key: part.text(part.NAME_CHARS, 1).optional().meta({
      description: 'A second start with this key is answered with the process of the first.',
    }),
    overflow: z.enum(['drop', 'block', 'spill']).optional().meta({
      description:
        'What happens to output that nobody has read when no more fits: the oldest goes, the command waits, or the oldest goes to a file in the container.',
    }),
    ring_bytes: z
      .number()
      .int()
      .min(64 * 1024)
      .max(64 * 1024 * 1024)
      .optional()
      .meta({ description: 'How much output is kept. Default 1 MiB.' }),
  })
  .refine(part.ONE_COMMAND.check, part.ONE_COMMAND.error)
  .meta({ id: 'StartRequest', ...part.ONE_COMMAND.meta });

export const wireExit = z
  .object({
    code: count.nullable().meta({ description: 'Null when a signal ended it, or when nobody knows' }),
    signal: z.string().nullable().meta({ description: 'E.g. `SIGKILL`' }),
    reason: reason.meta({ description: '`lost`: the container went before the end could be told' }),
    survivors: z.array(count).meta({
      description:
        'Process ids, in the container, of what could not be ended, or was left since it may be of another command',
    }),
    background_held: z
      .boolean()
      .meta({ description: 'Its main process has ended, and children of it still hold its output' }),
    via,
  })
  .meta({ id: 'CommandExit' });

export const wireProcess = z
  .object({
    id: z.string(),
    pid: count.optional().meta({ description: 'In the container' }),
    argv: z.array(z.string()),
    command: z.string().optional(),
    cwd: z.string(),
    user: z.string(),
    tty: z.object({ width: count, height: count }).nullable(),
    merged: z.boolean(),
    kind: z.enum(['exec', 'terminal', 'background']),
    key: z.string().optional(),
    started_at: time,
    running: z.boolean(),
    output: z
      .object({
        start: count,
        end: count,
        stalled: z.literal(true).optional().meta({
          description:
            'It stands still: what is kept of its output is full, and nobody reads. Attaching to it lets it go on',
        }),
      })
      .meta({ description: 'Bytes: the oldest that is still kept, and all there were so far' }),
    stdin: z
      .object({ written: count, open: z.boolean() })
      .optional()
      .meta({ description: 'Of one that has standard input: bytes written to it so far, by whomever' }),
    exit: wireExit.optional(),
    via,
  })
  .meta({ id: 'Process' });

export const wireProcesses = z.object({ processes: z.array(wireProcess) }).meta({ id: 'Processes' });

const data = z.string();
const encoding = z.literal('base64').optional().meta({ description: 'Set when the bytes are not UTF-8' });

/** A line of a streamed command: `started`, output, and `exit` at the end. */
export const wireExecLine = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('started'), process_id: z.string(), via }),
    z.object({
      type: z.enum(['stdout', 'stderr']),
      data,
      encoding,
      offset: count.optional().meta({ description: 'Of its first byte; only where output is followed by its offset' }),
    }),
    z.object({
      type: z.literal('exit'),
      code: count.nullable(),
      signal: z.string().nullable(),
      reason: z.enum([...reason.options, 'closed']).meta({
        description: '`closed`: the server ends, and the command runs on; `process_id` finds it again',
      }),
      via,
      survivors: z.array(count).optional(),
      background_held: z.literal(true).optional().meta({
        description: 'Its main process has ended, and children of it still hold its output',
      }),
      message: z.string().optional(),
    }),
  ])
  .meta({ id: 'ExecLine' });

export const wireOutputPage = z
  .object({
    output: z.string(),
    encoding,
    offset: count.meta({ description: 'Where it really begins: what is older than what is kept is gone' }),
    next_offset: count.meta({ description: 'What to ask for next' }),
    end: count.meta({ description: 'All there was so far; there is more to read while `next_offset` is below' }),
    running: z.boolean(),
    exit_code: count.nullable().optional().meta({
      description: 'Once it has ended: 124 after a time-out, 128 + n after a signal, null when nobody knows',
    }),
    reason: reason.optional(),
  })
  .meta({ id: 'OutputPage' });

export const wireBash = z
  .object({
    output: z.string().meta({ description: 'Both outputs in their order; of a long one the beginning and the end' }),
    exit_code: count.nullable().meta({
      description: '124 after a time-out, 128 + n after a signal, null while it runs on',
    }),
    process_id: z.string().optional().meta({ description: 'Given while it runs, and when output was left out' }),
    truncated: z.object({ total_bytes: count, omitted_bytes: count }).optional(),
    via,
  })
  .meta({ id: 'BashResult' });

export const wireFileStat = z
  .object({
    path: z.string(),
    type: z.enum(['file', 'directory', 'link', 'other']),
    size: count,
    mode: z.string().meta({ description: 'Octal', example: '0644' }),
    modified_at: time,
    uid: count,
    gid: count,
    target: z.string().optional().meta({ description: 'Of a link' }),
  })
  .meta({ id: 'FileStat' });

export const wireFileList = z
  .object({ entries: z.array(wireFileStat), truncated: z.boolean().meta({ description: 'There are more' }) })
  .meta({ id: 'FileList' });

export const wireFoundLine = z
  .union([
    z.object({
      path: z.string(),
      line: count.optional().meta({ description: '1-based, as is `column`; only when a text was searched for' }),
      column: count.optional().meta({ description: 'In bytes of the line' }),
      text: z.string().optional(),
    }),
    z.object({ truncated: z.literal(true).meta({ description: 'The last line, when there is more than was sent' }) }),
  ])
  .meta({ id: 'FoundLine' });

export const wirePorts = z
  .object({
    ports: z.array(
      z.object({
        port: count,
        address: z.string(),
        family: z.union([z.literal(4), z.literal(6)]),
        pid: count.optional(),
        name: z.string().optional().meta({ description: 'Of the program that listens, as far as it can be seen' }),
        process: z.string().optional().meta({ description: 'Id of the process that it belongs to' }),
      }),
    ),
  })
  .meta({ id: 'Ports' });

const orNull = count.nullable();

export const wireStats = z
  .object({
    memory: z.object({ current: orNull, max: orNull, oom_kills: orNull }),
    cpu: z.object({ usage_usec: orNull }),
    pids: z.object({ current: orNull, max: orNull }),
    resident_bytes: orNull.meta({ description: 'Memory of the resident itself' }),
  })
  .meta({ id: 'Stats', description: 'Null: the kernel does not tell, or there is no limit' });

export const wireForward = z
  .object({
    id: z.string(),
    host: z.string().meta({ description: 'As seen from the container' }),
    port: count,
    host_port: count.meta({ description: 'On 127.0.0.1 of the machine of the daemon' }),
    status: z.enum(['listening', 'failed']),
    error: z.string().optional(),
  })
  .meta({ id: 'Forward' });

export const wireForwards = z.object({ forwards: z.array(wireForward) }).meta({ id: 'Forwards' });

export type StartBody = z.infer<typeof startBody>;
export type WireExit = z.infer<typeof wireExit>;
export type WireProcess = z.infer<typeof wireProcess>;
export type WireProcesses = z.infer<typeof wireProcesses>;
export type WireExecLine = z.infer<typeof wireExecLine>;
export type WireOutputPage = z.infer<typeof wireOutputPage>;
export type WireBash = z.infer<typeof wireBash>;
export type WireFileStat = z.infer<typeof wireFileStat>;
export type WireFileList = z.infer<typeof wireFileList>;
export type WireFoundLine = z.infer<typeof wireFoundLine>;
export type WirePorts = z.infer<typeof wirePorts>;
export type WireStats = z.infer<typeof wireStats>;
export type WireForward = z.infer<typeof wireForward>;
export type WireForwards = z.infer<typeof wireForwards>;
