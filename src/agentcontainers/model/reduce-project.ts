import type { Effect } from './effects.ts';
import type { Event } from './events.ts';
import type { State } from './state.ts';

const KEPT = 1_000;

/** The newest are kept; of two that are not there any more the later one has what is left of a project. */
export function reduceProjectChosen(
  state: State,
  { id, project }: Extract<Event, { type: 'projectChosen' }>,
): readonly [State, readonly Effect[]] {
  if (state.projects.get(id) === project && [...state.projects.keys()].at(-1) === id) return [state, []];
  const others = [...state.projects].filter(
    ([other, name]) => other !== id && (name !== project || state.entries.has(other)),
  );
  const projects = new Map([...others, [id, project] as const].slice(-KEPT));
  return [{ ...state, projects }, [{ type: 'persist' }]];
}
