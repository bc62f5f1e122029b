import { randomUUID } from 'node:crypto';
import { linkedScope } from '../../async/abort.ts';
import type {
  CommandProcess,
  CommandSpec,
  OutputChunk,
  OutputQuery,
  TerminalSize,
} from '../../agentcontainers/ports.ts';
import { cancelled } from '../../errors.ts';
import { followOutput } from './follow-output.ts';
import { createItemPipe } from '../../async/item-pipe.ts';
import { processPath } from './request-path.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { startBody, titleOf } from './start-body.ts';
import { OWN_KEY, nothingSchema, processSchema, processesSchema, toProcess } from './wire.ts';

const LIST_BYTES = 32 * 1_048_576;
const MAX_WAIT_MS = 300_000;
const WAIT_SLACK_MS = 30_000;

/** Starts what belongs to nobody's connection. */
export async function spawnProcess(
  agent: ResidentAgent,
  spec: CommandSpec,
  signal: AbortSignal | undefined,
): Promise<CommandProcess> {
  const kind = spec.tty ? 'terminal' : 'background';
  const key = `${OWN_KEY}${randomUUID()}`;
  const process = await agent.request({
    doing: titleOf(spec),
    method: 'POST',
    path: '/v1/processes',
    json: startBody(spec, { kind, key, overflow: 'drop' }),
    schema: processSchema,
    notFound: 'command-refused',
    // It is known by its key.
    mayRepeat: true,
    signal,
  });
  return toProcess(process);
}

export async function listProcesses(
  agent: ResidentAgent,
  signal: AbortSignal | undefined,
): Promise<readonly CommandProcess[]> {
  const { processes } = await agent.request({
    doing: 'Listing what runs in the container',
    method: 'GET',
    path: '/v1/processes',
    schema: processesSchema.refine((found) => found.processes.every(({ id }) => agent.owns(id)), 'an id is of another'),
    limit: LIST_BYTES,
    mayBeLong: true,
    signal,
  });
  return processes.map(toProcess);
}

/** @param waitMs answers when it has ended, or after so long */
export async function readProcess(
  agent: ResidentAgent,
  id: string,
  waitMs: number | undefined,
  signal: AbortSignal | undefined,
): Promise<CommandProcess> {
  const wait = Math.min(Math.max(0, Math.trunc(waitMs ?? 0)), MAX_WAIT_MS);
  const process = await agent.requestProcess(id, {
    doing: `Looking at process ${id}`,
    method: 'GET',
    path: processPath(id, undefined, { wait: wait > 0 ? wait : undefined }),
    timeoutMs: wait + WAIT_SLACK_MS,
    signal,
  });
  return toProcess(process);
}

/** What a process has written, and, following it, what it will write; each byte once, over lost connections too. */
export async function* readOutput(agent: ResidentAgent, id: string, query: OutputQuery): AsyncGenerator<OutputChunk> {
  const { offset = 0, follow = false, waitMs, limit = Infinity } = query;
  const doing = `Reading the output of process ${id}`;
  const scope = linkedScope(query.signal);
  let resume = (): void => {};
  const pipe = createItemPipe<OutputChunk>(() => resume());
  let left = limit;
  followOutput({
    link: agent.link,
    doing,
    id,
    offset,
    isFollowing: follow,
    async open(connection, at, _id, signal) {
      const path = processPath(id, 'output', {
        offset: at,
        follow: follow ? 1 : 0,
        wait: follow ? undefined : waitMs,
        limit: left === Infinity ? undefined : left,
      });
      const timeoutMs = (waitMs ?? 0) + WAIT_SLACK_MS;
      return connection.open({ doing, method: 'GET', path, timeoutMs, signal });
    },
    onProcess() {},
    onRoom: (more) => {
      resume = more;
    },
    pipe: {
      ...pipe,
      push(chunk, bytes) {
        left -= chunk.bytes.length;
        return pipe.push(chunk, bytes);
      },
    },
    isComplete: () => left <= 0,
    signal: scope.signal,
  }).then(pipe.end, pipe.fail);
  try {
    yield* pipe;
  } finally {
    scope.abort(cancelled('caller-left'));
  }
}

export async function writeStdin(
  agent: ResidentAgent,
  id: string,
  bytes: Uint8Array | string,
  isEof: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  await agent.request({
    doing: `Writing to process ${id}`,
    method: 'POST',
    path: processPath(id, 'stdin', { eof: isEof ? 1 : undefined }),
    bytes: typeof bytes === 'string' ? Buffer.from(bytes) : bytes,
    schema: nothingSchema,
    // A process takes its input when it likes to.
    timeoutMs: 24 * 3_600_000,
    signal,
  });
}

export function resizeProcess(
  agent: ResidentAgent,
  id: string,
  { width, height }: TerminalSize,
  signal?: AbortSignal,
): Promise<void> {
  const doing = `Resizing process ${id}`;
  return tellProcess(agent, id, { doing, name: 'resize', json: { width, height }, mayRepeat: true, signal });
}

/** A request about a process whose answer has no content. */
export async function tellProcess(
  agent: ResidentAgent,
  id: string,
  request: {
    readonly doing: string;
    readonly name?: 'resize' | 'signal';
    readonly json?: object;
    readonly mayRepeat: boolean;
    readonly signal: AbortSignal | undefined;
  },
): Promise<void> {
  const { name, ...rest } = request;
  await agent.request({
    ...rest,
    method: name === undefined ? 'DELETE' : 'POST',
    path: processPath(id, name),
    schema: nothingSchema,
  });
}
