import { AgentContainersError } from '../../../errors.ts';
import type { EntryKey, StartCause } from '../../model/devcontainer.ts';
import type { Entry } from '../../model/state.ts';
import type { Finding } from '../../model/verdict.ts';
import type { CliFailure, CliProgress, ProcessIdentity } from '../../ports.ts';
import type { Runtime } from '../runtime.ts';

/** The compose project that a job works on. */
export interface ProjectOfJob {
  readonly name: string;
  /** Of its compose files, as labels say it. */
  readonly folders: readonly string[];
  readonly service: string | undefined;
}

/** One `up` under way: what its parts share. */
export interface UpJob {
  readonly rt: Runtime;
  readonly id: string;
  readonly jobId: string;
  readonly cause: StartCause;
  readonly force?: boolean | undefined;
  readonly signal: AbortSignal;
  /** Of its container; known from the moment on when it is going to be made or started. */
  readonly project?: ProjectOfJob | undefined;
  /** Ends the exclusive part of the job. */
  readonly ready: () => void;
}

/** What every call of the CLI within a job is given. */
export interface CliContext {
  readonly key: EntryKey;
  readonly onProgress: (progress: CliProgress) => void;
  readonly onSpawn: (process: ProcessIdentity) => void;
  readonly composeProject?: string | undefined;
  readonly signal: AbortSignal;
}

export function cliContext({ rt, id, jobId, signal, project }: UpJob, entry: Entry): CliContext {
  return {
    key: entry.key,
    ...(project ? { composeProject: project.name } : {}),
    onProgress(progress) {
      if (progress.level >= 3 || progress.phase !== 'other')
        rt.ports.logSink.append(id, `${progress.text.trimEnd()}\n`);
      if (progress.phase !== 'other') step({ rt, jobId }, progress.phase);
    },
    onSpawn(process) {
      // It may outlive us, so whoever comes after us must be able to end it.
      const intent = rt.store.state.entries.get(id)?.intent;
      if (intent?.kind === 'up') rt.store.dispatch({ type: 'upBegan', id, intent: { ...intent, process } });
    },
    signal,
  };
}

export function step({ rt, jobId }: Pick<UpJob, 'rt' | 'jobId'>, phase: string): void {
  rt.store.dispatch({ type: 'operationProgressed', jobId, phase, at: rt.ports.clock.now() });
}

/** Whom a recreate would cut off. */
export function busy(entry: Entry): AgentContainersError {
  const { holders } = entry;
  const who = holders.map(({ kind, description }) => `${kind} ${description}`).join(', ');
  const detail = `It is used by: ${who}. Wait for that, or recreate with force.`;
  return new AgentContainersError('devcontainer-busy', 'Devcontainer is busy', { details: { detail, holders } });
}

/** @param addition a further sentence for people, e.g. what was done about it */
export function reportFailure({ rt, id, jobId }: UpJob, failure: CliFailure, addition = ''): void {
  const { phase, command, exitCode, outputTail, containerId } = failure;
  const message = `${failure.message}${addition === '' ? '' : ` ${addition}`}`;
  const name = rt.store.state.entries.get(id)?.name ?? id;
  rt.ports.logger.warn({ devcontainer: id, operation: jobId, phase, exitCode }, `Bringing up ${name}: ${message}`);
  rt.ports.logSink.append(id, `${message}\n`);
  const degraded = { phase, command, exitCode, outputTail };
  rt.store.dispatch({ type: 'upFailed', id, jobId, containerId, message, degraded, at: rt.ports.clock.now() });
}

export function notTrusted(entry: Pick<Entry, 'name' | 'verdict'>): AgentContainersError {
  const { findings, hash } = entry.verdict ?? { findings: [], hash: '' };
  const next = `Look at it, and accept it with: agentcontainers trust ${findings.length === 0 ? '--yes ' : ''}${entry.name}`;
  const list = findings.slice(0, 5).map(({ kind, detail }: Finding) => `${kind} ${detail}`);
  const more = findings.length > list.length ? ` and ${findings.length - list.length} more` : '';
  return new AgentContainersError('devcontainer-not-trusted', 'Devcontainer is not trusted', {
    details: {
      detail:
        findings.length === 0
          ? `Nobody has accepted it, and it is not started by itself before that. ${next}`
          : `Its configuration can affect the host: ${list.join('; ')}${more}. ${next}`,
      findings,
      hash,
    },
  });
}
