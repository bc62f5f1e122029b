import { LABEL } from '../agentcontainers/model/container.ts';
import type { Container } from '../agentcontainers/model/container.ts';
import type { UpOutcome, UpRequest } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import type { ContainerSeed } from './build-container.ts';
import { composeLabels, fakeComposeProject } from './fake-compose.ts';
import type { FakeEngine } from './fake-engine.ts';
import type { Gate } from './gate.ts';

type UpSuccess = Extract<UpOutcome, { outcome: 'success' }>;
type UpFailure = Extract<UpOutcome, { outcome: 'error' }>;

/** What a script can do in the course of one `devcontainer up`. */
export interface ScriptedUp {
  readonly request: UpRequest;
  /** Reports a step; `level` 3 is what users see. */
  progress(phase: string, text: string, level?: number): void;
  /** Waits for the test; throws when the request is aborted. */
  wait(gate: Gate): Promise<void>;
  /** Does to the engine what the CLI does: starts the container of this configuration, or makes one. */
  createContainer(seed?: ContainerSeed): Container;
  /** A hook after the config's `waitFor` begins. */
  ready(): void;
  success(containerId: string, more?: Partial<UpSuccess>): UpSuccess;
  /** With a `containerId` the container exists, and a lifecycle script failed. */
  failure(message: string, more?: Partial<Omit<UpFailure, 'outcome' | 'message'>>): UpFailure;
  readonly readiness: Promise<boolean>;
  /** It will not become ready any more. */
  end(): void;
}

export function createScriptedUp(world: { engine: FakeEngine; clock: Clock }, request: UpRequest): ScriptedUp {
  const { engine, clock } = world;
  let settle: (ready: boolean) => void = () => {};
  const readiness = new Promise<boolean>((resolve) => {
    settle = resolve;
  });

  function ownContainer(): Container | undefined {
    const { workspaceFolder, configPath } = request.key;
    return engine
      .containers()
      .find(
        ({ labels }) =>
          labels[LABEL.localFolder] === workspaceFolder &&
          labels[LABEL.configFile] === configPath &&
          Object.entries(request.labels ?? {}).every(([name, value]) => labels[name] === value),
      );
  }

  return {
    request,
    progress: (phase, text, level = 3) => request.onProgress({ phase, text, level, at: clock.now() }),
    wait: (gate) => gate.wait(request.signal),
    createContainer(seed = {}) {
      const existing = request.mode === 'find' ? ownContainer() : undefined;
      if (existing) {
        engine.start(existing.id);
        return engine.container(existing.id);
      }
      const { composeProject: name, config = {} } = request;
      const project = name === undefined ? undefined : fakeComposeProject(request.key, config, name);
      const labels = { ...request.labels, ...(project && composeLabels(project)), ...seed.labels };
      const made = engine.addContainer({ ...request.key, ...seed, labels });
      request.onContainerRuns?.();
      return made;
    },
    ready: () => settle(true),
    success: (containerId, more = {}) => ({ outcome: 'success', containerId, ...more }),
    failure: (message, more = {}) => ({ outcome: 'error', message, phase: 'other', outputTail: '', ...more }),
    readiness,
    end: () => settle(false),
  };
}
