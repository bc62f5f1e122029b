import { isUtf8 } from 'node:buffer';
import { AgentContainersError } from '../../errors.ts';
import { LIMITS } from '../../http/limits.ts';
import type { StartBody, WireExecLine } from '../../http/runtime-wire-schemas.ts';
import { connectionError } from '../client/client.ts';
import { readLines } from '../client/server-sent-events.ts';
import { conclude } from './conclude-exit.ts';
import type { CommandContext } from './context.ts';

const SILENT = { error: () => {}, note: () => {} };

/** `exec --json`: the lines of the daemon's answer, as they come. Standard input is sent as a whole, at most 1 MiB. */
export async function execLines(
  { client, output }: CommandContext,
  base: string,
  start: StartBody,
  input: AsyncIterable<Uint8Array | string> | undefined,
): Promise<number> {
  const { stdin: _stdin, ...rest } = start;
  const body = { ...rest, ...(input === undefined ? {} : await readStandardInput(input)) };
  if (Buffer.byteLength(JSON.stringify(body)) > LIMITS.bodyBytes) throw tooLarge();
  const response = await client.stream({ method: 'POST', path: `${base}/exec`, body });
  return printLines(output, response, client.socket);
}

/** Prints lines of a command's output and returns the exit code that the last one stands for. */
export async function printLines(
  output: CommandContext['output'],
  source: AsyncIterable<Uint8Array>,
  socket: string,
): Promise<number> {
  try {
    for await (const text of readLines(source)) {
      if (text === '') continue;
      const line = JSON.parse(text) as WireExecLine;
      output.result(line);
      if (line.type === 'exit')
        return conclude({ ...line, reason: line.reason === 'closed' ? 'lost' : line.reason }, SILENT);
    }
  } catch (error) {
    throw error instanceof AgentContainersError ? error : connectionError(error, socket);
  }
  throw connectionError(new Error('the answer ended before the command did'), socket);
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
    'Passing the command and its standard input on failed: with --json both go into one request, and are longer than 1 MiB together.',
    { details: { detail: 'Leave --json out: then standard input of any length is passed on as it comes.' } },
  );
}
