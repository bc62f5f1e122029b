import type { AgentContainersError } from '../errors.ts';
import { failed } from './engine-error.ts';

/** The oldest and the newest version of the engine's API that this adapter was written for. */
const OLDEST: ApiVersion = [1, 40];
const NEWEST: ApiVersion = [1, 52];

type ApiVersion = readonly [major: number, minor: number];

/**
 * The version to speak: the engine's own, but none newer than we know. An engine that has dropped our newest version
 * says so in its answer to the first request, which is mapped to the same error code.
 *
 * @throws `engine-api-version` naming both versions.
 */
export function negotiateApiVersion(engineVersion: string): string {
  const engine = parseVersion(engineVersion);
  if (!engine) {
    throw disagreement(
      `the engine names its version ${JSON.stringify(engineVersion.slice(0, 40))}, this program speaks ${OLDEST.join('.')} to ${NEWEST.join('.')}`,
      'Check with `agentcontainers doctor` that the address is that of a container engine.',
    );
  }
  if (compare(engine, OLDEST) < 0) {
    throw disagreement(
      `the engine speaks at most ${engine.join('.')}, this program needs at least ${OLDEST.join('.')}`,
      'Update the engine.',
    );
  }
  return (compare(engine, NEWEST) > 0 ? NEWEST : engine).join('.');
}

function disagreement(reason: string, nextStep: string): AgentContainersError {
  return failed('engine-api-version', 'Agreeing on an API version with the engine', reason, nextStep);
}

function parseVersion(text: string): ApiVersion | undefined {
  const match = /^(\d{1,4})\.(\d{1,4})(?:\.\d+)?$/.exec(text.trim());
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

function compare(a: ApiVersion, b: ApiVersion): number {
  return a[0] - b[0] || a[1] - b[1];
}
