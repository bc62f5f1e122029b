/** Lifecycle commands that run in the container, in their order; the one that runs on the host is none of them. */
export const HOOK_NAMES = [
  'onCreateCommand',
  'updateContentCommand',
  'postCreateCommand',
  'postStartCommand',
  'postAttachCommand',
] as const;

export type HookName = (typeof HOOK_NAMES)[number];
