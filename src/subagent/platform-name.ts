import type { Platform } from '../agentcontainers/ports.ts';

const ARCHITECTURE_ALIASES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  i386: '386',
  i686: '386',
  armhf: 'arm',
  armv7l: 'arm',
};

/** Engine word for an architecture, also when another tool's word is given. */
export function engineArchitecture(architecture: string): string {
  const lower = architecture.toLowerCase();
  return ARCHITECTURE_ALIASES[lower] ?? lower;
}

/** `linux/amd64`, `linux/arm/v7`. */
export function platformName(platform: Platform): string {
  const base = `${platform.operatingSystem.toLowerCase()}/${engineArchitecture(platform.architecture)}`;
  return platform.variant ? `${base}/${platform.variant.toLowerCase()}` : base;
}
