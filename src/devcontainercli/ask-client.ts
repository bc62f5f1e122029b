import type { Clock } from '../clock/clock.ts';
import type { EngineExecutables } from './cli-arguments.ts';
import { runProcessGroup } from './process-group.ts';

export interface ClientQuestion {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly onStdout?: ((chunk: string) => void) | undefined;
  readonly onStderr?: ((chunk: string) => void) | undefined;
}

/** Runs the engine's client, as the CLI would. Whether it succeeded; one that is not there does not. Never rejects. */
export async function askClient(
  { executables, clock }: { readonly executables: EngineExecutables; readonly clock: Clock },
  { args, env, signal, onStdout = () => {}, onStderr = () => {} }: ClientQuestion,
): Promise<boolean> {
  const file = executables.dockerPath ?? 'docker';
  try {
    const exit = await runProcessGroup({ file, args, env, onStdout, onStderr, clock, signal });
    return exit.exitCode === 0;
  } catch {
    return false;
  }
}
