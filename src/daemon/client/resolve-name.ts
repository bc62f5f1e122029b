import { AgentContainersError } from '../../errors.ts';
import type { WireDevcontainer } from '../../http/wire-schemas.ts';

/** What a person typed, with the folder it can mean. */
export interface NameQuery {
  readonly text: string;
  /** Real absolute path of `text` as a folder; `undefined` when there is no such folder. */
  readonly folder?: string | undefined;
}

const MIN_ID_PREFIX = 4;

/**
 * Finds the devcontainer that `query` means: an id, a name, a unique beginning of an id (4 characters or more), or a
 * workspace folder. What looks like a path (`.`, or with a slash) is only a folder. The first of these that matches
 * anything decides.
 *
 * `devcontainer-ambiguous` with the list when several match, which is a conflict (exit code 4) as it is over HTTP;
 * `devcontainer-not-found` with the nearest names.
 */
export function resolveName(query: NameQuery, entries: readonly WireDevcontainer[]): WireDevcontainer {
  const found = candidates(query, entries);
  const [only, ...others] = found;
  if (only === undefined) throw notFound(query, entries);
  if (others.length === 0) return only;
  throw new AgentContainersError(
    'devcontainer-ambiguous',
    `Finding "${query.text}" failed: several devcontainers match.`,
    {
      details: {
        detail: `Give the id of one of: ${found.map((entry) => `${entry.id} (${entry.name}, ${entry.config_path ?? entry.workspace_folder})`).join('; ')}`,
      },
    },
  );
}

/** Everything that the first matching way finds; empty when nothing does. */
export function candidates({ text, folder }: NameQuery, entries: readonly WireDevcontainer[]): WireDevcontainer[] {
  const byFolder = (): WireDevcontainer[] =>
    folder === undefined ? [] : entries.filter((entry) => entry.workspace_folder === folder);
  if (looksLikePath(text)) return byFolder();
  const ways = [
    () => entries.filter((entry) => entry.id === text),
    () => entries.filter((entry) => entry.name === text),
    () => (text.length < MIN_ID_PREFIX ? [] : entries.filter((entry) => entry.id.startsWith(text))),
    byFolder,
  ];
  for (const way of ways) {
    const found = way();
    if (found.length > 0) return found;
  }
  return [];
}

export function looksLikePath(text: string): boolean {
  return text === '.' || text === '..' || text.includes('/') || text.includes('\\');
}

function notFound({ text }: NameQuery, entries: readonly WireDevcontainer[]): AgentContainersError {
  const near = entries
    .map((entry) => ({ name: entry.name, distance: editDistance(text, entry.name) }))
    .filter(({ name, distance }) => distance <= Math.max(2, text.length / 3) || name.includes(text))
    .toSorted((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ name }) => name);
  const detail =
    near.length > 0
      ? `Did you mean ${near.join(' or ')}? \`agentcontainers list\` shows all.`
      : entries.length === 0
        ? 'There is none yet; bring one up with `agentcontainers up <folder>`.'
        : '`agentcontainers list` shows all.';
  return new AgentContainersError(
    'devcontainer-not-found',
    `Finding "${text}" failed: no devcontainer has this name, id or folder.`,
    {
      details: { detail },
    },
  );
}

/** Levenshtein distance; of texts beyond 100 characters only the beginning counts. */
export function editDistance(left: string, right: string): number {
  const a = left.slice(0, 100);
  const b = right.slice(0, 100);
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
