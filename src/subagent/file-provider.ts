import { basename } from 'node:path';
import type { Platform, SubAgentBinary, SubAgentProvider } from '../agentcontainers/ports.ts';
import { AgentContainersError, errorMessage, isCancelled } from '../errors.ts';
import { silentLogger } from '../logger.ts';
import type { Logger } from '../logger.ts';
import { createFileDigests } from './file-digests.ts';
import type { ExecutableFormat } from './inspect-executable.ts';
import { platformName } from './platform-name.ts';
import { refusePlatform } from './refuse-platform.ts';

type BinaryOptions = Pick<
  SubAgentBinary,
  'args' | 'versionArgs' | 'env' | 'user' | 'readyLine' | 'heartbeat' | 'busyLines'
>;

export type FileSubAgentProviderOptions = BinaryOptions & {
  /** Base name inside the container; default: that of the file, made safe. */
  readonly name?: string | undefined;
  /** Told once per file when it needs a dynamic loader in the container. */
  readonly logger?: Logger | undefined;
} & (
    | { /** One executable for every platform. */ readonly path: string }
    | {
        /** Host path by platform: `linux/amd64`, `linux/arm64`, `linux/arm/v7` (tried first) or `linux/arm`. */
        readonly byPlatform: Readonly<Record<string, string>>;
      }
  );

/**
 * Gives an executable of this machine as the sub-agent. Its digest is computed once and again when the file changes.
 * `resolve` rejects with `sub-agent-delivery-failed` when the file cannot be read, and with `sub-agent-unsupported` when
 * it is not made for the platform.
 */
export function fileSubAgentProvider(options: FileSubAgentProviderOptions): SubAgentProvider {
  const digests = createFileDigests();
  const logger = options.logger ?? silentLogger;
  const warned = new Set<string>();

  return {
    async resolve(platform, signal) {
      const path = choosePath(options, platform);
      if (path === undefined) return undefined;

      const file = await digests.digest(path, signal).catch((error: unknown) => {
        if (signal.aborted || isCancelled(error)) throw error;
        throw new AgentContainersError(
          // Not `sub-agent-unsupported`, which is never retried: the file may be built or mounted just now.
          'sub-agent-delivery-failed',
          `Reading the sub-agent ${path} failed: ${errorMessage(error)}. Check the path that was given for it.`,
          { cause: error },
        );
      });
      const refusal = refusePlatform(file.format, platform);
      if (refusal !== undefined) {
        throw new AgentContainersError(
          'sub-agent-unsupported',
          `Choosing the sub-agent ${path} for ${platformName(platform)} failed: ${refusal}. Give an executable for this platform.`,
          { details: { path, platform: platformName(platform) } },
        );
      }
      const warning = loaderWarning(path, file.format);
      if (warning !== undefined && !warned.has(path)) {
        warned.add(path);
        logger.warn({ path }, warning);
      }
      const { args, versionArgs, env, user, readyLine, heartbeat, busyLines } = options;
      const name = safeName(options.name ?? basename(path));
      return { name, path, sha256: file.sha256, args, versionArgs, env, user, readyLine, heartbeat, busyLines };
    },
  };
}

function choosePath(options: FileSubAgentProviderOptions, platform: Platform): string | undefined {
  if (platform.operatingSystem.toLowerCase() !== 'linux') return undefined;
  if ('path' in options) return options.path;
  const names = [platformName(platform), platformName({ ...platform, variant: undefined })];
  for (const name of names) {
    if (Object.hasOwn(options.byPlatform, name)) return options.byPlatform[name];
  }
  return undefined;
}

/** What a person should know of an executable that is not self-contained. */
function loaderWarning(path: string, format: ExecutableFormat): string | undefined {
  if (format.format !== 'elf' || format.interpreter === undefined) return undefined;
  return `The sub-agent ${path} is dynamically linked: it runs only in containers that have ${format.interpreter} and its libraries. A static executable runs in all.`;
}

function safeName(name: string): string {
  const safe = name
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, 64);
  return safe === '' ? 'sub-agent' : safe;
}
