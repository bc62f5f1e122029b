/**
 * The user's own shell, or the best that is there, as at a login. Not a line for that shell: there are shells that do not
 * understand it.
 */
export const LOGIN_SHELL: readonly string[] = [
  '/bin/sh',
  '-c',
  'for shell in "$SHELL" /bin/bash /bin/sh; do [ -x "$shell" ] && exec "$shell" -l; done; exec sh -l',
];
