import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const REPOSITORY = join(import.meta.dirname, '../../..');
const CACHE = join(REPOSITORY, 'node_modules/.cache');
const VICTIM = 'test/integration/support/fault-victim.ts';

export interface FaultProgram {
  /** What is run by node. */
  readonly main: string;
  remove(): Promise<void>;
}

/** Compiles fault-victim.ts with these sources once, below node_modules: each of many runs then starts at once. */
export async function buildFaultProgram(): Promise<FaultProgram> {
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, 'agentcontainers-victim-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await cp(join(REPOSITORY, 'package.json'), join(folder, 'package.json'));
    await symlink(join(REPOSITORY, 'assets'), join(folder, 'assets'));
    const config = {
      extends: join(REPOSITORY, 'tsconfig.build.json'),
      compilerOptions: { rootDir: REPOSITORY, outDir: folder, declaration: false },
      files: [join(REPOSITORY, VICTIM)],
      include: [],
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    await promisify(execFile)(join(REPOSITORY, 'node_modules/.bin/tsc'), ['-p', folder], { timeout: 120_000 });
  } catch (error) {
    await remove();
    throw error;
  }
  return { main: join(folder, VICTIM.replace(/\.ts$/, '.js')), remove };
}
