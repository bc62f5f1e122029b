import { AgentContainersError, isCancelled } from '../../errors.ts';
import type { WireLogChunk, WireOperation } from '../../http/wire-schemas.ts';
import { answerError } from '../client/answer-error.ts';
import { connectionError, type DaemonClient } from '../client/client.ts';
import { readServerSentEvents } from '../client/server-sent-events.ts';
import { plainLines } from '../output/plain-text.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';

const TAIL_LINES = 15;
const TAIL_CHARS = 64 * 1_024;
const STACK_LINE = /^\s+at (?:.+ )?\(?(?:file:|node:|\/|<anonymous>).*:\d+(?::\d+)?\)?$/;

export async function logs(
  { client, output }: CommandContext,
  flags: LocationFlags & { readonly follow?: boolean },
  name: string,
): Promise<number> {
  const { id } = await findDevcontainer(client, name);
  let empty = true;
  for await (const chunk of followLog(client, id, { offset: 0, follow: flags.follow === true })) {
    empty = false;
    output.result(chunk);
    if (!output.json) process.stdout.write(plainLines(chunk.text));
  }
  if (empty) output.note('The log is empty: nothing was built or started for this dev container yet.');
  return 0;
}

/** Chunks of a devcontainer's log, from `offset` to its end, and on with `follow`. Ends when `signal` aborts. */
export async function* followLog(
  client: DaemonClient,
  id: string,
  query: { readonly offset: number; readonly follow: boolean; readonly signal?: AbortSignal },
): AsyncGenerator<WireLogChunk> {
  const path = devcontainerPath(id, `/logs?offset=${query.offset}${query.follow ? '&follow=true' : ''}`);
  try {
    const response = await client.stream({
      method: 'GET',
      path,
      headers: { accept: 'text/event-stream' },
      signal: query.signal,
    });
    for await (const { event, data } of readServerSentEvents(response)) {
      if (event === 'end') return;
      if (event === 'error') throw answerError(500, JSON.parse(data));
      yield JSON.parse(data) as WireLogChunk;
    }
  } catch (error) {
    if (query.signal?.aborted === true || isCancelled(error)) return;
    throw error instanceof AgentContainersError ? error : connectionError(error, client.socket);
  }
}

/** Of an operation's text in the log, its last lines; empty when they cannot be read. Never rejects. */
export async function readLogTail(client: DaemonClient, operation: WireOperation): Promise<readonly string[]> {
  let text = '';
  try {
    const chunks = followLog(client, operation.devcontainer_id, { offset: operation.log_offset, follow: false });
    for await (const chunk of chunks) text = (text + chunk.text).slice(-TAIL_CHARS);
  } catch {
    // What was read up to here may help all the same.
  }
  return tailLines(text);
}

/** The last lines that a person can use: no stack trace of a program that they did not write. */
export function tailLines(text: string): readonly string[] {
  const lines = plainLines(text).trimEnd().split('\n');
  return lines.filter((line) => line !== '' && !STACK_LINE.test(line)).slice(-TAIL_LINES);
}
