/**
 * Loads what the first answer did not need, so that nothing is read from the package any more: it may be replaced while the
 * daemon runs.
 */
export async function loadTheRest(): Promise<void> {
  await Promise.all([
    import('../../devcontainercli/cli-commands.ts'),
    import('../../devcontainercli/compose/parse-yaml.ts'),
    import('../../http/openapi.ts'),
    import('../../subagent/container-launcher.ts'),
  ]);
}
