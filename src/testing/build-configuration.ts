import { posix } from 'node:path';
import type { MergedConfiguration, SubAgentBinary } from '../agentcontainers/ports.ts';

/** The value of a devcontainer.json. */
export function buildConfig(overrides: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { image: 'agentcontainers-base:1', ...overrides };
}

/** What the CLI says of a folder's configuration: mounted at `/workspaces/<base name>`, without customizations and profiles. */
export function buildMergedConfiguration(
  folder: string,
  overrides: Partial<MergedConfiguration> = {},
): MergedConfiguration {
  return {
    workspaceFolder: `/workspaces/${posix.basename(folder)}`,
    remoteEnv: {},
    userEnvProbe: 'none',
    customizations: [],
    hooks: {},
    ...overrides,
  };
}

/** An executable that can be injected. There is no file behind its path. */
export function buildSubAgentBinary(overrides: Partial<SubAgentBinary> = {}): SubAgentBinary {
  return { name: 'fake-agent', path: '/opt/fake-agent', sha256: 'a'.repeat(64), ...overrides };
}
