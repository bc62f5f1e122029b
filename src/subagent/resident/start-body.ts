import { checkCommand } from '../../agentcontainers/check-command.ts';
import type { CommandKind, CommandSpec } from '../../agentcontainers/ports.ts';
import { AgentContainersError } from '../../errors.ts';
import { plainLine, shorten } from '../../text/plain-text.ts';
import { clampGrace } from './clamp-grace.ts';

/** The longest wait that fits a timer on the other side: a day less than 25 days. */
const MAX_MS = 24 * 86_400_000;

/** Half of it stays behind its reader, and is more than what can be on its way to us when a connection breaks off. */
const BLOCKING_RING_BYTES = 2_097_152;
const LONGEST_TITLE = 60;

/** Opens the message of each error of a command. */
export function titleOf({ argv, command }: CommandSpec): string {
  return `Running ${JSON.stringify(shorten(plainLine(argv?.[0] ?? command ?? ''), LONGEST_TITLE))}`;
}

/**
 * A command as the resident is asked to start it. Throws `invalid-request` for what no resident takes.
 *
 * @param more what the caller decides
 */
export function startBody(
  spec: CommandSpec,
  more: { readonly kind: CommandKind; readonly key: string; readonly overflow: 'drop' | 'block' | 'spill' },
): Readonly<Record<string, unknown>> & { readonly overflow: 'drop' | 'block' | 'spill' } {
  const { argv, command } = spec;
  checkCommand(spec);
  const { timeoutMs } = spec;
  if (timeoutMs !== undefined && !(Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= MAX_MS)) {
    throw invalid(`timeoutMs is ${timeoutMs}; give whole milliseconds, at most ${MAX_MS}`);
  }
  const overflow = spec.overflow ?? more.overflow;
  return {
    argv,
    command,
    cwd: spec.cwd,
    env: spec.env,
    user: spec.user,
    tty: spec.tty && { width: spec.tty.width, height: spec.tty.height },
    merged: spec.merged,
    stdin: spec.stdin,
    timeout_ms: timeoutMs,
    grace_ms: spec.graceMs === undefined ? undefined : clampGrace(spec.graceMs),
    kind: more.kind,
    key: spec.key ?? more.key,
    ring_bytes: overflow === 'block' ? Math.max(spec.ringBytes ?? 0, BLOCKING_RING_BYTES) : spec.ringBytes,
    overflow,
  };
}

function invalid(reason: string): AgentContainersError {
  return new AgentContainersError('invalid-request', `Starting a command failed: ${reason}.`);
}
