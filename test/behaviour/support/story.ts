import { createAgentContainers } from '../../../src/index.ts';
import type { AgentContainers, AgentContainersOptions, Devcontainer } from '../../../src/index.ts';
import { createGate, createTestWorld } from '../../../src/testing/index.ts';
import type { ContainerSeed, FakeConfigFiles, TestWorld, WorkspaceSeed } from '../../../src/testing/index.ts';

/** A world, the library that runs in it, and what almost every story asks. */
export interface Story {
  readonly world: TestWorld;
  readonly api: AgentContainers;
  /** The one devcontainer there is. */
  only(): Promise<Devcontainer>;
  byName(name: string): Promise<Devcontainer>;
  /** Engine events lead to a pass 20 ms later; resolves when that pass and what follows from it are done. */
  afterEvent(): Promise<void>;
  /** Closes the library; nothing may be left open. */
  end(): Promise<void>;
}

/** A story whose library has started. Sub-agents succeed unless `arrange` says otherwise. */
export async function begin(
  options: AgentContainersOptions = {},
  arrange: (world: TestWorld) => void = () => {},
): Promise<Story> {
  const world = createTestWorld(options);
  world.subAgentsSucceed();
  arrange(world);
  const story = tell(world);
  await story.api.start();
  await world.clock.settle();
  return story;
}

/** The same world with a library of its own, not yet started; to play a restart, close the one before first. */
export function tell(world: TestWorld, options: AgentContainersOptions = {}): Story {
  const api = createAgentContainers({ ...world.options, ...options });
  return {
    world,
    api,
    async only() {
      const { devcontainers } = await api.list();
      if (devcontainers.length !== 1) throw new Error(`There are ${devcontainers.length} devcontainers instead of 1.`);
      return devcontainers[0] as Devcontainer;
    },
    async byName(name) {
      const { devcontainers } = await api.list();
      const found = devcontainers.find((devcontainer) => devcontainer.name === name);
      if (!found)
        throw new Error(`There is no devcontainer ${name} among: ${devcontainers.map((one) => one.name).join(', ')}.`);
      return found;
    },
    afterEvent: () => world.clock.run(20),
    async end() {
      await api.close();
      world.assertNoLeaks();
    },
  };
}

/** Ends the story and tells it on with a new library over the same engine, files and state. */
export async function restarted(story: Story): Promise<Story> {
  await story.end();
  const next = tell(story.world);
  await next.api.start();
  await next.world.clock.settle();
  return next;
}

export interface AppStory extends Story {
  readonly id: string;
  readonly containerId: string;
}

/** A story of `/src/app`, whose container runs (unless its seed says otherwise) when the library starts. */
export async function beginWithApp(
  given: {
    readonly options?: AgentContainersOptions;
    readonly workspace?: WorkspaceSeed;
    readonly container?: ContainerSeed;
    readonly arrange?: (world: TestWorld) => void;
  } = {},
): Promise<AppStory> {
  let containerId = '';
  const story = await begin(given.options, (world) => {
    world.addWorkspace('/src/app', given.workspace);
    containerId = world.engine.addContainer({ workspaceFolder: '/src/app', name: 'app-1', ...given.container }).id;
    given.arrange?.(world);
  });
  // One second later, so that what the story does next has a time of its own.
  await story.world.clock.run(1_000);
  return { ...story, containerId, id: (await story.only()).id };
}

export const CONFIG = '.devcontainer/devcontainer.json';

/** The devcontainer of `/src/app`, for scripts of the CLI that stand above what `addWorkspace` scripted. */
export const APP = { workspaceFolder: '/src/app', configPath: `/src/app/${CONFIG}` };

/** A configuration of `/src/app` whose container is the service `app` of a compose project. */
export const COMPOSE = { dockerComposeFile: 'docker-compose.yml', service: 'app' };

/** What compose writes on the containers of a service of that project, or of another one. */
export function projectLabels(
  service: string,
  { name = 'app_devcontainer', folder = '/src/app/.devcontainer' } = {},
): Record<string, string> {
  return {
    'com.docker.compose.project': name,
    'com.docker.compose.service': service,
    'com.docker.compose.project.working_dir': folder,
  };
}

/** As a network mount does whose server is gone: calls for what lies in `folder` are not answered, until it is back. */
export function hangAt(
  files: FakeConfigFiles,
  call: 'realDirectory' | 'canonicalKey' | 'watchDirectories' | 'read',
  folder: string,
): { comeBack(): void } {
  const gate = createGate();
  const answer = files[call] as (...args: unknown[]) => Promise<unknown>;
  const hangs = async (...args: unknown[]): Promise<unknown> => {
    if (JSON.stringify(args).includes(folder)) await gate.wait();
    return answer(...args);
  };
  Object.assign(files, { [call]: hangs });
  return { comeBack: gate.open };
}
