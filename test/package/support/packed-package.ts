import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './run.ts';

export const REPOSITORY = join(import.meta.dirname, '../../..');

export interface PackedPackage {
  readonly files: readonly { readonly path: string; readonly size: number; readonly mode: number }[];
  readonly unpackedSize: number;
  /** The unpacked tarball; its dependencies resolve. */
  readonly folder: string;
  /** A folder in which `agentcontainers` can be imported by name. */
  readonly consumer: string;
  remove(): Promise<void>;
}

/** Builds and packs a copy, since the tests that run beside this one use the build of the repository itself. */
export async function packPackage(): Promise<PackedPackage> {
  const work = await mkdtemp(join(tmpdir(), 'agentcontainers-pack-'));
  const copy = join(work, 'copy');
  await mkdir(copy);
  const wanted = [
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'src',
    'assets',
    'test',
    'scripts',
    'resident',
  ];
  for (const name of [...wanted, 'README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', '.npmrc', 'docs']) {
    if (existsSync(join(REPOSITORY, name))) await cp(join(REPOSITORY, name), join(copy, name), { recursive: true });
  }
  await symlink(join(REPOSITORY, 'node_modules'), join(copy, 'node_modules'));
  const answer = await run('npm', ['pack', '--json', '--pack-destination', work], copy);
  // The build may print before it.
  const [packed] = JSON.parse(answer.slice(answer.indexOf('['))) as [
    { filename: string; unpackedSize: number; files: PackedPackage['files'] },
  ];

  const consumer = join(work, 'consumer');
  const folder = join(consumer, 'node_modules/agentcontainers');
  await mkdir(folder, { recursive: true });
  await run('tar', ['-xzf', join(work, packed.filename), '-C', folder, '--strip-components=1'], work);
  await symlink(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
  return {
    files: packed.files,
    unpackedSize: packed.unpackedSize,
    folder,
    consumer,
    remove: () => rm(work, { recursive: true, force: true }),
  };
}
