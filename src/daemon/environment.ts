const PREFIX = 'AGENTCONTAINERS_';
/** Flags without a value: their variable holds yes or no. */
const BOOLEAN = [
  'AGENTCONTAINERS_LOG_JSON',
  'AGENTCONTAINERS_DISCOVERY',
  'AGENTCONTAINERS_NO_DISCOVERY',
  'AGENTCONTAINERS_AUTOSTART',
];
/** Of a flag that is on by default: the one that switches it off. */
const OPPOSITES: ReadonlyMap<string, string> = new Map([['AGENTCONTAINERS_DISCOVERY', 'AGENTCONTAINERS_NO_DISCOVERY']]);
const FALSE = new Set(['0', 'false', 'no', 'off']);

/**
 * Makes our variables mean what people expect: an empty one counts as unset, and `0`, `false`, `no` or `off` switch a
 * flag off (commander takes the mere presence of a variable for `true`). Changes `env` in place.
 */
export function normalizeEnvironment(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(env)) {
    if (!name.startsWith(PREFIX)) continue;
    const value = env[name]?.trim() ?? '';
    const isOff = BOOLEAN.includes(name) && FALSE.has(value.toLowerCase());
    if (value === '' || isOff) delete env[name];
    const opposite = OPPOSITES.get(name);
    if (isOff && opposite !== undefined) env[opposite] = '1';
  }
}
