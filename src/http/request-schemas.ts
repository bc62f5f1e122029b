import { isAbsolute } from 'node:path';
import { z } from 'zod';
import type { VolumesOption } from '../agentcontainers/api.ts';
import { HOOK_NAMES } from '../agentcontainers/model/hook-names.ts';
import { LIMITS } from './limits.ts';

// Bounds are far above honest use; the request body as a whole is bounded as well.
const PATH_CHARS = 4096;
const TEXT_CHARS = 512 * 1024;
const NAME_CHARS = 256;
const MAX_TIMEOUT_MS = 24 * 60 * 60 * 1000;

/** No NUL: neither paths nor arguments can carry one. */
function text(max: number, min = 0) {
  return z
    .string()
    .min(min)
    .max(max)
    .refine((value) => !value.includes('\0'), 'Must not contain a NUL character.');
}

const label = text(1024, 1).meta({ description: '`key` or `key=value`', example: 'com.example.team=web' });
const byteOffset = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const flag = z.enum(['', 'true', 'false', '1', '0']).transform((value) => value !== 'false' && value !== '0');

export const emptyQuery = z.strictObject({});

export const listQuery = z.strictObject({
  label: z.array(label).max(64).optional().meta({
    description: 'Containers, and devcontainers linked to one, must match all of them. Repeatable.',
  }),
});

export const logsQuery = z.strictObject({
  follow: flag.optional().meta({ description: 'Go on with what is written later; answers server-sent events.' }),
  offset: byteOffset.optional().meta({ description: 'Start here instead of at the beginning, in bytes.' }),
});

/** Yes and no are from before there was a choice. */
const VOLUMES: Readonly<Record<string, VolumesOption>> = {
  none: 'none',
  anonymous: 'anonymous',
  named: 'named',
  false: 'none',
  '0': 'none',
  true: 'anonymous',
  '1': 'anonymous',
  '': 'anonymous',
};

export const deleteQuery = z.strictObject({
  volumes: z
    .enum(['none', 'anonymous', 'named', 'true', '1', '', 'false', '0'])
    .transform((value) => VOLUMES[value])
    .optional()
    .meta({
      description:
        'Which volumes go too: anonymous ones of the container, or also those that its compose project named. ' +
        'Default: `none`. An empty value, `true` and `1` mean `anonymous`; `false` and `0` mean `none`.',
    }),
  dry_run: flag.optional().meta({ description: 'Only say what would go.' }),
});

export const hookName = z.enum(HOOK_NAMES);

export const recreateBody = z
  .strictObject({
    force: z.boolean().optional().meta({ description: 'Also while somebody uses it, who is cut off then.' }),
  })
  .meta({ id: 'RecreateRequest' });

const verdictHash = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'Must be the hash of a verdict: 64 characters of 0-9 and a-f.')
  .meta({ description: 'Of the verdict that the person has seen.' });

export const trustBody = z.strictObject({ hash: verdictHash }).meta({ id: 'TrustRequest' });

// Some clients send no body with DELETE, and some that stand between take it away.
export const revokeTrustBody = z.strictObject({ hash: verdictHash.optional() }).meta({ id: 'RevokeTrustRequest' });
export const revokeTrustQuery = z.strictObject({ hash: verdictHash.optional() });

/** Actions without parameters take no body, or an empty object. */
export const emptyBody = z.strictObject({});

export const createBody = z
  .strictObject({
    workspace_folder: text(PATH_CHARS, 1)
      .refine((path) => isAbsolute(path), 'Must be an absolute path.')
      .meta({ description: 'Absolute path on the host.', example: '/home/me/project' }),
    config_path: text(PATH_CHARS, 1).optional().meta({
      description: 'Which devcontainer.json, absolute or relative to the folder. Needed when there are several.',
      example: '.devcontainer/devcontainer.json',
    }),
  })
  .meta({ id: 'CreateRequest' });

function isBase64(value: string): boolean {
  return value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value);
}

const envName = z.string().regex(/^[^=\0]{1,256}$/, 'Must be a name without `=`.');

export const execBody = z
  .strictObject({
    argv: z
      .array(text(TEXT_CHARS))
      .min(1)
      .max(4096)
      .refine(([program]) => program === undefined || program.length <= LIMITS.programChars, {
        path: [0],
        message: `Must have at most ${LIMITS.programChars} characters.`,
      })
      .optional()
      .meta({ description: `Program, of at most ${LIMITS.programChars} characters, and arguments.` }),
    command: text(TEXT_CHARS, 1).optional().meta({ description: 'A line for `sh -c`.' }),
    cwd: text(PATH_CHARS, 1)
      .refine((path) => path.startsWith('/'), 'Must be an absolute path inside the container.')
      .optional()
      .meta({ description: 'Default: the container workspace folder.' }),
    env: z.record(envName, text(TEXT_CHARS)).optional(),
    user: text(NAME_CHARS, 1).optional().meta({ description: 'Default: the remote user.' }),
    stdin: z
      .string()
      .max(1024 * 1024)
      .optional()
      .meta({ description: 'Written to standard input, which is then closed. Without it there is no input.' }),
    stdin_encoding: z.enum(['utf-8', 'base64']).optional().meta({
      description: 'What `stdin` is: text, which is the default, or any bytes in base64.',
    }),
    timeout_ms: z.number().int().min(1).max(MAX_TIMEOUT_MS).optional().meta({
      description: 'The session ends after this; what does not notice that its output is gone may run on.',
    }),
  })
  .refine((body) => (body.argv === undefined) !== (body.command === undefined), {
    path: ['argv'],
    message: 'Give either `argv` or `command`.',
  })
  .refine((body) => body.stdin_encoding === undefined || body.stdin !== undefined, {
    path: ['stdin_encoding'],
    message: 'Needs `stdin`.',
  })
  .refine((body) => body.stdin_encoding !== 'base64' || isBase64(body.stdin ?? ''), {
    path: ['stdin'],
    message: 'Must be base64 with padding, as `stdin_encoding` says.',
  })
  .meta({ id: 'ExecRequest', oneOf: [{ required: ['argv'] }, { required: ['command'] }] });

export type ExecBody = z.infer<typeof execBody>;
