import type { FindingKind } from '../../agentcontainers/model/verdict.ts';
import type { KnownOptions } from './command-arguments.ts';
import { isFreeLabel } from './reserved-label.ts';
import { isLiteralVariable, isPlainHost } from './run-arguments.ts';

const anything = (): boolean => true;

/** A build that reaches the network as any build does, or not at all. */
export const isOwnBuildNetwork = (value: string): boolean => ['default', 'none', 'bridge'].includes(value);

/** An image that layers are taken from; `type=local,src=…` would be a directory of the host. */
export const isImageReference = (value: string): boolean => /^[\w][\w.:/@-]*$/.test(value);

/** Options of `docker build`, with BuildKit and without. */
export const BUILD_OPTIONS: KnownOptions = {
  switches: new Set(['--no-cache', '--pull', '--quiet', '--rm', '--force-rm', '--load', '--compress']),
  values: new Map([
    ['--build-arg', isLiteralVariable],
    ['--label', (value) => isFreeLabel(value.split('=', 1)[0] ?? '')],
    ['--add-host', isPlainHost],
    ['--network', isOwnBuildNetwork],
    ['--cache-from', isImageReference],
    ...[
      ...['--target', '--platform', '--progress', '--memory', '--memory-swap', '--shm-size', '--ulimit'],
      ...['--cpu-shares', '--cpu-period', '--cpu-quota', '--cpuset-cpus', '--cpuset-mems', '--no-cache-filter'],
    ].map((name) => [name, anything] as const),
  ]),
  letters: new Map([
    ['q', '--quiet'],
    ['m', '--memory'],
    ['c', '--cpu-shares'],
    ['f', '--file'],
    ['o', '--output'],
    ['t', '--tag'],
  ]),
  kinds: new Map<string, FindingKind>([
    ...[
      ...['--secret', '--ssh', '--build-context', '--file', '--output', '--iidfile', '--metadata-file'],
      ...['--cache-to', '--cache-from'],
    ].map((name) => [name, 'mount'] as const),
    ...[
      ...['--network', '--allow', '--security-opt', '--cgroup-parent', '--add-host', '--builder', '--push', '--tag'],
      ...['--label', '--isolation'],
    ].map((name) => [name, 'privilege'] as const),
    ['--build-arg', 'local-env'],
  ]),
};
