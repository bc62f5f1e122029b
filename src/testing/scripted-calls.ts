import { AgentContainersError } from '../errors.ts';
import { createGate } from './gate.ts';
import type { Gate } from './gate.ts';
import type { LeakSource } from './leak-guard.ts';

/** What a test can do to the calls of any fake. `Name` is the union of its methods. */
export interface CallControls<Name extends string> {
  /** How often each method was called. */
  readonly calls: Readonly<Record<Name, number>>;
  /** The next call (or the next `times` calls) of this method rejects with `error` instead of doing anything. */
  failNext(name: Name, error: Error, times?: number): void;
  /**
   * Calls of this method that begin from now on wait at the gate that this returns, or reject when their signal
   * aborts. `at: 'request'` (default): nothing has been done or read yet. `at: 'answer'`: it has been done, and the
   * answer, as of the time of the request, is on its way: for answers that are old when they arrive.
   */
  hang(name: Name, options?: { readonly at?: 'request' | 'answer' }): Gate;
}

export interface ScriptedCalls<Name extends string> extends CallControls<Name>, LeakSource {
  /** Counts the call, applies what was scripted for it, then does `work`. Never answers synchronously. */
  perform<T>(name: Name, signal: AbortSignal | undefined, work: () => T | Promise<T>): Promise<T>;
  /** Remembers the call for the leak check and returns the error to throw. */
  unscripted(call: string, hint: string): AgentContainersError;
  /** Something in a script went wrong and has nowhere to throw: it fails the leak check. */
  report(problem: string): void;
}

/**
 * @param owner who is called, for messages: `engine`
 * @param admit is asked before any work; throws when nothing can be called at all
 */
export function createScriptedCalls<Name extends string>(
  owner: string,
  names: readonly Name[],
  admit: () => void = () => {},
): ScriptedCalls<Name> {
  const calls = Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
  const failures = new Map<Name, Error[]>();
  const gates = new Map<Name, { readonly gate: Gate; readonly at: 'request' | 'answer' }>();
  const underWay = new Map<number, Name>();
  const problems: string[] = [];
  let sequence = 0;

  return {
    calls,
    failNext(name, error, times = 1) {
      failures.set(name, [...(failures.get(name) ?? []), ...Array.from({ length: times }, () => error)]);
    },
    hang(name, options = {}) {
      const gate = createGate();
      gates.set(name, { gate, at: options.at ?? 'request' });
      return gate;
    },
    async perform(name, signal, work) {
      calls[name]++;
      const id = sequence++;
      underWay.set(id, name);
      try {
        signal?.throwIfAborted();
        const held = gates.get(name);
        if (held?.at === 'request') await held.gate.wait(signal);
        admit();
        const failure = failures.get(name)?.shift();
        if (failure) throw failure;
        const answer = await work();
        if (held?.at === 'answer') await held.gate.wait(signal);
        return answer;
      } finally {
        underWay.delete(id);
      }
    },
    unscripted(call, hint) {
      problems.push(`Unscripted call: ${call}`);
      return new AgentContainersError('broken-contract', `Unscripted call: ${call}. ${hint}`);
    },
    report: (problem) => void problems.push(problem),
    leaks: () => [...problems, ...[...underWay.values()].map((name) => `${owner}.${name} has not been answered`)],
  };
}
