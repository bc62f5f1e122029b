import { join } from 'node:path';

import { isImageReference, isOwnBuildNetwork } from './build-options.ts';
import { variableNames } from './compose-environment.ts';
import { labelNames } from './compose-resources.ts';
import { reportEach, type ComposeScope } from './compose-scope.ts';
import { propertyName } from './finding-detail.ts';
import { asRecord, isExtension, isNothing, own } from './records.ts';
import { isFreeLabel } from './reserved-label.ts';
import { isPlainHost } from './run-arguments.ts';

const HARMLESS = new Set([
  ...['dockerfile_inline', 'target', 'no_cache', 'pull', 'platforms', 'shm_size', 'ulimits', 'provenance', 'sbom'],
]);

/** `build` of a service: what it reads of the host, and what it lets the build do there. */
export function composeBuildFindings(property: string, build: unknown, scope: ComposeScope): void {
  if (isNothing(build)) return;
  if (typeof build === 'string') return contextFinding(property, build, scope);
  const properties = asRecord(build);
  if (!properties) return scope.report('run-argument', property, build);
  for (const [name, value] of Object.entries(properties)) {
    if (isNothing(value) || HARMLESS.has(name) || isExtension(name)) continue;
    const path = `${property}.${propertyName(name)}`;
    switch (name) {
      case 'context':
        contextFinding(path, value, scope);
        break;
      case 'dockerfile':
        dockerfileFinding(path, value, own(properties, 'context'), scope);
        break;
      case 'args':
        for (const variable of variableNames(value, scope)) scope.report('local-env', `variable ${variable}`);
        break;
      case 'labels':
        if (!labelNames(value, scope).every(isFreeLabel)) scope.report('privilege', path, value);
        break;
      case 'network':
        reportEach(value, 'privilege', path, scope, isOwnBuildNetwork);
        break;
      case 'cache_from':
        reportEach(value, 'mount', path, scope, isImageReference);
        break;
      case 'extra_hosts':
        extraHostFindings(path, value, scope);
        break;
      default:
        scope.report(REACH_FILES.has(name) ? 'mount' : 'privilege', path, value);
    }
  }
}

const REACH_FILES = new Set(['additional_contexts', 'secrets', 'ssh', 'cache_to']);

function contextFinding(property: string, context: unknown, scope: ComposeScope): void {
  const text = scope.asText(context);
  const isUrl = text !== undefined && /^[a-z]+:\/\/|^git@|^github\.com\//i.test(text);
  if (isUrl) scope.report('remote-feature', property, text);
  else if (text === undefined || !scope.isInWorkspace(text)) scope.report('mount', property, text ?? context);
}

/** Resolved against the context. */
function dockerfileFinding(property: string, dockerfile: unknown, context: unknown, scope: ComposeScope): void {
  const text = scope.asText(dockerfile);
  const base = context === undefined ? '.' : (scope.asText(context) ?? '');
  const path = text?.startsWith('/') ? text : join(base, text ?? '');
  // A context from elsewhere is a finding by itself.
  if (text === undefined || text.includes('$') || !scope.isInWorkspace(path)) {
    scope.report('mount', property, text ?? dockerfile);
  }
}

/** `name=address`, `name:address`, or an object of these. */
export function extraHostFindings(property: string, value: unknown, scope: ComposeScope): void {
  const record = asRecord(value);
  const hosts = record ? Object.entries(record).map(([name, address]) => [name, address]) : undefined;
  const lines = hosts?.map(([name, address]) => `${String(name)}=${scope.asText(address) ?? ''}`) ?? value;
  reportEach(lines, 'privilege', property, scope, isPlainHost);
}
