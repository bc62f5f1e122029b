import { linkedScope } from '../../../async/abort.ts';
import { errorMessage, isCancelled, AgentContainersError } from '../../../errors.ts';
import { createLineSplitter } from '../../../text/line-splitter.ts';
import { plainLine } from '../../../text/plain-text.ts';
import { soundsSecret } from '../../../text/secret-names.ts';
import { withoutValues } from '../../../text/secret-values.ts';
import type { EffectMap } from '../../model/effects.ts';
import type { HookRan } from '../../model/events.ts';
import type { ExecSession, HookCommand, HookName } from '../../ports.ts';
import { commandEnv } from '../command-env.ts';
import { commandSettings, openSession } from '../exec.ts';
import type { Runtime } from '../runtime.ts';
import { presentHook } from './present-hook.ts';

const LONGEST_LINE = 4_096;
const TAIL_LINES = 40;
const MOST_SECRETS = 100;

/** Runs a lifecycle command again, as `up` does: as the remote user, in the workspace folder. A tail like any other. */
export function rerunHook(rt: Runtime, { id, jobId, hook }: EffectMap['rerunHook']): Promise<void> {
  const scope = linkedScope(rt.closing);
  const ran = ranNow(rt, id);
  const ended = run(rt, { id, hook: hook as HookName, signal: scope.signal })
    .then(
      (failure) => rt.store.dispatch({ type: 'hookEnded', id, jobId, failure, ran, at: rt.ports.clock.now() }),
      (error: unknown) => {
        const isCancel = scope.signal.aborted && isCancelled(scope.signal.reason);
        const message = errorMessage(error);
        const failure = { message, degraded: { phase: hook, outputTail: '' } };
        const at = rt.ports.clock.now();
        rt.store.dispatch({ type: 'hookEnded', id, jobId, failure, isCancelled: isCancel, at });
      },
    )
    .finally(() => scope.release());
  rt.tails.add(id, { abort: scope.abort, ended });
  return ended;
}

/** What counts as run when it ends well: as it is before its command is looked up. Edited meanwhile it is dirty again. */
function ranNow(rt: Runtime, id: string): HookRan | undefined {
  const { link, config } = rt.store.state.entries.get(id) ?? {};
  return link && config && { containerId: link.id, config };
}

interface Failure {
  readonly message: string;
  readonly degraded: { phase: string; command: string; exitCode?: number; outputTail: string };
}

async function run(
  rt: Runtime,
  { id, hook, signal }: { readonly id: string; readonly hook: HookName; readonly signal: AbortSignal },
): Promise<Failure | undefined> {
  const entry = rt.store.state.entries.get(id);
  const containerId = entry?.link?.id;
  if (!entry || containerId === undefined) return undefined;
  const { details, configuration } = await commandSettings(rt, entry, containerId, signal);
  const commands = presentHook(configuration, hook, details.labels);
  if (commands.length === 0) {
    throw new AgentContainersError(
      'invalid-request',
      `Running the ${hook} failed: the configuration has none. Add one, and try again.`,
    );
  }
  const user = configuration.remoteUser ?? (details.user === '' ? undefined : details.user);
  const { env: remote } = await commandEnv(rt, id, { id: containerId, user, details, configuration }, signal);
  const redact = withoutValues(secretsOf(remote, details.env));
  for (const command of commands) {
    // The parts of an object run at the same time, everything else one after the other.
    const parts = partsOf(command);
    const results = await Promise.all(
      parts.map((argv) => runOne(rt, { id: entry.id, containerId, hook, argv, remote, redact, signal })),
    );
    const failed = results.find((result) => result.exitCode !== 0);
    if (failed) {
      const { exitCode, outputTail } = failed;
      const text = redact(failed.argv.join(' ')).slice(0, LONGEST_LINE);
      const how = exitCode === null ? 'its end was not seen' : `it exited with code ${exitCode}`;
      const message = `Running the ${hook} failed: ${how}. Correct it, and run it again with: agentcontainers rerun-hook ${entry.name} ${hook}`;
      return {
        message,
        degraded: { phase: hook, command: text, ...(exitCode === null ? {} : { exitCode }), outputTail },
      };
    }
  }
  return undefined;
}

function partsOf(command: HookCommand): readonly (readonly string[])[] {
  const argvOf = (one: string | readonly string[]): readonly string[] =>
    typeof one === 'string' ? ['/bin/sh', '-c', one] : one;
  if (typeof command === 'string' || Array.isArray(command)) return [argvOf(command as string | readonly string[])];
  return Object.values(command as Readonly<Record<string, string | readonly string[]>>).map(argvOf);
}

interface Result {
  readonly argv: readonly string[];
  readonly exitCode: number | null;
  readonly outputTail: string;
}

/** What the environment of its commands holds; the container's own is there too. */
function secretsOf(remoteEnv: Readonly<Record<string, string>>, env: readonly string[]): string[] {
  const pairs = env.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const);
  return [...Object.entries(remoteEnv), ...pairs]
    .filter(([name]) => soundsSecret(name))
    .map(([, value]) => value)
    .slice(0, MOST_SECRETS);
}

async function runOne(
  rt: Runtime,
  run: {
    readonly id: string;
    readonly containerId: string;
    readonly hook: string;
    readonly argv: readonly string[];
    readonly remote: Readonly<Record<string, string>>;
    readonly redact: (text: string) => string;
    readonly signal: AbortSignal;
  },
): Promise<Result> {
  const { id, containerId, hook, argv, remote, redact, signal } = run;
  const entry = rt.store.state.entries.get(id);
  if (!entry || argv.length === 0) return { argv, exitCode: 0, outputTail: '' };
  rt.ports.logSink.append(id, `Running ${hook}: ${plainLine(redact(argv.join(' '))).slice(0, 300)}\n`);
  const session = await openSession(rt, entry, containerId, { argv, signal }, remote);
  const tail: string[] = [];
  const read = async (stream: ExecSession['stdout']): Promise<void> => {
    const lines = createLineSplitter(LONGEST_LINE, (line) => {
      const text = plainLine(redact(line));
      rt.ports.logSink.append(id, `${text}\n`);
      tail.push(text);
      if (tail.length > TAIL_LINES) tail.shift();
    });
    const decoder = new TextDecoder();
    for await (const chunk of stream) lines.push(decoder.decode(chunk, { stream: true }));
    lines.push(decoder.decode());
    lines.end();
  };
  const [exit] = await Promise.all([session.exited, read(session.stdout), read(session.stderr)]);
  signal.throwIfAborted();
  return { argv, exitCode: exit.exitCode, outputTail: tail.join('\n') };
}
