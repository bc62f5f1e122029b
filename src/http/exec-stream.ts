import type { ServerResponse } from 'node:http';
import type { AgentContainers, DevcontainerRuntime } from '../agentcontainers/api.ts';
import type { CommandSpec, OutputChunk, RunningCommand } from '../agentcontainers/ports.ts';
import { raceAbort } from '../async/abort.ts';
import type { Clock } from '../clock/clock.ts';
import { errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { beginLines, endLines, writeLine } from './json-lines.ts';
import type { OpenStreams } from './open-streams.ts';
import { OutputEncoder } from './output-encoder.ts';
import type { ExecBody } from './runtime-request-schemas.ts';
import { toBytes, toExitLine } from './runtime-wire.ts';
import type { WireExecLine } from './runtime-wire-schemas.ts';
import { takenInput } from './taken-input.ts';
import type { TakenInput } from './taken-input.ts';

export interface ExecStreamPorts {
  readonly api: AgentContainers;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly streams: OpenStreams;
}

type ExitLine = Extract<WireExecLine, { type: 'exit' }>;

/**
 * Runs a command and streams its output as JSON lines; the last one says how it ended. When the client leaves, its whole
 * tree ends. When the server closes, it runs on.
 */
export async function streamExec(
  ports: ExecStreamPorts,
  res: ServerResponse,
  id: string,
  body: ExecBody,
): Promise<void> {
  await ports.streams.run(res, async (ending, left) => {
    const runtime = ports.api.devcontainer(id);
    const command = await start(runtime, toSpec(body), ending, left);
    const input = takenInput(runtime, () => command.process);
    try {
      beginLines(res);
      const line: WireExecLine = { type: 'started', process_id: command.process.id, via: command.via };
      await writeLine(res, line, ending);
      void feedStdin(command, toInput(body), input, ports.logger);
      endLines(res, await raceAbort(follow(command, res, ending), ending));
    } catch (error) {
      if (!ending.aborted) throw error;
      // For whoever still reads: the server closes.
      endLines(res, closedLine(command));
      if (left.aborted) return;
      // What it was not given by then would be lost with us.
      await input.settle(ports.clock);
      command.detach();
    }
  });
}

function toSpec(body: ExecBody): CommandSpec {
  return {
    argv: body.argv,
    command: body.command,
    cwd: body.cwd,
    env: body.env,
    user: body.user,
    stdin: body.stdin !== undefined,
    timeoutMs: body.timeout_ms,
  };
}

function toInput({ stdin, stdin_encoding: encoding }: ExecBody): Uint8Array | undefined {
  return stdin === undefined ? undefined : toBytes(stdin, encoding);
}

/**
 * A command that comes after its caller has gone is ended; one that comes after the server has closed runs on, unless it
 * waits for input that nobody gives it any more.
 */
async function start(
  runtime: DevcontainerRuntime,
  spec: CommandSpec,
  ending: AbortSignal,
  left: AbortSignal,
): Promise<RunningCommand> {
  const starting = runtime.exec(spec, left);
  starting.then(
    (command) => {
      if (left.aborted || (ending.aborted && spec.stdin)) command.kill().catch(() => {});
      // Nobody reads it: what it wrote would be kept, and it would stand still.
      if (ending.aborted) command.detach();
    },
    () => {},
  );
  return raceAbort(starting, ending);
}

/** Everything up to the last line. */
async function follow(command: RunningCommand, res: ServerResponse, ending: AbortSignal): Promise<ExitLine> {
  try {
    await copyOutput(command.output, res, ending);
  } catch (error) {
    // Nobody reads it any more, and the caller is told that it is over.
    if (!ending.aborted) command.kill().catch(() => {});
    const message = errorMessage(error);
    return { type: 'exit', code: null, signal: null, reason: 'lost', via: command.via, message };
  }
  return toExitLine(await command.exited);
}

async function copyOutput(chunks: AsyncIterable<OutputChunk>, res: ServerResponse, ending: AbortSignal): Promise<void> {
  const encoders = { stdout: new OutputEncoder(), stderr: new OutputEncoder() };
  for await (const { stream, bytes } of chunks) {
    for (const piece of encoders[stream].push(bytes)) {
      if (!(await writeLine(res, { type: stream, ...piece }, ending))) return;
    }
  }
  for (const type of ['stdout', 'stderr'] as const) {
    for (const piece of encoders[type].end()) await writeLine(res, { type, ...piece }, ending);
  }
}

async function feedStdin(
  command: RunningCommand,
  stdin: Uint8Array | undefined,
  input: TakenInput,
  logger: Logger,
): Promise<void> {
  if (stdin === undefined) return;
  try {
    if (stdin.length > 0) await input.add(command.write(stdin), stdin.length);
    command.closeStdin();
  } catch (error) {
    // A command may end without having read its input.
    logger.debug({ reason: errorMessage(error) }, 'standard input of an exec was not taken');
  }
}

function closedLine({ via, process }: RunningCommand): ExitLine {
  const message =
    via === 'engine'
      ? 'The server closes. The command went through the engine and ends with the library that runs it.'
      : `The server closes. The command runs on as process ${process.id}, and waits for a reader when much of its output is unread: read on there, or end it.`;
  return { type: 'exit', code: null, signal: null, reason: 'closed', via, message };
}
