import { isUtf8 } from 'node:buffer';
import { fstatSync, type Stats } from 'node:fs';
import { constants } from 'node:os';
import { AgentContainersError, errorMessage } from '../../errors.ts';
import { LIMITS } from '../../http/limits.ts';
import type { WireExecLine } from '../../http/wire-schemas.ts';
import { connectionError } from '../client/client.ts';
import { readLines } from '../client/server-sent-events.ts';
import { parseDuration } from '../duration.ts';
import { EXIT } from '../exit-codes.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';

export interface ExecFlags {
  readonly user?: string;
  readonly workdir?: string;
  readonly env: Readonly<Record<string, string>>;
  /** Undefined: only when it is a file. */
  readonly stdin?: boolean;
  readonly timeout?: string;
}

/** Runs the command, passes its output on byte by byte and returns its exit code. */
export async function exec(
  { client, output }: CommandContext,
  flags: LocationFlags & ExecFlags,
  name: string,
  argv: readonly string[],
): Promise<number> {
  // Commander leaves the separator in when it comes after the name.
  const words = argv[0] === '--' ? argv.slice(1) : argv;
  if ((words[0] ?? '').length > LIMITS.programChars) {
    throw new AgentContainersError(
      'invalid-request',
      `Running the command failed: the name of the program has more than ${LIMITS.programChars} characters. Put what is long into its arguments.`,
    );
  }
  const timeout = flags.timeout === undefined ? undefined : readTimeout(flags.timeout);
  const { id } = await findDevcontainer(client, name);
  const input = readsStandardInput(flags.stdin, standardInput()) ? await readStandardInput(process.stdin) : {};
  if (flags.stdin === undefined && standardInput()?.isFIFO() === true && process.stderr.isTTY) {
    output.note('Standard input is a pipe and was not read; -i passes it on.');
  }
  const body = {
    argv: words,
    ...(flags.workdir === undefined ? {} : { cwd: flags.workdir }),
    ...(flags.user === undefined ? {} : { user: flags.user }),
    ...(Object.keys(flags.env).length === 0 ? {} : { env: flags.env }),
    ...(timeout === undefined ? {} : { timeout_ms: timeout }),
    ...input,
  };
  if (Buffer.byteLength(JSON.stringify(body)) > LIMITS.bodyBytes) throw tooLarge();

  const response = await client.stream({ method: 'POST', path: devcontainerPath(id, '/exec'), body });
  try {
    for await (const text of readLines(response)) {
      if (text === '') continue;
      const line = JSON.parse(text) as WireExecLine;
      output.result(line);
      if (line.type === 'exit')
        return conclude(line, (message) => output.note(`${output.errorColors.red('error:')} ${message}`));
      if (!output.json) await write(line.type === 'stdout' ? process.stdout : process.stderr, execBytes(line));
    }
  } catch (error) {
    throw error instanceof AgentContainersError ? error : connectionError(error, client.socket);
  }
  throw connectionError(new Error('the answer ended before the command did'), client.socket);
}

export function execBytes(line: Extract<WireExecLine, { type: 'stdout' | 'stderr' }>): Buffer {
  return Buffer.from(line.data, line.encoding === 'base64' ? 'base64' : 'utf8');
}

/**
 * The exit code for the last line of an exec: the command's own, 128+n for signal n, 127 or 126 for a command that is
 * not there or does not start, else 1; whatever is not the command's own with a reason.
 */
export function conclude(line: Extract<WireExecLine, { type: 'exit' }>, explain: (message: string) => void): number {
  if (line.reason === 'exit' && line.code !== null) {
    if (line.output_held === true)
      explain('Output was cut off: children of the command outlived it and hold its output.');
    return line.code;
  }
  const signal = line.signal === null ? undefined : (constants.signals as Record<string, number>)[line.signal];
  if (signal !== undefined) return 128 + signal;
  const why = {
    exit: 'the engine did not say how it ended',
    timeout: 'its time was up',
    lost: 'the connection to it was lost; is the container still running?',
    'not-started': 'it could not be started',
    closed: 'the daemon was closed',
  }[line.reason];
  explain(line.message ?? `Running the command failed: ${why}.`);
  if (line.reason === 'not-started') return /not found|no such file/i.test(line.message ?? '') ? 127 : 126;
  return line.code === null || line.code === 0 ? EXIT.failed : line.code;
}

/** A file has an end. A pipe may be one that whoever started us keeps open and never writes to: only if asked for. */
export function readsStandardInput(flag: boolean | undefined, stdin: { isFile(): boolean } | undefined): boolean {
  return flag ?? stdin?.isFile() ?? false;
}

function standardInput(): Stats | undefined {
  try {
    return fstatSync(0);
  } catch {
    return undefined;
  }
}

/** All of standard input, for the request: as text where it is, else as base64. */
export async function readStandardInput(
  source: AsyncIterable<Uint8Array | string>,
): Promise<{ readonly stdin: string; readonly stdin_encoding?: 'base64' }> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    size += bytes.length;
    if (size > LIMITS.bodyBytes) throw tooLarge();
    chunks.push(bytes);
  }
  const all = Buffer.concat(chunks);
  return isUtf8(all) ? { stdin: all.toString('utf8') } : { stdin: all.toString('base64'), stdin_encoding: 'base64' };
}

function tooLarge(): AgentContainersError {
  return new AgentContainersError(
    'invalid-request',
    'Passing the command and its standard input on failed: together they are longer than 1 MiB.',
    {
      details: { detail: 'Put the file into the workspace folder and name it there.' },
    },
  );
}

function readTimeout(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new AgentContainersError('invalid-request', `Reading --timeout "${text}" failed: ${errorMessage(error)}`);
  }
}

/** Waits while the reader is slow, so that memory stays bounded. */
async function write(stream: NodeJS.WriteStream, bytes: Uint8Array): Promise<void> {
  if (!stream.write(bytes)) await new Promise<void>((resolve) => stream.once('drain', resolve));
}
