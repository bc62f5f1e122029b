import { decideAutoStart } from './decide-auto-start.ts';
import type { ConfigError } from './devcontainer.ts';
import type { Effect } from './effects.ts';
import { reuse } from './equality.ts';
import type { ConfigReading, Event } from './events.ts';
import { chooseName } from './names.ts';
import { isTransitioning, withEntry, type Entry, type KnownConfig, type State } from './state.ts';
import { takenNames } from './entry-name.ts';

/** A config was read anew: dirty follows from it at once, without waiting for a pass. */
export function reduceConfigRead(
  state: State,
  event: Extract<Event, { type: 'configRead' }>,
): readonly [State, readonly Effect[]] {
  const before = state.entries.get(event.id);
  if (!before) return [state, []];
  const entry = withReading(state, before, event.reading);
  if (entry === before) return [state, []];
  const [decided, autoStart] = decideAutoStart(state, entry);
  const next = withEntry(state, decided);
  const policyChanged = entry.ignored !== before.ignored || entry.name !== before.name;
  if (!policyChanged) return [next, autoStart];
  // Kept at once: after a restart it must hold also while the file cannot be read.
  const persist: Effect = { type: 'persist' };
  return [
    next,
    isTransitioning(entry.phase)
      ? [...autoStart, persist]
      : [...autoStart, { type: 'refresh', reason: 'configuration' }, persist],
  ];
}

/** A file that is broken or away keeps the last good fingerprint, name and opt-out. */
export function withReading(state: State, entry: Entry, reading: ConfigReading): Entry {
  switch (reading.kind) {
    case 'missing':
      return withError(entry, { message: 'There is no such file.', line: 1, column: 1 });
    case 'invalid':
      return withError(entry, reading.error);
    case 'valid': {
      const { ignored, autoStart } = reading;
      const config = sameInputs(entry.config, reading.config) ? entry.config : reading.config;
      const verdict = reuse(entry.verdict, reading.verdict);
      const named = withName(state, entry, reading.name);
      return reuse(entry, { ...named, config, verdict, ignored, autoStart, configError: undefined });
    }
  }
}

/** Written again with the same content it is the same, as old as it was. */
function sameInputs(before: KnownConfig | undefined, after: KnownConfig): boolean {
  return before !== undefined && reuse(before, { ...after, modifiedAt: before.modifiedAt }) === before;
}

function withError(entry: Entry, error: ConfigError): Entry {
  const configError = reuse(entry.configError, error);
  return configError === entry.configError ? entry : { ...entry, configError };
}

/** A name that the user chose is never altered; without one the folder gives it, and once given it stays. */
function withName(state: State, entry: Entry, configured: string | undefined): Entry {
  const chosen = configured ?? entry.manifestName;
  if (chosen !== undefined) {
    return entry.name === chosen && entry.nameSource === 'chosen'
      ? entry
      : { ...entry, name: chosen, nameSource: 'chosen' };
  }
  if (entry.nameSource === 'folder') return entry;
  return { ...entry, name: chooseName(entry.key.workspaceFolder, takenNames(state, entry.id)), nameSource: 'folder' };
}
