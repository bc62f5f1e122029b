import { HOOK_NAMES } from '../agentcontainers/model/hook-names.ts';

/** Lifecycle hooks in the order in which they run. */
export const HOOKS = ['initializeCommand', ...HOOK_NAMES] as const;

export type Hook = (typeof HOOKS)[number];

const DEFAULT_WAIT_FOR: Hook = 'updateContentCommand';

export function isHook(name: unknown): name is Hook {
  return HOOKS.some((hook) => hook === name);
}

/**
 * The hook that a tool waits for before it lets people in. Only the workspace's own file is looked at: a `waitFor` in
 * the metadata of an image or feature is not known before the CLI has merged it, and the default stands in.
 */
export function waitForOf(config: Readonly<Record<string, unknown>>): Hook {
  const value = config['waitFor'];
  return isHook(value) ? value : DEFAULT_WAIT_FOR;
}

/** True when the beginning of `hook` means that `waitFor` and everything before it has ended. */
export function comesAfter(hook: Hook, waitFor: Hook): boolean {
  return HOOKS.indexOf(hook) > HOOKS.indexOf(waitFor);
}
