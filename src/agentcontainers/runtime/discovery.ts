import { sep } from 'node:path';
import { linkedScope, sleep } from '../../async/abort.ts';
import type { Instant, Timer } from '../../clock/clock.ts';
import { cancelled } from '../../errors.ts';
import { DISCOVERY_FIRST_WAIT, DISCOVERY_GONE_AFTER, DISCOVERY_INTERVAL } from '../constants.ts';
import type { EntryKey } from '../model/devcontainer.ts';
import type { Entry } from '../model/state.ts';
import type { FoundProjects } from '../ports.ts';
import { devcontainerId } from './devcontainer-id.ts';
import { createRootSearch, type RootSearch } from './root-search.ts';
import type { Runtime } from './runtime.ts';

/** Finds configurations below the roots, and notices when they come and go. */
export interface Discovery {
  /** Begins. Resolves when each root was searched once, or a moment later: a slow disk does not hold up the start. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** What is known of one root. */
interface Root {
  readonly path: string;
  readonly search: RootSearch;
  /** Its real path, and those that it had before: below them there may still be entries. */
  readonly places: Set<string>;
  real: string;
  /** What the last search found, by id. */
  found: ReadonlyMap<string, EntryKey>;
  /** Since when an entry is not found. */
  readonly missing: Map<string, Instant>;
}

export function createDiscovery(rt: Pick<Runtime, 'ports' | 'options' | 'store' | 'closing'>): Discovery {
  const { clock, configFiles } = rt.ports;
  const paths = rt.options.discovery === true ? [...new Set(rt.options.roots ?? [])] : [];
  const roots: readonly Root[] = paths.map((path) => {
    const search = createRootSearch(rt, path, (projects) => take(root, projects));
    const root: Root = { path, search, places: new Set([path]), real: path, found: new Map(), missing: new Map() };
    return root;
  });
  const starting = linkedScope(rt.closing);
  let ticker: Timer | undefined;

  async function take(root: Root, { keys, truncated }: FoundProjects): Promise<boolean> {
    const real = await configFiles.realDirectory(root.path);
    if (real !== undefined) root.places.add((root.real = real));
    const before = root.found;
    root.found = new Map(keys.map((key) => [devcontainerId(key), key]));
    const gone = truncated === undefined ? undefined : await goneOf(root);
    // From here on nothing is awaited, so that what is decided is still true when it is told.
    const missing = unfound(root);
    for (const id of root.missing.keys()) if (!missing.some((entry) => entry.id === id)) root.missing.delete(id);
    const kept = missing.filter(({ id }) => mayComeBack(root, id, gone));
    for (const place of root.places) tell(place, kept);
    return root.found.size !== before.size || [...root.found.keys()].some((id) => !before.has(id));
  }

  /** Entries that this root has to answer for, and that no search has found. */
  function unfound(root: Root): readonly Entry[] {
    return [...rt.store.state.entries.values()].filter(
      ({ id, origin, key }) =>
        origin === 'discovered' && answersFor(root, key) && !roots.some(({ found }) => found.has(id)),
    );
  }

  /** Of several roots that a folder lies below, the one that is nearest to it was searched the deepest. */
  function answersFor(root: Root, { workspaceFolder }: EntryKey): boolean {
    const places = [...root.places].filter((place) => isInside(workspaceFolder, place));
    const isNearer = ({ real }: Root): boolean =>
      isInside(workspaceFolder, real) && places.every((place) => real !== place && isInside(real, place));
    return places.length > 0 && !roots.some((other) => other !== root && isNearer(other));
  }

  /** Where not everything was looked at: entries whose file is really away. */
  async function goneOf(root: Root): Promise<ReadonlySet<string>> {
    const gone = new Set<string>();
    for (const { id, key } of unfound(root)) {
      if ((await configFiles.read(key)).kind === 'missing') gone.add(id);
    }
    return gone;
  }

  /** Only what is missing for a while is taken to be gone. */
  function mayComeBack(root: Root, id: string, gone: ReadonlySet<string> | undefined): boolean {
    if (gone && !gone.has(id)) {
      root.missing.delete(id);
      return true;
    }
    const since = root.missing.get(id) ?? clock.now();
    root.missing.set(id, since);
    const left = since + DISCOVERY_GONE_AFTER - clock.now();
    if (left > 0) root.search.soon(left);
    return left > 0;
  }

  function tell(place: string, kept: readonly Entry[]): void {
    const found = new Map(kept.map(({ id, key }) => [id, key]));
    for (const root of roots) for (const [id, key] of root.found) found.set(id, key);
    // What another root answers for is not judged here.
    for (const { id, origin, key } of rt.store.state.entries.values()) {
      if (origin === 'discovered' && roots.some((root) => !root.places.has(place) && answersFor(root, key)))
        found.set(id, key);
    }
    rt.store.dispatch({
      type: 'discovered',
      root: place,
      found: [...found].filter(([, key]) => isInside(key.workspaceFolder, place)).map(([id, key]) => ({ id, key })),
    });
  }

  return {
    async start() {
      if (roots.length === 0 || rt.closing.aborted) return;
      const searchAll = async (): Promise<void> => {
        await Promise.all(roots.map(({ search }) => search.run()));
      };
      ticker = clock.tickerFunc(DISCOVERY_INTERVAL, searchAll, 'discovery');
      const late = sleep(clock, DISCOVERY_FIRST_WAIT, starting.signal, 'first discovery').catch(() => {});
      await Promise.race([searchAll(), late]);
      starting.abort(cancelled('superseded'));
    },
    async close() {
      ticker?.stop();
      starting.abort(cancelled('closing'));
      await Promise.all(roots.map(({ search }) => search.close()));
    },
  };
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
