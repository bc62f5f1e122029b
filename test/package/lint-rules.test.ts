import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const repository = join(import.meta.dirname, '../..');

// What must not be written, where, and which rule says so. Every line is seen red here once a run.
const FORBIDDEN: readonly (readonly [path: string, code: string, rule: string])[] = [
  ['src/agentcontainers/model/reads-clock-port.ts', `import '../../clock/clock.ts';`, 'no-restricted-imports'],
  ['src/agentcontainers/model/reads-ports.ts', `import '../ports.ts';`, 'no-restricted-imports'],
  ['src/agentcontainers/model/uses-library.ts', `import 'uuid';`, 'no-restricted-imports'],
  ['src/agentcontainers/model/uses-node.ts', `import 'node:fs';`, 'no-restricted-imports'],
  ['src/agentcontainers/model/uses-date.ts', `export const at = Date.now();`, 'no-restricted-globals'],
  ['src/agentcontainers/model/uses-crypto.ts', `export const id = crypto.randomUUID();`, 'no-restricted-globals'],
  ['src/agentcontainers/model/uses-random.ts', `export const n = Math.random();`, 'no-restricted-properties'],
  ['src/agentcontainers/knows-http.ts', `import '../http/index.ts';`, 'no-restricted-imports'],
  ['src/agentcontainers/knows-daemon.ts', `import '../daemon/main.ts';`, 'no-restricted-imports'],
  ['src/agentcontainers/runtime/knows-http.ts', `import '../../http/index.ts';`, 'no-restricted-imports'],
  ['src/agentcontainers/runtime/jobs/knows-daemon.ts', `import '../../../daemon/main.ts';`, 'no-restricted-imports'],
  ['src/agentcontainers/runtime/knows-engine.ts', `import '../../engine/adapter.ts';`, 'no-restricted-imports'],
  ['src/async/knows-model.ts', `import '../agentcontainers/model/state.ts';`, 'no-restricted-imports'],
  ['src/async/uses-library.ts', `import 'uuid';`, 'no-restricted-imports'],
  ['src/async/knows-process.ts', `import '../process/process-identity.ts';`, 'no-restricted-imports'],
  ['src/process/knows-clock.ts', `import '../clock/clock.ts';`, 'no-restricted-imports'],
  ['src/process/uses-date.ts', `export const at = Date.now();`, 'no-restricted-globals'],
  ['src/clock/knows-async.ts', `import '../async/abort.ts';`, 'no-restricted-imports'],
  ['src/engine/knows-runtime.ts', `import '../agentcontainers/runtime/store.ts';`, 'no-restricted-imports'],
  ['src/engine/knows-adapter.ts', `import '../watcher/chokidar.ts';`, 'no-restricted-imports'],
  ['src/devcontainercli/uses-dockerode.ts', `import 'dockerode';`, 'no-restricted-imports'],
  ['src/subagent/uses-dockerode.ts', `import 'dockerode';`, 'no-restricted-imports'],
  ['src/watcher/knows-runtime.ts', `import '../agentcontainers/runtime/store.ts';`, 'no-restricted-imports'],
  ['src/discovery/knows-runtime.ts', `import '../agentcontainers/runtime/store.ts';`, 'no-restricted-imports'],
  ['src/discovery/knows-adapter.ts', `import '../devcontainercli/config-paths.ts';`, 'no-restricted-imports'],
  ['src/devcontainercli/knows-discovery.ts', `import '../discovery/project-finder.ts';`, 'no-restricted-imports'],
  ['src/agentcontainers/runtime/knows-discovery.ts', `import '../../discovery/finder.ts';`, 'no-restricted-imports'],
  ['src/listening/knows-runtime.ts', `import '../agentcontainers/runtime/store.ts';`, 'no-restricted-imports'],
  ['src/listening/knows-adapter.ts', `import '../engine/adapter.ts';`, 'no-restricted-imports'],
  ['src/agentcontainers/runtime/knows-listener.ts', `import '../../listening/listener.ts';`, 'no-restricted-imports'],
  ['src/engine/uses-chokidar.ts', `import 'chokidar';`, 'no-restricted-imports'],
  ['src/engine/uses-cli.ts', `import '@devcontainers/cli/package.json';`, 'no-restricted-imports'],
  ['src/http/knows-runtime.ts', `import '../agentcontainers/runtime/store.ts';`, 'no-restricted-imports'],
  ['src/http/knows-engine.ts', `import '../engine/adapter.ts';`, 'no-restricted-imports'],
  ['src/testing/knows-engine.ts', `import '../engine/adapter.ts';`, 'no-restricted-imports'],
  ['src/daemon/knows-runtime.ts', `import '../agentcontainers/runtime/store.ts';`, 'no-restricted-imports'],
  ['src/daemon/knows-fakes.ts', `import '../testing/index.ts';`, 'no-restricted-imports'],
  ['src/daemon/uses-dockerode.ts', `import 'dockerode';`, 'no-restricted-imports'],
  ['src/http/reexports-runtime.ts', `export * from '../agentcontainers/runtime/store.ts';`, 'no-restricted-imports'],
  ['src/http/uses-date.ts', `export const at = new Date();`, 'no-restricted-globals'],
  ['src/http/uses-timer.ts', `setTimeout(() => {}, 1);`, 'no-restricted-globals'],
  ['src/http/uses-timer-module.ts', `import 'node:timers/promises';`, 'no-restricted-imports'],
  ['src/http/uses-signal-timer.ts', `export const s = AbortSignal.timeout(1);`, 'no-restricted-properties'],
  ['src/http/uses-process.ts', `export const e = process.env;`, 'no-restricted-globals'],
  ['src/http/uses-process-module.ts', `import 'node:process';`, 'no-restricted-imports'],
  ['src/http/uses-console.ts', `console.log('x');`, 'no-console'],
  ['src/http/is-too-long.ts', lines(251), 'max-lines'],
  ['src/http/uses-any.ts', `export const f = (x: any): unknown => x;`, 'no-explicit-any'],
  ['src/http/has-default.ts', `export default 1;`, 'no-default-export'],
  ['src/http/drops-promise.ts', `async function f(): Promise<void> {}\nf();`, 'no-floating-promises'],
  [
    'src/http/forgets-case.ts',
    `export function f(k: 'a' | 'b'): void { switch (k) { case 'a': break; } }`,
    'switch-exhaustiveness-check',
  ],
];

// What must stay possible: the same things where they belong.
const ALLOWED: readonly (readonly [path: string, code: string])[] = [
  ['src/agentcontainers/model/reads-sibling.ts', `import './state.ts';`],
  ['src/agentcontainers/runtime/reads-ports.ts', `import '../ports.ts';`],
  ['src/agentcontainers/runtime/reads-sibling.ts', `import './discovery.ts';`],
  ['src/agentcontainers/default-ports.ts', `import '../engine/adapter.ts';`],
  ['src/async/reads-clock.ts', `import '../clock/clock.ts';\nimport '../errors.ts';\nimport './deferred.ts';`],
  ['src/clock/system-clock.ts', `export const at = Date.now();`],
  ['src/process/own.ts', `export const id = process.pid;`],
  ['src/engine/adapter.ts', `import 'dockerode';\nimport '../agentcontainers/ports.ts';`],
  ['src/watcher/chokidar.ts', `import 'chokidar';`],
  ['src/devcontainercli/package.ts', `import '@devcontainers/cli/package.json';`],
  ['src/daemon/main.ts', `export const e = process.env;\nsetTimeout(() => {}, 1);`],
  ['src/http/some.test.ts', `import '../testing/index.ts';\nexport const at = Date.now();`],
];

function lines(count: number): string {
  return Array.from({ length: count }, (_, n) => `export const line${n} = ${n};\n`).join('');
}

let folder: string;
const found = new Map<string, string[]>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agentcontainers-lint-'));
  await cp(join(repository, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
  await cp(join(repository, 'tsconfig.json'), join(folder, 'tsconfig.json'));
  await symlink(join(repository, 'node_modules'), join(folder, 'node_modules'));
  for (const [path, code] of [...FORBIDDEN, ...ALLOWED]) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), `${code}\n`);
  }
  for (const { filename, code } of await lint(folder)) {
    const rule = /\(([^)]+)\)/.exec(code)?.[1] ?? code;
    found.set(filename, [...(found.get(filename) ?? []), rule]);
  }
}, 60_000);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function lint(cwd: string): Promise<{ filename: string; code: string }[]> {
  const oxlint = join(repository, 'node_modules/.bin/oxlint');
  return new Promise((resolve, reject) => {
    execFile(oxlint, ['--type-aware', '-f', 'json'], { cwd, maxBuffer: 1 << 26, timeout: 50_000 }, (_error, stdout) => {
      try {
        resolve((JSON.parse(stdout) as { diagnostics: { filename: string; code: string }[] }).diagnostics);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
}

describe('the lint rules hold the house together', () => {
  it.each(FORBIDDEN)('%s breaks a rule', (path, _code, rule) => {
    expect(found.get(path) ?? []).toContain(rule);
  });

  it.each(ALLOWED)('%s breaks no rule of direction or place', (path) => {
    const rules = (found.get(path) ?? []).filter((rule) => rule.startsWith('no-restricted-'));
    expect(rules).toEqual([]);
  });
});
