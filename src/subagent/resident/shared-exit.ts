import { createDeferred } from '../../async/deferred.ts';
import type { Deferred } from '../../async/deferred.ts';
import type { CommandExit } from '../../agentcontainers/ports.ts';
import { LOST } from './process-view.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { toExit } from './wire.ts';

const exits = new WeakMap<ResidentAgent, Map<string, Deferred<CommandExit>>>();

/**
 * The exit of a process that runs, the same for all who view it: what views there were of one that runs for long, and have
 * been left, would else be kept until it ends.
 */
export function sharedExit(agent: ResidentAgent, id: string): Deferred<CommandExit> {
  const ofAgent = exits.get(agent) ?? new Map<string, Deferred<CommandExit>>();
  exits.set(agent, ofAgent);
  const known = ofAgent.get(id);
  if (known) return known;
  const exit = createDeferred<CommandExit>();
  ofAgent.set(id, exit);
  const unwatch = agent.watchEnd(id, (process) => exit.resolve(process?.exit ? toExit(process.exit) : LOST));
  void exit.promise.then(() => {
    unwatch();
    ofAgent.delete(id);
  });
  return exit;
}
