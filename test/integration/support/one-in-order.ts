/** What must be so after whatever went wrong: one container with one sub-agent, and nothing beside it. */
import type { AgentContainers, Devcontainer } from '../../../src/index.ts';
import { subAgentsIn } from './container-processes.ts';
import type { TestEngine } from './engine-harness.ts';
import { eventually } from './eventually.ts';
import { hasAgent } from './library.ts';

export interface FolderContainer {
  readonly id: string;
  readonly name: string;
}

/** All containers of a folder, running or not. */
export async function containersOfFolder(engine: TestEngine, folder: string): Promise<FolderContainer[]> {
  const filter = `label=devcontainer.local_folder=${folder}`;
  const rows = await engine.docker('ps', '-a', '--no-trunc', '--filter', filter, '--format', '{{.ID}} {{.Names}}');
  return rows
    .split('\n')
    .filter(Boolean)
    .map((row) => ({ id: row.split(' ')[0] ?? '', name: row.split(' ')[1] ?? '' }));
}

/** Waits until the only container of this folder runs with one sub-agent, under its own name, and is shown so. */
export async function oneInOrder(
  engine: TestEngine,
  api: AgentContainers,
  folder: string,
  patience?: number,
): Promise<Devcontainer> {
  const probe = async (): Promise<Devcontainer> => {
    const { devcontainers } = await api.list();
    const seen = devcontainers.find(({ workspaceFolder }) => workspaceFolder === folder);
    const [only, ...others] = await containersOfFolder(engine, folder);
    const isOne = only !== undefined && others.length === 0 && !only.name.includes('-before-');
    if (!isOne || seen?.container?.id !== only.id || !hasAgent(seen) || seen.operationId !== undefined)
      throw new Error(JSON.stringify({ seen, only, others }));
    const agents = await subAgentsIn(engine, only.id);
    if (agents.length !== 1) throw new Error(`Sub-agents of ${only.name}: ${agents.join(', ')}`);
    return seen;
  };
  return eventually(`one container in order in ${folder}`, probe, patience);
}

/** Images that stand for containers which are exchanged, of whoever has this secret of labels. */
export async function backupImages(
  engine: TestEngine,
  backupLabels: Readonly<Record<string, string>>,
): Promise<string[]> {
  const filters = Object.entries(backupLabels).flatMap(([name, value]) => ['--filter', `label=${name}=${value}`]);
  return (await engine.docker('images', '-a', '-q', '--no-trunc', ...filters)).split('\n').filter(Boolean);
}
