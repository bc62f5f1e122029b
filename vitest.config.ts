import { defineConfig } from 'vitest/config';

// What takes long, and is the same on each version of Node.js.
const long = ['src/subagent/sub-agent-script.test.ts', 'src/devcontainercli/hostile-folder.test.ts'];
const left = process.env['AGENTCONTAINERS_TEST_SHORT'] ? long : [];

// Vitest passes over a name that no project has, as long as another one has: tests would be left out without a word.
const NAMES = ['unit', 'unit-isolated', 'behaviour', 'property', 'package', 'integration'];
process.argv.forEach((argument, at, all) => {
  const [, name = argument === '--project' ? all[at + 1] : undefined] = /^--project=(.*)$/.exec(argument) ?? [];
  if (name !== undefined && !/[*!]/.test(name) && !NAMES.includes(name))
    throw new Error(`There is no project ${name}.`);
});

// One project a kind of test. `unit` sits beside the code; the others have a folder each.
export default defineConfig({
  test: {
    projects: [
      // Nothing is timed here; a machine that is busy must not fail a test.
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts'],
          exclude: ['src/**/*.isolated.test.ts', ...left],
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
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
