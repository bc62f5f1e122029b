const PREFIX = 'AGENTCONTAINERS_';
/** Flags without a value: their variable holds yes or no. */
const BOOLEAN = ['AGENTCONTAINERS_LOG_JSON'];
const FALSE = new Set(['0', 'false', 'no', 'off']);

/**
 * Makes our variables mean what people expect: an empty one counts as unset, and `0`, `false`, `no` or `off` switch a
 * flag off (commander takes the mere presence of a variable for `true`). Changes `env` in place.
 */
export function normalizeEnvironment(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(env)) {
    if (!name.startsWith(PREFIX)) continue;
    const value = env[name]?.trim() ?? '';
    if (value === '' || (BOOLEAN.includes(name) && FALSE.has(value.toLowerCase()))) delete env[name];
  }
}
