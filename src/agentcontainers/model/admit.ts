import type { Entry, State } from './state.ts';
import { isTransitioning, permissionOfEntry } from './state.ts';

export interface Command {
  /** `recreate-container`: the same as `recreate`, asked for by container. */
  readonly type: 'create' | 'start' | 'stop' | 'restart' | 'remove' | 'rerun-hook' | 'recreate' | 'recreate-container';
  readonly id: string;
  /** A recreate also while somebody uses it. */
  readonly force?: boolean | undefined;
}

export type Rejection =
  | 'api-closed'
  | 'devcontainer-not-found'
  | 'devcontainer-not-adopted'
  | 'devcontainer-transitioning'
  | 'recreation-in-progress'
  | 'config-invalid'
  | 'devcontainer-busy'
  | 'devcontainer-not-running'
  | 'devcontainer-not-trusted'
  | 'list-failed';

export type Admission =
  | { readonly kind: 'accepted'; readonly entry: Entry }
  /** An equal request is under way: share its operation. */
  | { readonly kind: 'joined'; readonly jobId: string }
  | { readonly kind: 'nothing-to-do'; readonly entry: Entry }
  | { readonly kind: 'rejected'; readonly code: Rejection; readonly entry?: Entry | undefined };

/**
 * Whether a command may begin now. Asked and followed by its `…Requested` event without an await between, so that two
 * commands can never both be accepted for one entry.
 */
export function admit(state: State, command: Command): Admission {
  if (state.lifecycle !== 'open') return { kind: 'rejected', code: 'api-closed' };
  const entry = state.entries.get(command.id);
  if (!entry) return { kind: 'rejected', code: 'devcontainer-not-found' };
  if (entry.level === 'seen') return { kind: 'rejected', code: 'devcontainer-not-adopted', entry };
  const { phase } = entry;

  if (isTransitioning(phase) && 'jobId' in phase) {
    const underWay = state.operations.get(phase.jobId)?.kind;
    const equal =
      command.type === underWay ||
      ((command.type === 'create' || command.type === 'start') && (underWay === 'create' || underWay === 'start'));
    // A second recreate or delete is refused, not joined: existing consumers rely on that answer.
    if (equal && command.type !== 'recreate' && command.type !== 'rerun-hook')
      return { kind: 'joined', jobId: phase.jobId };
    const code = command.type === 'recreate-container' ? 'recreation-in-progress' : 'devcontainer-transitioning';
    return { kind: 'rejected', code, entry };
  }

  // Whether it has a container is not known: to answer "nothing to do" would leave one running, to make one might make two.
  const unseen = state.observation.status !== 'ok' && !entry.link;
  if (unseen && command.type !== 'rerun-hook') {
    return { kind: 'rejected', code: 'list-failed', entry };
  }

  const running = phase.status === 'running';
  if (command.type === 'rerun-hook') {
    if (!running) return { kind: 'rejected', code: 'devcontainer-not-running', entry };
    // Two lifecycle commands at a time would get into each other's way.
    return entry.tail === undefined
      ? { kind: 'accepted', entry }
      : { kind: 'rejected', code: 'devcontainer-transitioning', entry };
  }
  if ((command.type === 'start' || command.type === 'create') && running) return { kind: 'nothing-to-do', entry };
  if (command.type === 'stop' && phase.status === 'stopped') return { kind: 'nothing-to-do', entry };
  const readsConfig = command.type !== 'stop' && command.type !== 'remove';
  if (readsConfig && entry.configError) return { kind: 'rejected', code: 'config-invalid', entry };
  if (isRecreate(command) && !command.force && entry.holders.length > 0) {
    return { kind: 'rejected', code: 'devcontainer-busy', entry };
  }
  if (readsConfig && !mayComeUp(state, entry, command)) {
    return { kind: 'rejected', code: 'devcontainer-not-trusted', entry };
  }
  return { kind: 'accepted', entry };
}

/**
 * A container that is there is started as it was made: nothing of the configuration reaches the host by that, but for
 * the command that is left out. A compose project is brought up whole, with whatever its files say now.
 */
function mayComeUp(state: State, entry: Entry, command: Command): boolean {
  // It is read when the command runs, and judged then.
  if (!entry.verdict || permissionOfEntry(state, entry) !== 'none') return true;
  const startsWhatIsThere = entry.link !== undefined && !isRecreate(command) && entry.config?.isCompose !== true;
  return startsWhatIsThere;
}

function isRecreate({ type }: Command): boolean {
  return type === 'recreate' || type === 'recreate-container';
}
