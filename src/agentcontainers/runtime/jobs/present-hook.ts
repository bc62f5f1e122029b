import { LABEL } from '../../model/container.ts';
import type { HookCommand, HookName, MergedConfiguration } from '../../ports.ts';

/**
 * The commands of a hook as they are now. Of a container that was made with a configuration the CLI merges what its label
 * says, whose last layer is that configuration as it was then: the present one takes its place.
 *
 * @param labels of the container
 */
export function presentHook(
  { hooks, ownHooks }: MergedConfiguration,
  hook: HookName,
  labels: Readonly<Record<string, string>>,
): readonly HookCommand[] {
  const merged = hooks[hook] ?? [];
  const made = lastLayer(labels[LABEL.metadata]);
  if (!made || !ownHooks) return merged;
  const own = ownHooks[hook];
  const below = isCommand(made[hook]) ? merged.slice(0, -1) : merged;
  return own === undefined ? below : [...below, own];
}

/** A layer with an id is a feature's, not that of the configuration. */
function lastLayer(label: string | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    const layers: unknown = JSON.parse(label ?? '');
    const last: unknown = Array.isArray(layers) ? layers.at(-1) : layers;
    const isLayer = typeof last === 'object' && last !== null && !Object.hasOwn(last, 'id');
    return isLayer ? (last as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** As the merge leaves out what is none. */
function isCommand(value: unknown): boolean {
  if (typeof value === 'string') return value !== '';
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}
