import type { Entry, State } from './state.ts';
import { isTransitioning } from './state.ts';

export type Command =
  | { readonly type: 'create' | 'recreate' | 'start' | 'stop' | 'restart' | 'remove'; readonly id: string }
  /** The same as `recreate`, asked for by container. */
  | { readonly type: 'recreate-container'; readonly id: string };

export type Rejection =
  | 'api-closed'
  | 'devcontainer-not-found'
  | 'devcontainer-not-adopted'
  | 'devcontainer-transitioning'
  | 'recreation-in-progress'
  | 'config-invalid'
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
    if (equal && command.type !== 'recreate') return { kind: 'joined', jobId: phase.jobId };
    const code = command.type === 'recreate-container' ? 'recreation-in-progress' : 'devcontainer-transitioning';
    return { kind: 'rejected', code, entry };
  }

  // Whether it has a container is not known: to answer "nothing to do" would leave one running.
  const unseen = state.observation.status !== 'ok' && !entry.link;
  if (unseen && (command.type === 'stop' || command.type === 'remove' || command.type === 'restart')) {
    return { kind: 'rejected', code: 'list-failed', entry };
  }

  const running = phase.status === 'running';
  if ((command.type === 'start' || command.type === 'create') && running) return { kind: 'nothing-to-do', entry };
  if (command.type === 'stop' && phase.status === 'stopped') return { kind: 'nothing-to-do', entry };
  const readsConfig = command.type !== 'stop' && command.type !== 'remove';
  if (readsConfig && entry.configError) return { kind: 'rejected', code: 'config-invalid', entry };
  return { kind: 'accepted', entry };
}
