import { posix } from 'node:path';
import type { ContainerDetails, Delivery } from '../agentcontainers/ports.ts';
import { AgentContainersError, errorMessage, isAgentContainersError } from '../errors.ts';
import { DIRECTORY, HOME, deliverByArchive, deliverByExec } from './delivery-steps.ts';
import { deliveryFailed, verifyRuns } from './delivery-target.ts';
import type { DeliveryTarget, StepOutcome } from './delivery-target.ts';
import { findMounts } from './find-mounts.ts';
import type { MountCandidate } from './find-mounts.ts';
import type { MountedDelivery } from './mounted-delivery.ts';
import { runShortCommand } from '../agentcontainers/engine-runtime/run-short-command.ts';

/** A way that worked for a container. */
export interface KnownWay {
  readonly way: 'mounted' | CopyWay;
  /** Absolute, without the file's name. */
  readonly directory: string;
  /** False after a file that looked delivered could not be started: then it has to prove itself again. */
  readonly isTrusted: boolean;
}

type CopyWay = 'archive' | 'exec-stdin' | 'mount';

/** A copy in the container: the way that worked before, and where it belongs. */
interface CopyPlan {
  readonly home: string;
  readonly known: (KnownWay & { readonly way: CopyWay }) | undefined;
}

/** Below the root when {@link HOME} itself is a mount that is of no use. */
const OTHER_DIRECTORY = '.agentcontainers-root';
const MOUNTINFO_BYTES = 262_144;

/**
 * Gets the file into the container by the first way that works, and says which it was. The result is remembered by the
 * caller and given back as `known` the next time.
 */
export async function deliver(
  target: DeliveryTarget,
  known: KnownWay | undefined,
  mounted: MountedDelivery | undefined,
): Promise<{ readonly delivery: Delivery; readonly way: KnownWay }> {
  const failures: string[] = [];
  const done = (way: KnownWay['way'], directory: string, outcome: StepOutcome & { ok: true }, isPresent = false) => ({
    delivery: {
      path: `${directory}/${target.fileName}`,
      way: isPresent ? ('present' as const) : way,
      version: outcome.version,
    },
    way: { way, directory, isTrusted: true },
  });

  try {
    const details = await target.engine.inspectContainer(target.containerId, target.signal);
    const plan = planCopy(details, known);
    // One that was copied into once has a copy: its mount was of no use.
    const mustProve = known?.isTrusted === false;
    const fromHost = plan.known ? undefined : await mounted?.deliver(target, details, mustProve);
    if (fromHost?.ok) return done('mounted', HOME, fromHost);
    if (fromHost) {
      failures.push(`${HOME}: ${fromHost.reason}`);
      await refuseWithoutInterpreter(target);
    }

    const stat = await statDelivered(target, plan);
    const tried = { ...plan, known: plan.known ?? (stat === 'blank' ? blanked(plan.home) : undefined) };
    const present = await findPresent(target, tried, stat === 'whole');
    if (present) {
      fromHost?.blame();
      return done(tried.known?.way ?? 'archive', present.directory, present.outcome, true);
    }

    for (const step of steps(target, tried)) {
      for await (const { way, directory, outcome } of step()) {
        if (outcome.ok) {
          fromHost?.blame();
          return done(way, directory, outcome);
        }
        failures.push(`${directory}: ${outcome.reason}`);
        await refuseWithoutInterpreter(target);
      }
    }
  } catch (error) {
    target.signal.throwIfAborted();
    if (isAgentContainersError(error, 'sub-agent-delivery-failed', 'sub-agent-unsupported')) throw error;
    const reason = errorMessage(error).replace(/[.\s]+$/, '');
    throw deliveryFailed(target, reason, 'Check that the container runs.', error);
  }
  const error = deliveryFailed(
    target,
    failures.at(-1) ?? 'there is no place for it',
    `Give the container a volume or a tmpfs with \`exec\` at ${HOME}, or a root that can be written.`,
  );
  throw new AgentContainersError(error.code, error.message, { details: { tried: failures } });
}

interface StepResult {
  readonly way: CopyWay;
  readonly directory: string;
  readonly outcome: StepOutcome;
}

/**
 * A copy never goes into a directory of the host, nor where nothing can be written: then it belongs beside that. What was
 * known of a place that is no longer meant does not count.
 */
function planCopy({ mounts }: ContainerDetails, known: KnownWay | undefined): CopyPlan {
  const at = mounts.find(({ destination }) => destination === HOME);
  const isCovered = at !== undefined && (at.type === 'bind' || !at.writable);
  const home = isCovered ? `/${OTHER_DIRECTORY}` : HOME;
  if (known === undefined || known.way === 'mounted' || (isCovered && known.directory === HOME)) {
    return { home, known: undefined };
  }
  return { home, known: { ...known, way: known.way } };
}

/** An emptied file says that an upload was tried here and was not seen by the container, perhaps by an earlier daemon. */
function blanked(home: string): CopyPlan['known'] {
  return { way: 'exec-stdin', directory: home, isTrusted: true };
}

function steps(target: DeliveryTarget, { home, known }: CopyPlan): (() => AsyncIterable<StepResult>)[] {
  const byArchive = async function* (): AsyncGenerator<StepResult> {
    yield { way: 'archive', directory: home, outcome: await deliverByArchive(target, '', posix.basename(home)) };
  };
  const byExec = async function* (): AsyncGenerator<StepResult> {
    yield { way: 'exec-stdin', directory: home, outcome: await deliverByExec(target, home) };
  };
  const byMount = async function* (): AsyncGenerator<StepResult> {
    for (const { path, takesArchive } of await mountCandidates(target, home)) {
      const name = path === '' ? OTHER_DIRECTORY : DIRECTORY;
      const directory = `${path}/${name}`;
      if (takesArchive) {
        const outcome = await deliverByArchive(target, path, name);
        yield { way: 'mount', directory, outcome };
      }
      yield { way: 'mount', directory, outcome: await deliverByExec(target, directory) };
    }
  };
  switch (known?.way) {
    case 'exec-stdin':
      return [byExec, byArchive, byMount];
    case 'mount':
      return [byMount, byArchive, byExec];
    case 'archive':
    case undefined:
      return [byArchive, byExec, byMount];
  }
}

/** What the engine holds where the file was put, or would be. */
async function statDelivered(target: DeliveryTarget, { home, known }: CopyPlan): Promise<'whole' | 'blank' | 'other'> {
  const { engine, containerId, content, fileName, signal } = target;
  const stat = await engine.statPath(containerId, `${known?.directory ?? home}/${fileName}`, signal);
  if (!stat || stat.isDirectory) return 'other';
  const isExecutable = (stat.mode & 0o111) !== 0;
  if (isExecutable) return stat.size === content.size ? 'whole' : 'other';
  return stat.size === 0 ? 'blank' : 'other';
}

/** The file is there already, with the digest that its name carries. */
async function findPresent(
  target: DeliveryTarget,
  { home, known }: CopyPlan,
  looksWhole: boolean,
): Promise<{ readonly directory: string; readonly outcome: StepOutcome & { ok: true } } | undefined> {
  const directory = known?.directory ?? home;
  if (looksWhole && (known?.isTrusted ?? true)) return { directory, outcome: { ok: true, version: undefined } };
  // In memory file systems the engine sees nothing; the container may.
  if (!looksWhole && (known === undefined || known.way === 'archive')) return undefined;
  const outcome = await verifyRuns(target, `${directory}/${target.fileName}`);
  return outcome.ok ? { directory, outcome } : undefined;
}

/** A program that loads the file is missing: no place in this container can help. */
async function refuseWithoutInterpreter(target: DeliveryTarget): Promise<void> {
  const { engine, containerId, content, binary, signal } = target;
  const interpreter = content.format.format === 'unknown' ? undefined : content.format.interpreter;
  if (interpreter === undefined || (await engine.statPath(containerId, interpreter, signal)) !== undefined) return;
  const kind = content.format.format === 'script' ? 'a script' : 'dynamically linked';
  throw new AgentContainersError(
    'sub-agent-unsupported',
    `Delivering the sub-agent to container ${containerId.slice(0, 12)} failed: ${binary.path} is ${kind} and needs ${interpreter}, which the container does not have. Use a static executable as the sub-agent, or an image with ${interpreter}.`,
    { details: { interpreter } },
  );
}

async function mountCandidates(target: DeliveryTarget, taken: string): Promise<MountCandidate[]> {
  const { engine, clock, containerId, limits, signal } = target;
  const { mounts } = await engine.inspectContainer(containerId, signal);
  const spec = {
    containerId,
    argv: ['cat', '/proc/self/mountinfo'],
    user: '0',
    timeoutMs: limits.commandTimeoutMs,
    keptBytes: MOUNTINFO_BYTES,
  };
  const result = await runShortCommand(engine, clock, spec, signal);
  return findMounts(result.exitCode === 0 ? result.stdout : undefined, mounts, taken);
}
