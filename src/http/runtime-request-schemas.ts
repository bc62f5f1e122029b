import { z } from 'zod';
import { HOST, LONGEST_HOST } from '../agentcontainers/model/forward.ts';
import { LIMITS } from './limits.ts';
import * as part from './schema-parts.ts';

// What is asked of a container. A command that is started is in `runtime-wire-schemas.ts`.

const encoding = z.enum(['utf-8', 'base64']);

/** Text, or any bytes in base64, in two fields of a body. */
const BASE64 = {
  check: (value: string | undefined, name: string | undefined): boolean =>
    name !== 'base64' || part.isBase64(value ?? ''),
  message: 'Must be base64 with padding, as its encoding says.',
};

const inputText = z.string().max(1024 * 1024);

export const execBody = z
  .strictObject({
    argv: part.argv.optional(),
    command: part.commandLine.optional().meta({ description: "A line for the user's shell." }),
    cwd: part.cwd.optional(),
    env: part.env.optional(),
    user: part.user.optional(),
    stdin: inputText.optional().meta({
      description: 'Written to standard input, which is then closed. Without it there is no input.',
    }),
    stdin_encoding: encoding.optional().meta({
      description: 'What `stdin` is: text, which is the default, or any bytes in base64.',
    }),
    timeout_ms: part.timeoutMs.optional(),
  })
  .refine(part.ONE_COMMAND.check, part.ONE_COMMAND.error)
  .refine((body) => body.stdin_encoding === undefined || body.stdin !== undefined, {
    path: ['stdin_encoding'],
    message: 'Needs `stdin`.',
  })
  .refine((body) => BASE64.check(body.stdin, body.stdin_encoding), { path: ['stdin'], message: BASE64.message })
  .meta({ id: 'ExecRequest', ...part.ONE_COMMAND.meta });

export const bashBody = z
  .strictObject({
    command: part.commandLine.meta({ description: 'A line for the shell.' }),
    cwd: part.cwd.optional(),
    env: z.record(part.envName, part.text(part.TEXT_CHARS)).optional(),
    timeout_ms: z.number().int().min(1).max(LIMITS.waitMs).optional().meta({
      description:
        'Milliseconds; default 60,000. Then it is ended, whole tree and all, unless it is in the background.',
    }),
    background: z.boolean().optional().meta({
      description:
        'Let it run on after the time-out, with standard input that stays open: write to it with `POST /devcontainers/{id}/processes/{process}/stdin`, and end it with `eof`. In the foreground it is at its end.',
    }),
    idempotency_key: part.text(part.NAME_CHARS, 1).optional().meta({
      description: 'A retry with the same key is answered for the same run instead of starting another one.',
    }),
  })
  .meta({ id: 'BashRequest' });

const wait = part.queryNumber(0, LIMITS.waitMs);

export const processQuery = z.strictObject({
  wait: wait.optional().meta({ description: 'Milliseconds to wait for its end.' }),
});

export const outputQuery = z.strictObject({
  offset: part.queryNumber(0).optional().meta({ description: 'First byte wanted. Default 0.' }),
  wait: wait.optional().meta({ description: 'Milliseconds to wait for the first byte after `offset`.' }),
  limit: part
    .queryNumber(1, LIMITS.maxOutputBytes)
    .optional()
    .meta({
      description: `At most so many bytes. Default ${LIMITS.outputBytes}.`,
    }),
  follow: part.flag.optional().meta({
    description: 'Stream it as lines, as `exec` does, until the process has ended. Without `wait` and `limit`.',
  }),
});

export const stdinBody = z
  .strictObject({
    data: inputText.optional(),
    encoding: encoding.optional().meta({ description: 'What `data` is: text, which is the default, or base64.' }),
    eof: z.boolean().optional().meta({ description: 'Close standard input after this.' }),
  })
  .refine((body) => body.data !== undefined || body.eof === true, { path: ['data'], message: 'Give `data` or `eof`.' })
  .refine((body) => BASE64.check(body.data, body.encoding), { path: ['data'], message: BASE64.message })
  .meta({ id: 'StdinRequest' });

export const signalBody = z
  .strictObject({
    signal: z
      .string()
      .regex(/^(?:SIG)?[A-Z][A-Z0-9+-]{1,15}$/, 'Must be the name of a signal, such as `SIGINT` or `INT`.'),
    tree: z.boolean().optional().meta({ description: 'Send it to every process of its tree.' }),
  })
  .meta({ id: 'SignalRequest' });

export const resizeBody = part.terminalSize;

export const killBody = z.strictObject({ grace_ms: part.graceMs.optional() }).meta({ id: 'KillRequest' });

const mode = z
  .string()
  .regex(/^[0-7]{3,4}$/, 'Must be an octal mode such as `0644`.')
  .meta({ description: 'Octal, such as `0644`.' });
const PARENTS = 'Make the directories above it, too.';

export const pathQuery = z.strictObject({ path: part.containerPath });

export const readQuery = z.strictObject({
  path: part.containerPath,
  offset: part.queryNumber(0).optional().meta({ description: 'First byte wanted. Default 0.' }),
  length: part.queryNumber(0).optional().meta({ description: 'At most so many bytes. Default: to the end.' }),
});

export const writeQuery = z.strictObject({
  path: part.containerPath,
  mode: mode.optional(),
  parents: part.flag.optional().meta({ description: PARENTS }),
  create_only: part.flag.optional().meta({ description: 'Refuse when there is one already.' }),
});

export const mkdirBody = z
  .strictObject({
    path: part.containerPath,
    mode: mode.optional(),
    parents: z
      .boolean()
      .optional()
      .meta({ description: `${PARENTS} It is no error then when it is there.` }),
  })
  .meta({ id: 'MkdirRequest' });

export const moveBody = z
  .strictObject({
    from: part.containerPath,
    to: part.containerPath,
    overwrite: z.boolean().optional().meta({ description: 'Replace what is at `to`.' }),
  })
  .meta({ id: 'MoveRequest' });

export const removeBody = z
  .strictObject({
    path: part.containerPath,
    recursive: z.boolean().optional().meta({ description: 'A directory with everything in it.' }),
  })
  .meta({ id: 'RemoveRequest' });

/** What whoever searches takes, in UTF-8. */
const SEARCH_BYTES = 1_000;
const searched = part
  .text(SEARCH_BYTES, 1)
  .refine((value) => Buffer.byteLength(value) <= SEARCH_BYTES, `Must have at most ${SEARCH_BYTES} bytes.`);

export const searchBody = z
  .strictObject({
    path: part.containerPath,
    glob: searched.optional().meta({
      description: 'Of files wanted; one without a slash is for the last part of the path.',
      example: '*.ts',
    }),
    text: searched.optional().meta({ description: 'In their lines, as it is.' }),
    limit: z
      .number()
      .int()
      .min(1)
      .max(LIMITS.maxFound)
      .optional()
      .meta({
        description: `At most so many. Default ${LIMITS.found}.`,
      }),
  })
  .meta({ id: 'SearchRequest' });

const portNumber = z.number().int().min(1).max(65_535);

export const forwardBody = z
  .strictObject({
    port: portNumber,
    host: part
      .text(LONGEST_HOST, 1)
      .regex(HOST, 'Must be a name or an address.')
      .optional()
      .meta({ description: 'As seen from the container. Default: `127.0.0.1`.' }),
    host_port: portNumber.optional().meta({
      description: 'On 127.0.0.1 of this machine. Default: the same number when it is free and above 1023, else any.',
    }),
  })
  .meta({ id: 'ForwardRequest' });

export type ExecBody = z.infer<typeof execBody>;
export type OutputQueryInput = z.infer<typeof outputQuery>;
