import { dirname, join, resolve } from 'node:path';

import { isObeyed } from '../compose/obeyed-variables.ts';
import { createExpansionBudget } from '../inputs/expansion-budget.ts';
import type { ParsedFile, ParsedInputs } from '../inputs/parsed-inputs.ts';
import { includeFindings } from './compose-files.ts';
import { resourceFindings } from './compose-resources.ts';
import { composeScope, type ComposeScope } from './compose-scope.ts';
import { serviceFindings } from './compose-service.ts';
import { interpolation, type Interpolate } from './compose-variables.ts';
import { propertyName } from './finding-detail.ts';
import type { FindingList, Report } from './finding-list.ts';
import type { Workspace } from './host-path.ts';
import { asList, asRecord, isExtension, isNothing, stringsIn } from './records.ts';

/** What a configuration asks for by compose files: every service counts, also one that is not started by default. */
export function composeFindings(
  parsed: ParsedInputs,
  workspace: Workspace,
  list: FindingList,
  reportConfig: Report,
): void {
  const named = parsed.config['dockerComposeFile'];
  if (named !== undefined && parsed.compose.length < Math.max(1, asList(named).length)) {
    // Some cannot be read, or an empty list takes them from the environment or an env file.
    reportConfig('privilege', 'compose files that cannot be told', named);
  }
  for (const [name, value] of Object.entries(parsed.composeVariables)) {
    if (isObeyed(name)) reportConfig('privilege', `variable ${propertyName(name)} of compose`, value);
  }
  // Read by compose without being named.
  for (const directory of new Set([...parsed.compose.slice(0, 1).map(({ path }) => dirname(path)), workspace.folder])) {
    const path = join(directory, '.env');
    if (parsed.compose.length > 0 && !workspace.contains(path)) reportConfig('mount', 'env file of compose', path);
  }
  const files = new Set(parsed.compose.map(({ path }) => resolve(path)));
  // What is refused stays as it is written, with its variables, which nothing takes for harmless.
  const interpolate = interpolation(
    parsed.composeVariables,
    createExpansionBudget(() => {}),
  );
  const look = interpolation(parsed.composeVariables, undefined);
  for (const [index, file] of parsed.compose.entries()) {
    const report = list.from(file.name);
    fileFindings(file, composeScope({ parsed, index, workspace, report, files, interpolate }));
    variableFindings(file, look, report);
  }
}

function fileFindings(file: ParsedFile, scope: ComposeScope): void {
  const { report, workspace } = scope;
  if (!workspace.contains(file.path)) report('mount', 'compose file outside of the workspace folder', file.path);
  if (isNothing(file.document)) return;
  const document = asRecord(file.document);
  if (!document) return report('run-argument', 'a compose file that is no object', file.document);
  for (const [name, value] of Object.entries(document)) {
    if (name === 'version' || isExtension(name)) continue;
    // Names of volumes, networks and containers begin with it: it decides whose they are.
    if (name === 'name') reportName(value, scope);
    else if (name === 'services') services(value, scope);
    else if (name === 'include') includeFindings(value, scope);
    else if (['volumes', 'networks', 'secrets', 'configs'].includes(name)) resourceFindings(name, value, scope);
    // Without a version, services may stand here.
    else report('run-argument', propertyName(name), value);
  }
}

function reportName(value: unknown, scope: ComposeScope): void {
  if (!isNothing(value)) scope.report('privilege', 'name of the project', scope.asText(value) ?? value);
}

function services(value: unknown, scope: ComposeScope): void {
  if (isNothing(value)) return;
  const all = asRecord(value);
  if (!all) return scope.report('run-argument', 'services', value);
  for (const [name, service] of Object.entries(all)) {
    serviceFindings(`services.${propertyName(name)}`, service, scope);
  }
}

/** Names of variables that compose takes from the environment of the host; extensions are only used where they are named. */
function variableFindings(file: ParsedFile, interpolate: Interpolate, report: Report): void {
  const document = asRecord(file.document) ?? {};
  const names = new Set<string>();
  for (const [name, value] of Object.entries(document)) {
    if (isExtension(name)) continue;
    for (const text of stringsIn(value)) for (const variable of interpolate(text).fromHost) names.add(variable);
  }
  for (const name of names) report('local-env', `variable ${name}`);
}
