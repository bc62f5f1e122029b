import { stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { SubAgentProvider } from '../agentcontainers/ports.ts';
import { AgentContainersError, errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { fileSubAgentProvider } from './file-provider.ts';

const MODULE_EXTENSIONS = new Set(['.js', '.mjs', '.cjs', '.ts', '.mts']);

/**
 * What `--sub-agent` means: a path that ends like a module (`.js`, `.mjs`, `.cjs`; `.ts` and `.mts` where Node runs
 * them) is imported and must export a SubAgentProvider as its default; any other path is the sub-agent's executable.
 * Rejects with `invalid-request`.
 */
export async function loadSubAgentProvider(
  pathOrModule: string,
  options: { readonly cwd?: string | undefined; readonly logger?: Logger | undefined } = {},
): Promise<SubAgentProvider> {
  const path = options.cwd === undefined ? resolve(pathOrModule) : resolve(options.cwd, pathOrModule);
  const stats = await stat(path).catch((error: unknown) => {
    throw refused(path, `it cannot be read (${errorMessage(error)})`, 'Check the path', error);
  });
  if (!stats.isFile()) throw refused(path, 'it is not a regular file', 'Give an executable or a module');
  if (!MODULE_EXTENSIONS.has(extname(path))) return fileSubAgentProvider({ path, logger: options.logger });

  const loaded = (await import(pathToFileURL(path).href).catch((error: unknown) => {
    throw refused(path, `the module cannot be loaded (${errorMessage(error)})`, 'Try it with `node`', error);
  })) as { readonly default?: unknown };
  if (!isProvider(loaded.default)) {
    throw refused(
      path,
      'its default export is not a sub-agent provider',
      'Export an object with a `resolve(platform, signal)` method as default',
    );
  }
  return loaded.default;
}

function isProvider(value: unknown): value is SubAgentProvider {
  return typeof value === 'object' && value !== null && 'resolve' in value && typeof value.resolve === 'function';
}

function refused(path: string, reason: string, next: string, cause?: unknown): AgentContainersError {
  return new AgentContainersError('invalid-request', `Loading the sub-agent ${path} failed: ${reason}. ${next}.`, {
    cause,
  });
}
