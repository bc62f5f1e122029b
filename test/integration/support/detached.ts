/**
 * A line that leaves its session and does not mind the end of it, as with `setsid nohup`; busybox of the base image has no
 * `nohup`. Without single quotes in `program`.
 */
export const detached = (program: string): string => `setsid sh -c 'trap "" HUP; exec ${program}' >/dev/null 2>&1`;
