import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { engineArchitecture } from '../../agentcontainers/model/architecture.ts';
import type { Platform, SubAgentProvider } from '../../agentcontainers/ports.ts';
import { AgentContainersError, errorMessage } from '../../errors.ts';
import { createFileDigests } from '../file-digests.ts';

/** The shipped residents; beside `src` in the repository and beside `dist` in the package. */
const DIRECTORY = fileURLToPath(new URL('../../../assets/resident', import.meta.url));
const SUMS = 'SHA256SUMS';
const ARCHITECTURES = ['amd64', 'arm64'];

export interface ResidentSubAgentProviderOptions {
  /** Where `linux-<architecture>/resident` and `SHA256SUMS` are. Default: that of this package. */
  readonly directory?: string | undefined;
  /** For platforms that no resident is made for, and where none was built. Default: there is none for them. */
  readonly fallback?: SubAgentProvider | undefined;
  /** Run as this user instead of the remote user. */
  readonly user?: string | undefined;
  /** Further environment of what runs under it. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/**
 * The resident of this package, for Linux on amd64 and arm64. `resolve` rejects with `sub-agent-delivery-failed` when the
 * file there is not the one that the list of sums says.
 */
export function residentSubAgentProvider(options: ResidentSubAgentProviderOptions = {}): SubAgentProvider {
  const { directory = DIRECTORY, fallback, user, env } = options;
  const digests = createFileDigests();

  return {
    async resolve(platform, signal) {
      const name = nameFor(platform);
      const expected = name === undefined ? undefined : await sumOf(directory, name);
      if (name === undefined || expected === undefined) return fallback?.resolve(platform, signal);

      const path = join(directory, name);
      const file = await digests.digest(path, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        if (isMissing(error)) return undefined;
        throw damaged(path, errorMessage(error));
      });
      if (!file) return fallback?.resolve(platform, signal);
      if (file.sha256 !== expected) throw damaged(path, `its digest is not that of ${SUMS}`);
      return {
        name: 'resident',
        path,
        sha256: file.sha256,
        args: ['agent'],
        versionArgs: ['--version'],
        protocol: 'resident',
        user,
        env,
      };
    },
  };
}

function nameFor({ operatingSystem, architecture }: Platform): string | undefined {
  const known = engineArchitecture(architecture);
  if (operatingSystem.toLowerCase() !== 'linux' || !ARCHITECTURES.includes(known)) return undefined;
  return `linux-${known}/resident`;
}

/** `undefined`: it was not built. */
async function sumOf(directory: string, name: string): Promise<string | undefined> {
  const list = await readFile(join(directory, SUMS), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return '';
    throw damaged(join(directory, SUMS), errorMessage(error));
  });
  for (const line of list.split('\n')) {
    const [, sum, file] = /^([0-9a-f]{64})\s+\*?(?:\.\/)?(\S+)\s*$/.exec(line) ?? [];
    if (file === name) return sum;
  }
  return undefined;
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function damaged(path: string, reason: string): AgentContainersError {
  return new AgentContainersError(
    'sub-agent-delivery-failed',
    `Reading the resident ${path} failed: ${reason}. Install or build the package anew.`,
  );
}
