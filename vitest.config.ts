import { defineConfig } from 'vitest/config';

// One project a kind of test. `unit` sits beside the code; the others have a folder each.
export default defineConfig({
  test: {
    projects: [
      // Nothing is timed here; a machine that is busy must not fail a test.
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts'],
          exclude: ['src/**/*.isolated.test.ts'],
          testTimeout: 60_000,
          // Loading every module anew for each file costs several times what the tests do.
          isolate: false,
        },
      },
      // What replaces a module needs modules of its own.
      { test: { name: 'unit-isolated', include: ['src/**/*.isolated.test.ts'], testTimeout: 60_000 } },
      { test: { name: 'behaviour', include: ['test/behaviour/**/*.test.ts'], testTimeout: 60_000, isolate: false } },
      { test: { name: 'property', include: ['test/property/**/*.test.ts'], testTimeout: 120_000 } },
      { test: { name: 'package', include: ['test/package/**/*.test.ts'], testTimeout: 120_000 } },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          exclude: process.env['AGENTCONTAINERS_TEST_ENGINE'] === 'podman' ? [] : ['test/integration/podman-*.test.ts'],
          globalSetup: ['test/integration/support/global-setup.ts'],
          runner: './test/integration/support/skip-without-engine.ts',
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
