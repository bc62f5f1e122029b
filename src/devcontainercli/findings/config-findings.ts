import { dirname, resolve } from 'node:path';

import { argumentFindings } from './command-arguments.ts';
import { BUILD_OPTIONS, isImageReference } from './build-options.ts';
import type { Report } from './finding-list.ts';
import { gitRootAbove } from './git-root-above.ts';
import type { Workspace } from './host-path.ts';
import { layerFindings, textFindings } from './layer-findings.ts';
import { isHarmlessMount, isPlainTarget } from './mount-findings.ts';
import { isLoopbackPort } from './published-port.ts';
import { asList, asRecord, isNothing, own } from './records.ts';
import { RUN_OPTIONS } from './run-arguments.ts';

type Config = Readonly<Record<string, unknown>>;

const SERVICE = /^[A-Za-z0-9][\w.-]*$/;
const IMAGE = /^(?:[A-Za-z0-9][\w.:/@-]*)$/;

/** What a devcontainer.json asks for by itself, without the files that it names. */
export function configFindings(config: Config, configPath: string, workspace: Workspace, report: Report): void {
  const command = own(config, 'initializeCommand');
  if (!isNothing(command) && !(typeof command === 'string' && command.trim() === '')) {
    report('initialize-command', 'initializeCommand', command);
  }
  layerFindings(config, workspace, report);
  argumentFindings(own(config, 'runArgs'), 'runArgs', RUN_OPTIONS, report);
  workspaceFindings(config, workspace, report);
  for (const port of asList(own(config, 'appPort'))) {
    // The CLI binds numbers to the loopback network, and takes text as it is.
    if (typeof port === 'number' || (typeof port === 'string' && isLoopbackPort(port))) continue;
    report('privilege', 'appPort', port);
  }
  textFindings(config, 'image', IMAGE, report);
  textFindings(config, 'service', SERVICE, report);
  for (const service of asList(own(config, 'runServices'))) {
    if (typeof service !== 'string' || !SERVICE.test(service)) report('run-argument', 'runServices', service);
  }
  buildFindings(config, dirname(configPath), workspace, report);
}

function workspaceFindings(config: Config, workspace: Workspace, report: Report): void {
  const mount = own(config, 'workspaceMount');
  if (mount === undefined && !Object.hasOwn(config, 'dockerComposeFile')) {
    // The default is the root of a git working tree; the home directory may well be one.
    const root = gitRootAbove(workspace.folder);
    if (root !== undefined) report('mount', 'git working tree around the workspace folder', root);
  }
  if (!isNothing(mount) && !isHarmlessMount(mount, workspace)) report('mount', 'workspaceMount', mount);
  // Both become parts of a mount, where quotes and commas would begin something else.
  const target = own(config, 'workspaceFolder');
  const variables = ['localWorkspaceFolder', 'localWorkspaceFolderBasename'];
  if (!isNothing(target) && !(typeof target === 'string' && isPlainTarget(target, variables))) {
    report('mount', 'workspaceFolder', target);
  }
  // Somebody put a link in its place; the path is one that had none.
  if (!workspace.contains(workspace.folder)) report('mount', 'workspace folder that leads elsewhere', workspace.folder);
  if (/[",\p{Cc}]/u.test(workspace.folder)) report('mount', 'name of the workspace folder', workspace.folder);
}

function buildFindings(config: Config, directory: string, workspace: Workspace, report: Report): void {
  const build = own(config, 'build');
  if (!isNothing(build) && !asRecord(build)) return report('run-argument', 'build', build);
  const properties = asRecord(build) ?? {};
  for (const [property, path] of [
    ['dockerFile', own(config, 'dockerFile')],
    ['context', own(config, 'context')],
    ['build.dockerfile', own(properties, 'dockerfile')],
    ['build.context', own(properties, 'context')],
  ] as const) {
    if (!isNothing(path) && !isInWorkspace(path, directory, workspace)) report('mount', property, path);
  }
  for (const source of asList(own(properties, 'cacheFrom'))) {
    if (typeof source !== 'string' || !isImageReference(source)) report('mount', 'build.cacheFrom', source);
  }
  argumentFindings(own(properties, 'options'), 'build.options', BUILD_OPTIONS, report);
}

function isInWorkspace(path: unknown, directory: string, workspace: Workspace): boolean {
  if (typeof path !== 'string') return false;
  const literal = path.replace(/^\$\{localWorkspaceFolder\}(?=\/|$)/, () => workspace.folder);
  return !literal.includes('$') && workspace.contains(resolve(directory, literal));
}
