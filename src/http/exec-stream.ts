import type { ServerResponse } from 'node:http';
import type { AgentContainers } from '../agentcontainers/api.ts';
import type { ExecExit, ExecSession, ExecSpec } from '../agentcontainers/ports.ts';
import { linkedScope, raceAbort } from '../async/abort.ts';
import type { Clock } from '../clock/clock.ts';
import { cancelled, errorMessage, isCancelled } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { withoutRefusal } from './held-beginning.ts';
import type { OpenStreams } from './open-streams.ts';
import { writeChunk } from './open-streams.ts';
import { OutputEncoder } from './output-encoder.ts';
import type { ExecBody } from './request-schemas.ts';
import type { WireExecLine } from './wire-schemas.ts';

export interface ExecStreamPorts {
  readonly api: AgentContainers;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly streams: OpenStreams;
}

type ExitLine = Extract<WireExecLine, { type: 'exit' }>;

/** Runs a command and streams its output as NDJSON; the last line says how it ended. */
export async function streamExec(
  ports: ExecStreamPorts,
  res: ServerResponse,
  id: string,
  body: ExecBody,
): Promise<void> {
  await ports.streams.run(res, async (left) => {
    // What ends the session: the client leaves, the server closes, or time is up.
    const scope = linkedScope(left);
    let timedOut = false;
    const onTime = (): void => {
      timedOut = true;
      scope.abort(cancelled('superseded'));
    };
    const timer = body.timeout_ms && ports.clock.afterFunc(body.timeout_ms, onTime, 'http: exec time-out');
    try {
      const session = await openSession(ports.api, id, toSpec(body, scope.signal));
      try {
        begin(res);
        void feedStdin(session, toInput(body), ports.logger);
        finish(res, await raceAbort(follow(session, res, left, ports.clock), scope.signal));
      } finally {
        session.close();
      }
    } catch (error) {
      // Before the first byte every other error still gets its own status.
      if (timedOut) finish(res, exitLine('timeout'));
      else if (!scope.signal.aborted) throw error;
      else finish(res, exitLine('closed'));
    } finally {
      if (timer) timer.stop();
      scope.release();
    }
  });
}

function toSpec(body: ExecBody, signal: AbortSignal): Omit<ExecSpec, 'containerId'> & { signal: AbortSignal } {
  return {
    argv: body.argv ?? ['sh', '-c', body.command ?? ''],
    env: body.env && Object.entries(body.env).map(([name, value]) => `${name}=${value}`),
    user: body.user,
    workingDir: body.cwd,
    stdin: body.stdin !== undefined,
    signal,
  };
}

function toInput({ stdin, stdin_encoding: encoding }: ExecBody): Buffer | undefined {
  return stdin === undefined ? undefined : Buffer.from(stdin, encoding === 'base64' ? 'base64' : 'utf8');
}

/** A session that comes after its caller has gone is closed. */
async function openSession(api: AgentContainers, id: string, spec: ReturnType<typeof toSpec>): Promise<ExecSession> {
  const opening = api.exec(id, spec);
  opening.then(
    (session) => {
      if (spec.signal.aborted) session.close();
    },
    () => {},
  );
  return raceAbort(opening, spec.signal);
}

/** Everything up to the last line. Rejects only when the session was ended from here. */
async function follow(session: ExecSession, res: ServerResponse, left: AbortSignal, clock: Clock): Promise<ExitLine> {
  const failedToStart = (): Promise<boolean> =>
    session.exited.then(
      () => false,
      () => true,
    );
  const output = Promise.all([
    copyOutput('stdout', withoutRefusal(session.stdout, failedToStart, clock), res, left),
    copyOutput('stderr', session.stderr, res, left),
  ]).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  let exit: ExecExit;
  try {
    exit = await session.exited;
  } catch (error) {
    if (isCancelled(error)) throw error;
    // What it printed, if anything, goes before the last line.
    await output;
    return exitLine('not-started', { message: errorMessage(error) });
  }
  const broken = await output;
  const held = exit.outputHeld ? { output_held: true as const } : {};
  if (broken) return exitLine('lost', { code: exit.exitCode, message: errorMessage(broken.error), ...held });
  return exitLine(exit.exitCode === null ? 'lost' : 'exit', { code: exit.exitCode, ...held });
}

async function copyOutput(
  type: 'stdout' | 'stderr',
  chunks: AsyncIterable<Uint8Array>,
  res: ServerResponse,
  left: AbortSignal,
): Promise<void> {
  const encoder = new OutputEncoder();
  for await (const chunk of chunks) {
    for (const piece of encoder.push(chunk)) {
      if (!(await writeChunk(res, toLine({ type, ...piece }), left))) return;
    }
  }
  for (const piece of encoder.end()) await writeChunk(res, toLine({ type, ...piece }), left);
}

async function feedStdin(session: ExecSession, stdin: Buffer | undefined, logger: Logger): Promise<void> {
  if (stdin === undefined) return;
  try {
    await session.write(stdin);
    session.closeStdin();
  } catch (error) {
    // A command may end without having read its input.
    logger.debug({ reason: errorMessage(error) }, 'standard input of an exec was not taken');
  }
}

function exitLine(reason: ExitLine['reason'], more: Partial<ExitLine> = {}): ExitLine {
  return { type: 'exit', code: null, signal: null, reason, via: 'engine', ...more };
}

function toLine(line: WireExecLine): Buffer {
  return Buffer.from(`${JSON.stringify(line)}\n`);
}

function begin(res: ServerResponse): void {
  if (res.headersSent || res.destroyed) return;
  res.writeHead(200, {
    'content-type': 'application/x-ndjson',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-accel-buffering': 'no',
  });
  res.flushHeaders();
}

function finish(res: ServerResponse, exit: ExitLine): void {
  if (res.destroyed) return;
  begin(res);
  res.end(toLine(exit));
}
