import { z } from 'zod';
import { signalBody } from './runtime-request-schemas.ts';
import { wireExit, wireProcess } from './runtime-wire-schemas.ts';
import * as part from './schema-parts.ts';
import { wireError } from './wire-schemas.ts';

// What WebSockets are opened with, and their frames of JSON.

const MAX_SIDE = 10_000;
const side = part.queryNumber(1, MAX_SIDE).optional();

export const attachQuery = z
  .strictObject({
    offset: part.queryNumber(0).optional().meta({
      description: 'First byte of its output that is wanted. Default 0: all that is kept.',
    }),
    read_only: part.flag.optional().meta({ description: 'Only watch: no input, sizes and signals.' }),
    width: side.meta({ description: 'Columns that its terminal gets. With `height`.' }),
    height: side.meta({ description: 'Rows that its terminal gets. With `width`.' }),
  })
  .refine(({ width, height }) => (width === undefined) === (height === undefined), {
    path: ['height'],
    message: 'Give both `width` and `height`, or neither.',
  })
  .refine(({ read_only: readOnly, width }) => readOnly !== true || width === undefined, {
    path: ['width'],
    message: 'Who only watches gives no size.',
  });

export const ptyQuery = z.strictObject({
  reconnect: z.guid('Must be a UUID.').meta({
    description:
      'Names the terminal: the same value comes back to the same one. It is the `key` of the process. One that has ended is replaced by a new one, unless an `offset` is given.',
  }),
  width: side.meta({ description: 'Columns. A new terminal has 80 by default, another one keeps its own.' }),
  height: side.meta({ description: 'Rows. A new terminal has 24 by default, another one keeps its own.' }),
  command: part.commandLine.optional().meta({
    description: "A line for the user's shell, for a new terminal. Default: the user's login shell.",
  }),
  container_user: part.user.optional(),
  offset: part.queryNumber(0).optional().meta({
    description:
      'First byte of its output that is wanted. Default 0: all that is kept. Beyond its end, as when the terminal is another one by now: all, too.',
  }),
});

/** What a client says on `/exec`, after the start, and on `/attach`. */
export const controlFrame = z
  .discriminatedUnion('type', [
    part.terminalSize.extend({ type: z.literal('resize') }),
    signalBody.extend({ type: z.literal('signal') }),
    z.strictObject({ type: z.literal('detach') }),
  ])
  .meta({ id: 'SocketControl', description: 'Text frame of a client of a command or process' });

const dimension = z.number().int().min(1).max(MAX_SIDE).optional();

/** What a client says on `/pty`. */
export const ptyFrame = z
  .strictObject({ data: z.string().optional(), width: dimension, height: dimension })
  .meta({ id: 'TerminalInput', description: 'Text frame of a client of a terminal: input, a new size, or both' });

/** What a server says in text on `/exec` and `/attach`. */
export const wireSocketFrame = z
  .discriminatedUnion('type', [
    z.object({
      type: z.literal('started'),
      process: wireProcess,
      offset: z.number().int().optional().meta({ description: 'Where output begins; on `/attach`' }),
    }),
    z.object({
      type: z.literal('skipped'),
      offset: z.number().int().meta({ description: 'Where output goes on' }),
      bytes: z.number().int().meta({ description: 'How many before that were not kept' }),
    }),
    wireExit.extend({ type: z.literal('exit') }),
    wireError.extend({ type: z.literal('error') }),
  ])
  .meta({ id: 'SocketFrame', description: 'Text frame of the server' });

export type AttachQuery = z.infer<typeof attachQuery>;
export type PtyQuery = z.infer<typeof ptyQuery>;
export type ControlFrame = z.infer<typeof controlFrame>;
export type WireSocketFrame = z.infer<typeof wireSocketFrame>;
