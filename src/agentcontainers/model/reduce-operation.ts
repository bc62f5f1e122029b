import type { Operation, OperationKind, OperationStatus } from './operation.ts';
import type { State } from './state.ts';
import type { Instant } from './time.ts';

const KEPT_OPERATIONS = 200;

export function beginOperation(
  state: State,
  operation: { id: string; devcontainerId: string; kind: OperationKind; phase: string; at: Instant; logOffset: number },
): State {
  const { at: startedAt, ...rest } = operation;
  return withOperation(state, { ...rest, status: 'running', startedAt });
}

export function progressOperation(state: State, id: string, phase: string): State {
  const operation = state.operations.get(id);
  return !operation || operation.status !== 'running' || operation.phase === phase
    ? state
    : withOperation(state, { ...operation, phase });
}

/** The first end wins. */
export function endOperation(
  state: State,
  id: string,
  status: Exclude<OperationStatus, 'running'>,
  at: Instant,
  error?: string,
  phase?: string,
): State {
  const operation = state.operations.get(id);
  if (!operation || operation.status !== 'running') return state;
  return withOperation(state, { ...operation, status, endedAt: at, error, phase: phase ?? operation.phase });
}

export function withOperation(state: State, operation: Operation): State {
  const operations = new Map(state.operations).set(operation.id, operation);
  if (operations.size > KEPT_OPERATIONS) {
    for (const [id, old] of operations) {
      if (old.status === 'running') continue;
      operations.delete(id);
      break;
    }
  }
  return { ...state, operations };
}
