import { deadlineScope } from '../async/abort.ts';
import type { Clock } from '../clock/clock.ts';
import type { ExecSession, ExecSpec } from '../agentcontainers/ports.ts';
import { AgentContainersError, isAgentContainersError } from '../errors.ts';
import type { EngineConnection } from './engine-connection.ts';
import { failed, oneLine } from './engine-error.ts';
import { objectPath } from './engine-path.ts';
import type { ExecExits } from './exec-exits.ts';
import { openExecSession } from './exec-session.ts';
import { refusedSession } from './refused-session.ts';
import type { ExecState } from './exec-session.ts';
import { asInteger, asRecord, asText } from './json-values.ts';
import { sendExpecting, sendForJson } from './read-reply.ts';

/** The limit for creating and starting an exec together. */
const START_LIMIT_MS = 30_000;
const INSPECT_LIMIT_MS = 10_000;

/** Starts a command in a running container, over a connection of its own with frames and a real half-close of stdin. */
export async function startExec(
  connection: EngineConnection,
  exits: ExecExits,
  clock: Clock,
  spec: ExecSpec,
): Promise<ExecSession> {
  const title = `${JSON.stringify(oneLine(spec.argv[0] ?? ''))} in container ${spec.containerId.slice(0, 12)}`;
  const doing = `Starting ${title}`;
  const limit = deadlineScope(clock, START_LIMIT_MS, doing, spec.signal, connection.closing);
  try {
    return await connection.use(doing, limit.signal, async (transport) => {
      const created = await sendForJson(transport, {
        doing,
        method: 'POST',
        path: objectPath('containers', spec.containerId, 'exec'),
        body: {
          AttachStdin: spec.stdin === true,
          AttachStdout: true,
          AttachStderr: true,
          Tty: false,
          Cmd: spec.argv,
          ...(spec.env && { Env: spec.env }),
          ...(spec.user !== undefined && { User: spec.user }),
          ...(spec.workingDir !== undefined && { WorkingDir: spec.workingDir }),
        },
        signal: limit.signal,
      });
      const id = asText(asRecord(created)['Id']);
      if (!id) throw failed('engine-request-failed', doing, 'the engine gave no exec id');
      const request = {
        doing,
        method: 'POST',
        path: objectPath('exec', id, 'start'),
        body: { Detach: false, Tty: false },
        upgrade: true,
        signal: limit.signal,
      } as const;
      // An engine may answer 200 with the output as its body, which has no way in.
      const started = await sendExpecting(transport, request, spec.stdin ? [101] : [101, 200]).catch(
        (error: unknown) => {
          if (isAgentContainersError(error, 'engine-request-failed') && error.details['status'] === 500) return error;
          throw error;
        },
      );
      if (started instanceof AgentContainersError) return refusedSession(id, started);
      const { status, body } = started;
      if (spec.stdin && status !== 101) {
        body.destroy();
        throw failed('engine-request-failed', doing, 'the engine gave no connection for its standard input');
      }
      return openExecSession({
        id,
        stream: body,
        stdin: spec.stdin === true,
        title,
        inspect: () => inspectExec(connection, clock, id),
        exits,
        clock,
        signals: [spec.signal, connection.closing],
      });
    });
  } finally {
    limit.release();
  }
}

async function inspectExec(connection: EngineConnection, clock: Clock, id: string): Promise<ExecState> {
  const doing = 'Asking for the exit of a command';
  const limit = deadlineScope(clock, INSPECT_LIMIT_MS, doing, connection.closing);
  try {
    const path = objectPath('exec', id, 'json');
    const answer = await connection.use(doing, limit.signal, (transport) =>
      sendForJson(transport, { doing, method: 'GET', path, signal: limit.signal }),
    );
    return parseExecState(answer);
  } finally {
    limit.release();
  }
}

function parseExecState(answer: unknown): ExecState {
  const { Running, ExitCode, Pid, CanRemove } = asRecord(answer);
  const exitCode = asInteger(ExitCode);
  if (Running === true) return { kind: 'running' };
  if (exitCode === undefined) return { kind: 'waiting' };
  // Docker keeps the process id of an ended exec; Podman clears it, gives 0 as the exit code before the start too, and
  // says by `CanRemove` that the exec has ended.
  const hadProcess = (asInteger(Pid) ?? 0) > 0 || (CanRemove === true ? undefined : false);
  return { kind: 'ended', exitCode, hadProcess, isCertain: hadProcess !== false };
}
