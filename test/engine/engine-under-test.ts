import { afterEach, beforeEach, expect } from 'vitest';
import { createDockerEngine } from '../../src/engine/docker-engine.ts';
import type { DockerEngine } from '../../src/engine/docker-engine.ts';
import { createFakeClock } from '../../src/testing/fake-clock.ts';
import type { FakeClock } from '../../src/testing/fake-clock.ts';
import { createRecordingLogger } from '../../src/testing/recording-logger.ts';
import type { RecordingLogger } from '../../src/testing/recording-logger.ts';
import { startFakeEngineServer } from './fake-engine-server.ts';
import type { FakeEngineServer } from './fake-engine-server.ts';

/** The engine adapter, connected to a fake server that is new in each test. */
export interface EngineUnderTest {
  readonly server: FakeEngineServer;
  readonly clock: FakeClock;
  readonly logger: RecordingLogger;
  readonly engine: DockerEngine;
  /** A further adapter, on the same clock. */
  connect(env: Readonly<Record<string, string>>): DockerEngine;
  /** `METHOD /path` of every request so far. */
  asked(): string[];
  list(signal?: AbortSignal): ReturnType<DockerEngine['listContainers']>;
}

/** Sets up `current()` before each test of this file, and checks after it that no timer is left. */
export function engineUnderTest(): () => EngineUnderTest {
  let current: EngineUnderTest;

  beforeEach(async () => {
    const server = await startFakeEngineServer();
    const clock = createFakeClock();
    const logger = createRecordingLogger();
    const connect = (env: Readonly<Record<string, string>>): DockerEngine =>
      createDockerEngine({ env, homeDir: '/nonexistent', clock, logger });
    const engine = connect({ DOCKER_HOST: server.host });
    current = {
      server,
      clock,
      logger,
      engine,
      connect,
      asked: () => server.requests.map(({ method, path }) => `${method} ${path}`),
      list: (signal = within()) => engine.listContainers({ labels: [], signal }),
    };
  });

  afterEach(async () => {
    await current.engine.close();
    await current.server[Symbol.asyncDispose]();
    // Nothing may be left that keeps a process alive.
    expect(current.clock.pending()).toEqual([]);
  });

  return () => current;
}

/** The limit of everything in these tests that waits. */
export function within(): AbortSignal {
  return AbortSignal.timeout(10_000);
}

/** Waits for something that happens through the sockets of the operating system. */
export async function until(holds: () => boolean): Promise<void> {
  const limit = within();
  while (!holds()) {
    limit.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
