import { engineArchitecture } from '../agentcontainers/model/architecture.ts';
import type { Platform } from '../agentcontainers/ports.ts';

/** `linux/amd64`, `linux/arm/v7`. */
export function platformName(platform: Platform): string {
  const base = `${platform.operatingSystem.toLowerCase()}/${engineArchitecture(platform.architecture)}`;
  return platform.variant ? `${base}/${platform.variant.toLowerCase()}` : base;
}
