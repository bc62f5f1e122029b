import { HOOK_NAMES } from '../../agentcontainers/model/hook-names.ts';
import type { WireDevcontainer, WireOperation } from '../../http/wire-schemas.ts';
import type { Output } from '../output/output.ts';
import { plainText } from '../output/plain-text.ts';
import type { Followed } from './follow-operation.ts';
import { tailLines } from './logs.ts';

const INDENT = ' '.repeat('error: '.length);

/**
 * The last words on an operation: how it went and what to do next. Returns the exit code: 1 also when the operation
 * succeeded but the entry shows an error, such as a hook that failed after the container was up.
 */
export function concludeOperation(output: Output, { operation, devcontainer, tail }: Followed): number {
  const error = outcomeError(operation, devcontainer);
  output.result({ operation, devcontainer, ...(error === undefined ? {} : { error: { message: error } }) });
  const name = plainText(devcontainer?.name ?? operation.devcontainer_id);
  if (error !== undefined) {
    output.note(`${output.errorColors.red('error:')} ${operation.kind} of ${name}: ${plainText(error)}`);
    for (const line of outputOf(devcontainer, tail)) output.note(INDENT + line);
    for (const line of nextSteps(operation, devcontainer, name, error)) output.note(INDENT + line);
  }
  if (devcontainer === undefined) {
    if (error === undefined) output.line(`${operation.kind} of ${name}: ${operation.status}.`);
  } else if (devcontainer.status === 'running') {
    output.line(`${name} is running${agentText(devcontainer)}. Next: agentcontainers exec ${name} -- <command>`);
  } else if (error === undefined) {
    const next = devcontainer.status === 'stopped' ? 'start' : 'logs';
    output.line(`${name} is ${devcontainer.status}. Next: agentcontainers ${next} ${name}`);
  }
  if (error === undefined && leftSomethingOut(operation, devcontainer)) {
    output.note(
      `Its initializeCommand, which would run on this machine, was left out: nobody has accepted it. Look at it with \`agentcontainers trust ${name}\`, then \`agentcontainers recreate ${name}\`.`,
    );
  }
  return error === undefined ? 0 : 1;
}

/** Operations that bring a container up, by the command that begins them. */
const COMMAND_OF: Readonly<Partial<Record<WireOperation['kind'], string>>> = {
  create: 'up',
  start: 'start',
  restart: 'restart',
  recreate: 'recreate',
};

export function isUntrusted(devcontainer: WireDevcontainer | undefined): boolean {
  return devcontainer?.verdict !== undefined && !devcontainer.trusted;
}

/** An operation without steps had nothing to do. */
function leftSomethingOut({ kind, steps }: WireOperation, devcontainer: WireDevcontainer | undefined): boolean {
  const findings = devcontainer?.verdict?.findings ?? [];
  const couldRun = steps.length > 0 && COMMAND_OF[kind] !== undefined;
  return couldRun && isUntrusted(devcontainer) && findings.some((finding) => finding.kind === 'initialize-command');
}

function outcomeError(operation: WireOperation, devcontainer: WireDevcontainer | undefined): string | undefined {
  if (operation.status === 'succeeded') return operation.kind === 'stop' ? undefined : devcontainer?.error;
  return operation.error ?? devcontainer?.error ?? `it ended as ${operation.status}`;
}

/** What the failing step wrote: as the entry has it, else the end of the operation's text in the log. */
function outputOf(devcontainer: WireDevcontainer | undefined, tail: readonly string[]): readonly string[] {
  const ofHooks = (devcontainer?.degraded ?? []).flatMap((part) => tailLines(part.output_tail));
  return ofHooks.length > 0 ? ofHooks : tail;
}

/** What the error itself does not say already. */
function nextSteps(
  operation: WireOperation,
  devcontainer: WireDevcontainer | undefined,
  name: string,
  error: string,
): string[] {
  const { kind, status } = operation;
  const again = COMMAND_OF[kind];
  const hook = devcontainer?.status === 'running' ? devcontainer.degraded?.find(isHook)?.phase : undefined;
  return [
    ...(status === 'interrupted' && again !== undefined ? [`Begin it again: agentcontainers ${again} ${name}`] : []),
    ...(status === 'failed' && isUntrusted(devcontainer)
      ? [`What it can do to this machine is not accepted: agentcontainers trust ${name}`]
      : []),
    ...(hook === undefined || error.includes('agentcontainers rerun-hook')
      ? []
      : [`Run it again: agentcontainers rerun-hook ${name} ${plainText(hook)}`]),
    ...(devcontainer ? [`See all of it with \`agentcontainers logs ${name}\`.`] : []),
  ];
}

function isHook({ phase }: { readonly phase: string }): boolean {
  return (HOOK_NAMES as readonly string[]).includes(phase);
}

function agentText({ agent }: WireDevcontainer): string {
  if (agent === undefined) return ', without a sub-agent';
  const reason = agent.status === 'running' || agent.reason === undefined ? '' : ` (${plainText(agent.reason)})`;
  return `, sub-agent ${agent.status}${reason}`;
}
