import { errorMessage } from '../../errors.ts';
import type { Commands } from './commands.ts';
import type { Runtime } from './runtime.ts';

/** A delete that a killed daemon had begun goes on, as soon as it is known which containers there are. */
export async function resumeDeletes(rt: Runtime, commands: Pick<Commands, 'remove'>): Promise<void> {
  const isBegun = (): string[] =>
    [...rt.store.state.entries.values()].filter(({ intent }) => intent?.kind === 'delete').map(({ id }) => id);
  if (isBegun().length === 0) return;
  await firstListing(rt);
  await Promise.all(
    isBegun().map(async (id) => {
      const intent = rt.store.state.entries.get(id)?.intent;
      if (intent?.kind !== 'delete' || rt.closing.aborted) return;
      try {
        await commands.remove(id, { volumes: intent.volumes });
      } catch (error) {
        rt.ports.logger.warn({ err: error, devcontainer: id }, `Going on with a delete failed: ${errorMessage(error)}`);
      }
    }),
  );
}

function firstListing(rt: Runtime): Promise<void> {
  return new Promise((resolve) => {
    const isOver = (): boolean => rt.store.state.observation.status === 'ok' || rt.closing.aborted;
    if (isOver()) return resolve();
    const off = rt.store.onCommit(() => {
      if (!isOver()) return;
      off();
      resolve();
    });
  });
}
