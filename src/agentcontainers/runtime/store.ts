import { createMailbox } from '../../async/mailbox.ts';
import type { Logger } from '../../logger.ts';
import type { Effect } from '../model/effects.ts';
import type { Event } from '../model/events.ts';
import { reduce } from '../model/reduce.ts';
import type { State } from '../model/state.ts';
import { createProjector, type ListResult } from '../model/view.ts';

/** The one place where state changes. */
export interface Store {
  readonly state: State;
  /** The present projection; the same object until something visible changes. */
  readonly list: ListResult;
  /** Takes the event, then hands its effects on. Events dispatched by effects wait until this one is done. */
  dispatch(event: Event): void;
  /** Called after every commit. */
  onCommit(listener: (state: State) => void): () => void;
  /** Called after commits that changed the projection. */
  onChange(listener: (list: ListResult) => void): () => void;
}

export function createStore(initial: State, execute: (effect: Effect) => void, logger: Logger): Store {
  let state = initial;
  const project = createProjector();
  let list = project(state);
  const commitListeners = new Set<(state: State) => void>();
  const changeListeners = new Set<(list: ListResult) => void>();

  function notify<T>(listeners: Set<(value: T) => void>, value: T): void {
    for (const listener of listeners) {
      try {
        listener(value);
      } catch (error) {
        logger.error({ err: error }, 'A listener threw; the others go on.');
      }
    }
  }

  const mailbox = createMailbox<Event>(
    (event) => {
      const [next, effects] = reduce(state, event);
      if (next !== state) {
        state = next;
        notify(commitListeners, state);
        const projected = project(state);
        if (projected !== list) {
          list = projected;
          notify(changeListeners, list);
        }
      }
      for (const effect of effects) {
        try {
          execute(effect);
        } catch (error) {
          logger.error({ err: error, effect }, `Starting the effect ${effect.type} failed; the others go on.`);
        }
      }
    },
    // A bug in the model leaves the old state as it was.
    (error, event) => logger.error({ err: error, event }, `Taking the event ${event.type} failed; state is unchanged.`),
  );

  return {
    get state() {
      return state;
    },
    get list() {
      return list;
    },
    dispatch: (event) => mailbox.post(event),
    onCommit(listener) {
      commitListeners.add(listener);
      return () => commitListeners.delete(listener);
    },
    onChange(listener) {
      changeListeners.add(listener);
      return () => changeListeners.delete(listener);
    },
  };
}
