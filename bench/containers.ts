import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Cleanup } from './cleanup.ts';
import type { ReadOnlyMount } from '../src/agentcontainers/ports.ts';
import type { BenchEngine } from './engine.ts';

export interface DevFolder {
  readonly path: string;
  readonly configPath: string;
}

/** Dev containers as the devcontainer CLI would make them: a folder with a configuration, bind-mounted and labelled. */
export interface Fleet {
  /** `key=value`: all of these containers have it, and no others. */
  readonly label: string;
  readonly root: string;
  makeFolder(name: string): Promise<DevFolder>;
  /** Creates one, without starting it, with these directories of the host mounted read-only. */
  create(folder: DevFolder, name: string, readOnly?: readonly ReadOnlyMount[]): Promise<string>;
  start(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  /** Creates so many, each with a folder of its own, and starts them if asked to. */
  fill(count: number, options: { readonly start: boolean }): Promise<string[]>;
  /** Removes the containers and the folders. Idempotent. */
  dispose(): Promise<void>;
}

const BASE_IMAGE = 'agentcontainers-base:1';
const AT_ONCE = 8;
/** Waits for nothing, and ends at once when it is told to. */
const COMMAND = ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait $!; done'];

export async function createFleet(engine: BenchEngine, cleanup: Cleanup): Promise<Fleet> {
  const id = randomBytes(4).toString('hex');
  const label = `agentcontainers.bench=${id}`;
  const root = await realpath(await mkdtemp(join(tmpdir(), `ac-bench-${id}-`)));
  const remove = async (container: string): Promise<void> => {
    await engine.call('DELETE', `/containers/${container}?force=true&v=true`, undefined, [404, 409]);
  };
  let disposed = false;
  const creating = new Set<Promise<unknown>>();
  const dispose = cleanup.add('the containers', async () => {
    // After Ctrl-C containers are still being made.
    disposed = true;
    await Promise.allSettled(creating);
    const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
    const left = (await engine.call('GET', `/containers/json?all=true&filters=${filters}`)) as { Id: string }[];
    await inParallel(left, ({ Id }) => remove(Id));
    await rm(root, { recursive: true, force: true });
  });

  const fleet: Fleet = {
    label,
    root,
    remove,
    dispose,
    async makeFolder(name) {
      const path = join(root, name);
      const configPath = join(path, '.devcontainer/devcontainer.json');
      await mkdir(join(path, '.devcontainer'), { recursive: true });
      await writeFile(configPath, `${JSON.stringify({ name, image: BASE_IMAGE, remoteUser: 'dev' }, null, 2)}\n`);
      return { path, configPath };
    },
    async create(folder, name, readOnly = []) {
      // Where the devcontainer CLI takes the workspace to be.
      const target = `/workspaces/${basename(folder.path)}`;
      if (disposed) throw new Error('Making a container failed: the benchmark is ending.');
      const call = engine.call('POST', `/containers/create?name=ac-bench-${id}-${name}`, {
        Image: BASE_IMAGE,
        Cmd: COMMAND,
        Labels: {
          'agentcontainers.bench': id,
          'devcontainer.local_folder': folder.path,
          'devcontainer.config_file': folder.configPath,
          'devcontainer.metadata': JSON.stringify([{ remoteUser: 'dev' }]),
        },
        HostConfig: {
          Mounts: [
            { Type: 'bind', Source: folder.path, Target: target },
            ...readOnly.map((mount) => ({ Type: 'bind', Source: mount.source, Target: mount.target, ReadOnly: true })),
          ],
        },
      });
      creating.add(call);
      const created = (await call.finally(() => creating.delete(call))) as { readonly Id: string };
      return created.Id;
    },
    async start(container) {
      await engine.call('POST', `/containers/${container}/start`);
    },
    async fill(count, { start }) {
      const numbers = Array.from({ length: count }, (_, index) => String(index).padStart(4, '0'));
      return inParallel(numbers, async (number) => {
        const container = await fleet.create(await fleet.makeFolder(`w${number}`), `w${number}`);
        if (start) await fleet.start(container);
        return container;
      });
    },
  };
  return fleet;
}

/** Eight at a time; results in order. After a failure nothing new is begun, and what runs is awaited. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const failures: unknown[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length && failures.length === 0) {
      const index = next++;
      try {
        results[index] = await work(items[index] as T);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (failures.length > 0) throw failures[0];
  return results;
}
