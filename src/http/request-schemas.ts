import { isAbsolute } from 'node:path';
import { z } from 'zod';
import type { VolumesOption } from '../agentcontainers/api.ts';
import { HOOK_NAMES } from '../agentcontainers/model/hook-names.ts';
import { flag, PATH_CHARS, text } from './schema-parts.ts';

const label = text(1024, 1).meta({ description: '`key` or `key=value`', example: 'com.example.team=web' });
const byteOffset = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

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
