import { z } from 'zod';
import { LIMITS } from './limits.ts';

// Parts of the schemas of requests. Bounds are far above honest use; the request body as a whole is bounded as well.

export const PATH_CHARS = 4096;
export const TEXT_CHARS = 512 * 1024;
export const NAME_CHARS = 256;

/** No NUL: neither paths nor arguments can carry one. */
export function text(max: number, min = 0) {
  return z
    .string()
    .min(min)
    .max(max)
    .refine((value) => !value.includes('\0'), 'Must not contain a NUL character.');
}

/** A number of a query. Digits only: what `Number` makes of other texts is not what was meant. */
export function queryNumber(min: number, max: number = Number.MAX_SAFE_INTEGER) {
  return z
    .string()
    .regex(/^-?\d{1,20}$/, 'Must be a whole number.')
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .meta({ type: 'integer', minimum: min, maximum: max });
}

export const flag = z.enum(['', 'true', 'false', '1', '0']).transform((value) => value !== 'false' && value !== '0');

export function isBase64(value: string): boolean {
  return value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value);
}

export const envName = z.string().regex(/^[^=\0]{1,256}$/, 'Must be a name without `=`.');

export const commandLine = text(TEXT_CHARS, 1).refine((line) => line.trim() !== '', 'Must not be blank.');

export const argv = z
  .array(text(TEXT_CHARS))
  .min(1)
  .max(4096)
  .refine(([program]) => program === undefined || program.length <= LIMITS.programChars, {
    path: [0],
    message: `Must have at most ${LIMITS.programChars} characters.`,
  })
  .refine(([program]) => program !== '', { path: [0], message: 'Must not be empty.' })
  .meta({ description: `Program, of at most ${LIMITS.programChars} characters, and arguments.` });

export const containerPath = text(PATH_CHARS, 1).meta({
  description: 'In the container: absolute, or relative to the container workspace folder.',
});

export const cwd = text(PATH_CHARS, 1).meta({
  description: 'Absolute, or relative to the container workspace folder, which is the default.',
});

export const env = z.record(envName, text(TEXT_CHARS).nullable()).meta({
  description: 'Merged over the remote environment of the devcontainer; null removes a variable.',
});

export const user = text(NAME_CHARS, 1).meta({
  description: 'Name or `uid[:gid]` in the container. Default: the remote user.',
});

export const timeoutMs = z
  .number()
  .int()
  .min(1)
  .max(LIMITS.commandMs)
  .meta({ description: 'Milliseconds after which the whole tree is ended, with the reason `timeout`.' });

export const graceMs = z
  .number()
  .int()
  .min(0)
  .max(60_000)
  .meta({ description: 'Milliseconds between TERM and KILL. Default 2,000.' });

export const terminalSize = z
  .strictObject({ width: z.number().int().min(1).max(10_000), height: z.number().int().min(1).max(10_000) })
  .meta({ id: 'TerminalSize', description: 'Columns and rows' });

/** For bodies that name a command: exactly one of the two. */
export const ONE_COMMAND = {
  check: (body: { readonly argv?: unknown; readonly command?: unknown }): boolean =>
    (body.argv === undefined) !== (body.command === undefined),
  error: { path: ['argv'], message: 'Give either `argv` or `command`.' },
  meta: { oneOf: [{ required: ['argv'] }, { required: ['command'] }] },
};
