import type { Platform, SubAgentBinary, SubAgentProvider } from '../agentcontainers/ports.ts';
import { buildSubAgentBinary } from './build-configuration.ts';
import type { LeakSource } from './leak-guard.ts';
import { createScriptedCalls } from './scripted-calls.ts';
import type { CallControls } from './scripted-calls.ts';

export interface FakeSubAgentProvider extends SubAgentProvider, CallControls<'resolve'>, LeakSource {
  /** Every platform without an answer of its own gets {@link buildSubAgentBinary}. */
  succeedsByDefault(): FakeSubAgentProvider;
  /** The answer for an architecture in engine words; `undefined`: there is no binary for it. */
  provide(architecture: string, binary: SubAgentBinary | undefined): void;
  /** Every platform that was asked for, oldest first. */
  readonly resolved: readonly Platform[];
}

export function createFakeSubAgentProvider(): FakeSubAgentProvider {
  const calls = createScriptedCalls('subAgentProvider', ['resolve']);
  const binaries = new Map<string, SubAgentBinary | undefined>();
  const resolved: Platform[] = [];
  let fallback: SubAgentBinary | undefined;

  const provider: FakeSubAgentProvider = {
    calls: calls.calls,
    failNext: calls.failNext,
    hang: calls.hang,
    leaks: calls.leaks,

    succeedsByDefault() {
      fallback = buildSubAgentBinary();
      return provider;
    },
    provide: (architecture, binary) => void binaries.set(architecture, binary),
    resolved,

    resolve: (platform, signal) =>
      calls.perform('resolve', signal, () => {
        resolved.push(platform);
        if (binaries.has(platform.architecture)) return binaries.get(platform.architecture);
        if (fallback) return fallback;
        throw calls.unscripted(
          `subAgentProvider.resolve ${platform.operatingSystem}/${platform.architecture}`,
          'Script it with subAgentProvider.provide(…) or subAgentProvider.succeedsByDefault().',
        );
      }),
  };
  return provider;
}
