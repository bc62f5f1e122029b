import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import { linkedScope } from '../async/abort.ts';
import type {
  DeliverRequest,
  LaunchRequest,
  SubAgentBinary,
  SubAgentLauncher,
  SubAgentProcess,
} from '../agentcontainers/ports.ts';
import { AgentContainersError, errorMessage, isAgentContainersError, reasonOf } from '../errors.ts';
import type { FailedCommand } from '../errors.ts';
import { createBinaryContents } from './binary-contents.ts';
import { deliver } from './deliver.ts';
import type { KnownWay } from './deliver.ts';
import { HOME } from './delivery-steps.ts';
import type { SubAgentLauncherOptions } from './launcher.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { createMountedDelivery } from './mounted-delivery.ts';
import { createResidentLauncher } from './resident/launch-resident.ts';
import { RUN_ID_VARIABLE } from '../agentcontainers/engine-runtime/signal-processes.ts';
import { superviseProcess } from './sub-agent-process.ts';
import type { SupervisedProcess } from './sub-agent-process.ts';

const DEFAULT_ARGS = ['agent'];

/** What {@link createSubAgentLauncher} gives, with everything that it needs. */
export function createContainerLauncher(options: SubAgentLauncherOptions): SubAgentLauncher {
  const { engine, clock, logger } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const contents = createBinaryContents(limits);
  const ways = new Map<string, KnownWay>();
  const residents = createResidentLauncher({ engine, clock, logger, limits, secret: options.residentSecret });
  const mounted =
    options.storeDirectory === undefined
      ? undefined
      : createMountedDelivery({
          storeDirectory: options.storeDirectory,
          engineAddress: options.engineAddress,
          clock,
          logger,
          rememberedProofs: limits.rememberedContainers,
        });

  function remember(containerId: string, way: KnownWay): void {
    ways.delete(containerId);
    ways.set(containerId, way);
    for (const oldest of ways.keys()) {
      if (ways.size <= limits.rememberedContainers) break;
      ways.delete(oldest);
    }
  }

  /** What looks delivered there has to prove next time that it can be run. */
  function distrust(containerId: string, directory: string): void {
    const known = ways.get(containerId) ?? { way: 'archive', directory, isTrusted: false };
    remember(containerId, { ...known, isTrusted: false });
  }

  return {
    async readOnlyMount(signal) {
      signal.throwIfAborted();
      return mounted?.mount(signal);
    },

    async deliver(request) {
      const { containerId, binary, signal } = request;
      signal.throwIfAborted();
      const fileName = nameInContainer(binary);
      const content = await contents.open(binary, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        throw unreadable(request, error);
      });
      const user = binary.user ?? request.user;
      const target = { engine, clock, limits, containerId, binary, content, fileName, user, signal };
      const { delivery, way } = await deliver(target, ways.get(containerId), mounted).catch((error: unknown) => {
        // The file may lie there and look whole without having been run.
        distrust(containerId, HOME);
        throw error;
      });
      remember(containerId, way);
      logger.debug({ containerId, path: delivery.path, way: delivery.way }, 'Sub-agent delivered');
      return delivery;
    },

    async launch(request) {
      const { signal } = request;
      signal.throwIfAborted();
      if (request.binary.protocol === 'resident') {
        return residents(request, () => distrust(request.containerId, posix.dirname(request.path)));
      }
      const launched = await start(request);
      const onAbort = (): void => void launched.stop(limits.abortGraceMs);
      signal.addEventListener('abort', onAbort, { once: true });
      void launched.exited.then(() => signal.removeEventListener('abort', onAbort));
      if (signal.aborted) onAbort();

      const timer = clock.afterFunc(
        limits.readyTimeoutMs,
        () => launched.end('not-ready', `It did not become ready within ${limits.readyTimeoutMs / 1_000} s.`, 1_000),
        'sub-agent: ready',
      );
      await Promise.race([launched.ready, launched.exited]);
      timer.stop();
      if (!launched.hasExited) return launched;

      signal.throwIfAborted();
      throw await startFailed(request, launched);
    },
  };

  async function start(request: LaunchRequest): Promise<SupervisedProcess> {
    const { containerId, binary, path, workingDir, signal } = request;
    const user = binary.user ?? request.user;
    const runId = randomBytes(16).toString('hex');
    const env: Record<string, string> = { ...request.env, [RUN_ID_VARIABLE]: runId };
    // The signal is for the start only: once it runs, an abort asks it to end before its stream is dropped.
    const starting = linkedScope(signal);
    try {
      const session = await engine.exec({
        containerId,
        argv: [path, ...(binary.args ?? DEFAULT_ARGS)],
        env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
        user,
        workingDir,
        stdin: true,
        signal: starting.signal,
      });
      return superviseProcess({
        session,
        engine,
        clock,
        containerId,
        binary,
        user,
        runId,
        settleMs: limits.settleMs,
        secrets: secretsOf(env),
        onOutput: request.onOutput,
        onBusy: request.onBusy,
      });
    } catch (error) {
      signal.throwIfAborted();
      throw new AgentContainersError(
        'sub-agent-start-failed',
        `Starting the sub-agent in container ${containerId.slice(0, 12)} failed: ${reasonOf(error)}. Check that the container runs.`,
        { cause: error },
      );
    } finally {
      starting.release();
    }
  }

  async function startFailed(request: LaunchRequest, launched: SubAgentProcess & SupervisedProcess) {
    const { containerId, binary, path } = request;
    const exit = await launched.exited;
    const { exitCode } = exit;
    const said = launched.lastLine();
    const didNotRun = exitCode === null || exitCode === 126 || exitCode === 127 || said.includes(`exec ${path}: `);
    if (exit.reason === 'exit' && didNotRun) distrust(containerId, posix.dirname(path));
    const reason = `${reasonOf(exit.message)}${said === '' ? '' : `; its last words: ${said.slice(0, 200)}`}`;
    const command: FailedCommand = {
      command: [path, ...(binary.args ?? DEFAULT_ARGS)].join(' '),
      exitCode: exitCode ?? undefined,
      timedOut: exit.reason === 'not-ready',
      isCancelled: false,
      outputTail: exit.outputTail,
    };
    return new AgentContainersError(
      'sub-agent-start-failed',
      `Starting the sub-agent in container ${containerId.slice(0, 12)} failed: ${reason.replace(/[.\s]+$/, '')}. Its output is in the details.`,
      { details: { command, reason: exit.reason } },
    );
  }
}

/** The name carries the digest, so a file of that name is that file. */
function nameInContainer(binary: SubAgentBinary): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/.test(binary.name) || !/^[0-9a-f]{64}$/.test(binary.sha256)) {
    throw new AgentContainersError(
      'broken-contract',
      `Delivering the sub-agent failed: the provider gave the name ${JSON.stringify(binary.name)} and the digest ${JSON.stringify(binary.sha256)}. Names have 1 to 64 of A-Z, a-z, 0-9, dot, underscore and hyphen; digests are SHA-256 in lower-case hex.`,
    );
  }
  return `${binary.name}-${binary.sha256.slice(0, 12)}`;
}

/** Values that must not show up in a log when the process prints its environment. */
function secretsOf(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env)
    .filter(([name, value]) => /token|secret|passw|credential|api_?key/i.test(name) && value.length >= 8)
    .map(([, value]) => value);
}

function unreadable(request: DeliverRequest, error: unknown): AgentContainersError {
  if (isAgentContainersError(error)) return error;
  return new AgentContainersError(
    'sub-agent-delivery-failed',
    `Delivering the sub-agent to container ${request.containerId.slice(0, 12)} failed: reading ${request.binary.path}: ${errorMessage(error)}. Check the file on this machine.`,
    { cause: error },
  );
}
