import { bounded } from '../../async/abort.ts';
import { cancelled, errorMessage } from '../../errors.ts';
import { CLOSE_STEP_TIMEOUT } from '../constants.ts';
import type { Discovery } from './discovery.ts';
import type { Forwards } from './forwards.ts';
import type { Runtime } from './runtime.ts';
import { deleteOwnRecords } from './sub-agent-records.ts';
import type { UpdaterLoop } from './updater-loop.ts';
import type { WatcherLoop } from './watcher-loop.ts';

/**
 * Ends everything in the one order that leaves nothing behind: no new work, then what makes work, then work, then
 * processes, then the records that processes used.
 */
export async function shutdown(
  rt: Runtime,
  loops: {
    readonly updater: UpdaterLoop;
    readonly watcher: WatcherLoop;
    readonly discovery: Discovery;
    readonly forwards: Forwards;
  },
  abortClosing: (reason: unknown) => void,
): Promise<void> {
  const { clock, logger, engine } = rt.ports;
  const step = async (name: string, work: () => Promise<void>): Promise<void> => {
    try {
      await bounded(clock, CLOSE_STEP_TIMEOUT, name, undefined, work);
    } catch (error) {
      logger.error({ err: error }, `Closing: ${name} failed: ${errorMessage(error)}`);
    }
  };
  rt.store.dispatch({ type: 'closing' });
  const reason = cancelled('closing');
  abortClosing(reason);
  rt.lanes.abortAll(reason);
  rt.tails.endAll('closing');
  // Connections go through sub-agents, which end later.
  await step('forwards', () => loops.forwards.close());
  await step('discovery', () => loops.discovery.close());
  await step('updater', () => loops.updater.close());
  await step('jobs', () => rt.lanes.drain());
  await step('hooks', () => rt.tails.drain());
  await step('sub-agents', () => (rt.options.keepSubAgents ? rt.supervision.leaveAll() : rt.supervision.endAll()));
  await step('injections', () => rt.injections.drain());
  await step('tasks', () => rt.tasks.drain());
  await step('records', () => deleteOwnRecords(rt));
  await step('state', () => rt.persistence.flush());
  rt.store.dispatch({ type: 'closed' });
  await step('late records', () => rt.tasks.drain());
  await step('watcher', () => loops.watcher.close());
  await step('engine', () => engine.close());
}
