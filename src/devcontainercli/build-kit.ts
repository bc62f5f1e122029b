import type { Clock } from '../clock/clock.ts';
import { askClient } from './ask-client.ts';
import type { EngineExecutables } from './cli-arguments.ts';
import { throwIfAborted } from './cli-errors.ts';

/** As much of an answer as a version takes. */
const MAX_ANSWER = 4_096;

/** From these versions on the CLI hands features over without an image in between. */
const BUILDX: Version = [0, 8, 0];
const COMPOSE: Version = [2, 17, 0];

type Version = readonly [major: number, minor: number, patch: number];

export interface BuildKitProbe {
  /** Whether the CLI will build with BuildKit, decided as the CLI does. Rejects with `cancelled` only. */
  isUsed(isCompose: boolean, env: Readonly<Record<string, string>>, signal: AbortSignal): Promise<boolean>;
}

/** Asks the engine's client, until it once has answered yes. */
export function createBuildKitProbe(executables: EngineExecutables, clock: Clock): BuildKitProbe {
  const known = new Set<string>();

  async function hasVersion(
    args: readonly string[],
    least: Version,
    env: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const what = args.join(' ');
    if (known.has(what)) return true;
    throwIfAborted(signal);
    let answer = '';
    const onStdout = (chunk: string): void => void (answer = (answer + chunk).slice(0, MAX_ANSWER));
    const answered = await askClient({ executables, clock }, { args, env, signal, onStdout });
    throwIfAborted(signal);
    if (!answered || !isAtLeast(answer, least)) return false;
    known.add(what);
    return true;
  }

  return {
    async isUsed(isCompose, env, signal) {
      if (!(await hasVersion(['buildx', 'version'], BUILDX, env, signal))) return false;
      // With compose, only that of Docker.
      return !isCompose || hasVersion(['compose', 'version', '--short'], COMPOSE, env, signal);
    },
  };
}

function isAtLeast(answer: string, least: Version): boolean {
  const found = /(\d+)\.(\d+)\.(\d+)/.exec(answer)?.slice(1).map(Number);
  if (found === undefined) return false;
  for (const [at, wanted] of least.entries()) {
    const part = found[at] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}
