import type { Operation, OperationKind, OperationStatus, OperationStep } from './operation.ts';
import type { State } from './state.ts';
import type { Instant } from './time.ts';

const KEPT_OPERATIONS = 200;
const KEPT_STEPS = 50;

export function beginOperation(
  state: State,
  operation: { id: string; devcontainerId: string; kind: OperationKind; phase: string; at: Instant; logOffset: number },
): State {
  const { at: startedAt, ...rest } = operation;
  return withOperation(state, { ...rest, status: 'running', startedAt, steps: [] });
}

export function progressOperation(state: State, id: string, phase: string, at: Instant): State {
  const operation = state.operations.get(id);
  if (!operation || operation.status !== 'running' || operation.phase === phase) return state;
  const steps = [...endLastStep(operation.steps, at), { name: phase, startedAt: at }].slice(-KEPT_STEPS);
  return withOperation(state, { ...operation, phase, steps });
}

function endLastStep(steps: readonly OperationStep[], at: Instant): readonly OperationStep[] {
  const last = steps.at(-1);
  return !last || last.endedAt !== undefined ? steps : [...steps.slice(0, -1), { ...last, endedAt: at }];
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
  const steps = endLastStep(operation.steps, at);
  return withOperation(state, { ...operation, status, endedAt: at, error, phase: phase ?? operation.phase, steps });
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
