import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { TestEngine } from './engine-harness.ts';

const run = promisify(execFile);

/** Paths in an image; what on this machine each is a copy of, or its content. */
export type ImageFiles = Readonly<Record<string, string | Buffer>>;

/**
 * An image of nothing but these files, all of them executable; its name. It says that it is of `architecture` (the engine's
 * word), whatever the files are. Not by `docker import`: engines leave out the architecture that it is given.
 */
export async function makeImage(
  world: TestEngine,
  name: string,
  files: ImageFiles,
  { architecture = 'amd64', env = [] }: { readonly architecture?: string; readonly env?: readonly string[] } = {},
): Promise<string> {
  const image = `${world.prefix}-${name}:1`;
  const folder = await world.makeFolder('image');
  const root = join(folder, 'root');
  for (const [path, source] of Object.entries(files)) {
    const target = join(root, path);
    await mkdir(dirname(target), { recursive: true });
    if (typeof source === 'string') await copyFile(source, target);
    else await writeFile(target, source);
    await chmod(target, 0o755);
  }
  const layer = join(folder, 'layer.tar');
  await run('tar', ['-c', '-f', layer, '-C', root, '.'], { timeout: 60_000 });
  const digest = createHash('sha256')
    .update(await readFile(layer))
    .digest('hex');
  const created = '2024-01-01T00:00:00Z';
  const rootfs = { type: 'layers', diff_ids: [`sha256:${digest}`] };
  const config = { architecture, os: 'linux', created, config: { Env: env }, history: [{ created }], rootfs };
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  const manifest = [{ Config: 'config.json', RepoTags: [image], Layers: ['layer.tar'] }];
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  const archive = join(folder, 'image.tar');
  const parts = ['manifest.json', 'config.json', 'layer.tar'];
  await run('tar', ['-c', '-f', archive, '-C', folder, ...parts], { timeout: 60_000 });
  await world.docker('load', '-q', '-i', archive);
  return image;
}
