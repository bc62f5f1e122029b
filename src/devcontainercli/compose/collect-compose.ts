import { dirname, join } from 'node:path';

import type { ComposeProject } from '../../agentcontainers/model/compose-project.ts';
import type { Finding } from '../../agentcontainers/model/verdict.ts';
import { collectBuild } from '../inputs/collect-build.ts';
import type { InputCollector } from '../inputs/input-collector.ts';
import type { ParsedFile } from '../inputs/parsed-inputs.ts';
import { readComposeVariables } from './compose-variables.ts';
import { loadProject, type ComposeReader } from './load-project.ts';
import { builtServices, projectFolder, projectName } from './project-name.ts';
import { serviceBuild } from './service-build.ts';
import { textsOf } from './untrusted-record.ts';
import { noteWorkspaceEnv, readWorkspaceEnv, type WorkspaceEnv } from './workspace-env.ts';

export interface ComposeInputs {
  readonly files: readonly ParsedFile[];
  readonly variables: Readonly<Record<string, string>>;
  /** Absent where the configuration names no compose files. */
  readonly project?: ComposeProject | undefined;
  /** Files that compose may read and that were not seen: they can ask for anything. */
  readonly unseen: readonly Finding[];
}

const MAX_UNSEEN = 20;

/**
 * The compose files of a configuration with all that they take in, and what the service is built from that is the dev
 * container.
 *
 * @param localPath replaces the variables of devcontainer.json; `undefined` when it cannot
 */
export async function collectCompose(
  collector: InputCollector,
  config: Readonly<Record<string, unknown>>,
  localPath: (text: string) => string | undefined,
): Promise<ComposeInputs> {
  const named = config['dockerComposeFile'];
  if (named === undefined) return { files: [], variables: {}, unseen: [] };
  const unseen = new Map<string, Finding>();
  const reader: ComposeReader = {
    collector,
    unseen(reference, source) {
      collector.problem(`${source}: the compose file ${reference} was not found, or it cannot be told where it is.`);
      const shown = reference.replace(/\p{C}/gu, '?').slice(0, 200);
      if (unseen.size >= MAX_UNSEEN) return;
      unseen.set(shown, { kind: 'remote-feature', detail: `compose file ${shown}, which was not seen`, source });
    },
  };
  const configName = collector.nameOf(collector.key.configPath);
  const paths: string[] = [];
  const folder = dirname(collector.key.configPath);
  for (const text of textsOf(named)) {
    const path = localPath(text);
    if (path === undefined) reader.unseen(text, configName);
    else paths.push(join(path.startsWith('/') ? '/' : folder, path));
  }
  const { workspaceFolder } = collector.key;
  const env = await readWorkspaceEnv(collector);
  const folderOfAll = unseen.size > 0 ? undefined : projectFolder(workspaceFolder, paths, env.composeFile);
  const service = typeof config['service'] === 'string' ? config['service'] : undefined;
  const [first] = paths;
  const base = first === undefined ? workspaceFolder : dirname(first);
  const variables = await readComposeVariables(
    collector,
    first === undefined ? [] : [join(base, '.env')],
    first !== undefined && base === workspaceFolder ? onlyProjectName(env) : env.values,
  );
  if (first === undefined && unseen.size === 0) reader.unseen('dockerComposeFile', configName);
  const project = await loadProject(reader, paths, { base, variables, source: configName });
  noteWorkspaceEnv(collector, env);
  const made = service === undefined ? undefined : serviceBuild(reader, project, service);
  if (made !== undefined && 'image' in made) collector.image(made.image);
  else if (made !== undefined) await collectBuild(collector, made);
  const files = project.all.map(({ path, name, content }) => ({ path, name, document: content }));
  const name = projectName({
    workspaceFolder,
    inWorkspaceEnv: env.projectName,
    folder: folderOfAll ?? workspaceFolder,
    documents: project.documents.filter(({ path }) => paths.includes(path)),
    variables,
  });
  return {
    files,
    variables: variables.all(),
    project: { ...name, folder: folderOfAll, service, builds: builtServices(project) },
    unseen: [...unseen.values()],
  };
}

/** The rest is read as compose reads it; but the CLI sees a name also where compose does not. */
function onlyProjectName({ projectName: name }: WorkspaceEnv): WorkspaceEnv['values'] {
  return new Map(name === undefined ? [] : [['COMPOSE_PROJECT_NAME', name]]);
}
