import type { Container } from '../agentcontainers/model/container.ts';
import type { ExecSpec } from '../agentcontainers/ports.ts';
import { AgentContainersError } from '../errors.ts';
import { createFakeExecSession, describeExec, matchesExec } from './fake-exec.ts';
import type { ExecBehaviour, ExecMatcher, FakeExecSession } from './fake-exec.ts';

export interface FakeExecs {
  readonly open: readonly FakeExecSession[];
  on(matcher: ExecMatcher, behaviour: ExecBehaviour): void;
  /** `engine-conflict` when the container does not run. */
  run(spec: ExecSpec, container: Container): FakeExecSession;
  /** Ends those of a container. */
  endAll(container: Container, exitCode: number | null): void;
  leaks(): string[];
}

/**
 * @param unscripted the error for a command that no behaviour matches
 * @param report takes what goes wrong in a script
 */
export function createFakeExecs(
  unscripted: (call: string, hint: string) => AgentContainersError,
  report: (problem: string) => void,
): FakeExecs {
  const open = new Set<FakeExecSession>();
  const behaviours: { readonly matcher: ExecMatcher; readonly behaviour: ExecBehaviour }[] = [];
  let count = 0;

  return {
    get open() {
      return [...open];
    },
    on: (matcher, behaviour) => void behaviours.unshift({ matcher, behaviour }),
    run(spec, container) {
      const doing = `Running ${describeExec(spec)} in container ${container.name} failed`;
      if (!container.running) throw new AgentContainersError('engine-conflict', `${doing}: it is not running.`);
      const script = behaviours.find(({ matcher }) => matchesExec(matcher, spec));
      if (!script) throw unscripted(`engine.exec ${JSON.stringify(spec.argv)}`, 'Script it with engine.onExec(…).');
      const id = `exec-${++count}`;
      const session = createFakeExecSession(id, { ...spec, containerId: container.id }, script.behaviour, report);
      open.add(session);
      void session.exited.then(() => open.delete(session));
      return session;
    },
    endAll({ id }, exitCode) {
      for (const exec of open) if (exec.spec.containerId === id) exec.end(exitCode);
    },
    leaks: () => [...open].map((exec) => `${describeExec(exec.spec)} is running in a container`),
  };
}
