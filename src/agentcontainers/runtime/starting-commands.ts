import type { CommandSpec } from '../ports.ts';
import { hold } from './hold.ts';
import type { Runtime } from './runtime.ts';

/** Commands on their way to whoever tells of them itself when they run. */
export interface StartingCommands {
  /** From now on, until the returned function is called, it holds a recreate off. */
  begin(rt: Runtime, id: string, spec: CommandSpec): () => void;
  /** Makes holders of those there are now: called before somebody is asked whether it is busy. */
  show(id: string): void;
}

/** Most start within a millisecond or two: each would be two changes for all who watch. */
const SHOWN_AFTER_MS = 100;

export function createStartingCommands(): StartingCommands {
  const hidden = new Map<string, Set<() => void>>();

  return {
    begin(rt, id, spec) {
      let release: (() => void) | undefined;
      const ofThis = hidden.get(id) ?? new Set();
      hidden.set(id, ofThis);
      const hide = (): void => {
        timer.stop();
        ofThis.delete(show);
        if (ofThis.size === 0 && hidden.get(id) === ofThis) hidden.delete(id);
      };
      const show = (): void => {
        hide();
        release = hold(rt, id, spec);
      };
      const timer = rt.ports.clock.afterFunc(SHOWN_AFTER_MS, show, 'a command that starts');
      ofThis.add(show);
      return () => {
        hide();
        release?.();
      };
    },
    show(id) {
      for (const show of hidden.get(id) ?? []) show();
    },
  };
}
