/**
 * `remoteEnv` of a merged configuration as an environment: `${containerEnv:NAME}` and `${containerEnv:NAME:default}`
 * are filled from the container's own environment; `null` means that the variable is not set.
 */
export function remoteEnvironment(
  remoteEnv: Readonly<Record<string, string | null>>,
  containerEnv: readonly string[],
): Record<string, string> {
  const container = new Map(
    containerEnv.map((pair) => {
      const at = pair.indexOf('=');
      return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(remoteEnv)) {
    if (value === null) continue;
    environment[name] = value.replaceAll(
      /\$\{containerEnv:([^:}]+)(?::([^}]*))?\}/g,
      (_whole, variable: string, fallback: string | undefined) => container.get(variable) ?? fallback ?? '',
    );
  }
  return environment;
}
