import type { Effect } from './effects.ts';
import { mayStartByItself, type Entry, type State } from './state.ts';

/**
 * Starts an entry by itself, once in the life of the library: when its configuration asks for it, a person has accepted
 * what that can do to the host, and it is known that nobody has started it and no person stopped it. One that ran already
 * has had its start: what ended it since is not undone.
 */
export function decideAutoStart(state: State, entry: Entry): readonly [Entry, readonly Effect[]] {
  if (!state.settings.autoStart || entry.autoStarted === true) return [entry, []];
  // Whatever started it, and whoever owns it now: there is nothing left to do here.
  if (entry.phase.status !== 'stopped') return [{ ...entry, autoStarted: true }, []];
  const isWanted =
    entry.autoStart &&
    !entry.stoppedByPerson &&
    entry.level !== 'seen' &&
    // The last good value of a file that is broken now starts nothing.
    entry.configError === undefined &&
    entry.verdict !== undefined &&
    // What a killed daemon left half done comes first.
    entry.intent === undefined &&
    // Before the first listing nobody knows whether it runs.
    state.observation.status === 'ok' &&
    state.lifecycle === 'open';
  if (!isWanted) return [entry, []];
  if (mayStartByItself(state, entry)) return [{ ...entry, autoStarted: true }, [{ type: 'autoStart', id: entry.id }]];
  return entry.autoStartAsked === entry.verdict?.hash ? [entry, []] : askForTrust(entry);
}

/** A build runs whatever a repository says, also where nothing of it reaches the host: nobody need put up with that. */
function askForTrust(entry: Entry): readonly [Entry, readonly Effect[]] {
  const { id, name, verdict } = entry;
  // Where there is nothing to be shown the command does not ask either.
  const how = verdict?.findings.length === 0 ? '--yes ' : '';
  const message = `${name} asks to be started by itself, which nobody has accepted yet. Look at it, and accept it with: agentcontainers trust ${how}${name}`;
  return [{ ...entry, autoStartAsked: verdict?.hash }, [{ type: 'warn', message, fields: { devcontainer: id } }]];
}
