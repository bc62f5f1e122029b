import type { FindingKind } from '../../agentcontainers/model/verdict.ts';
import type { ComposeScope } from './compose-scope.ts';
import { propertyName } from './finding-detail.ts';
import { asList, asRecord, isExtension, isNothing } from './records.ts';
import { isFreeLabel } from './reserved-label.ts';

/**
 * Volumes, networks, secrets and configs at the top of a compose file. Without a name of their own they belong to the
 * project; with one, or as `external`, they may be anybody's.
 */
export function resourceFindings(section: string, value: unknown, scope: ComposeScope): void {
  if (isNothing(value)) return;
  const all = asRecord(value);
  const kind: FindingKind = section === 'networks' ? 'privilege' : 'mount';
  if (!all) return scope.report(kind, section, value);
  for (const [name, resource] of Object.entries(all)) {
    if (isNothing(resource)) continue;
    const path = `${section}.${propertyName(name)}`;
    const properties = asRecord(resource);
    if (!properties) {
      scope.report(kind, path, resource);
      continue;
    }
    for (const [property, given] of Object.entries(properties)) {
      if (isNothing(given) || isExtension(property)) continue;
      if (isHarmless(section, property, given, scope)) continue;
      const isVariable = property === 'environment' && section !== 'volumes' && section !== 'networks';
      if (isVariable && typeof given === 'string') scope.report('local-env', `variable ${scope.text(given)}`);
      else scope.report(kind, `${path}.${propertyName(property)}`, scope.asText(given) ?? given);
    }
  }
}

function isHarmless(section: string, property: string, given: unknown, scope: ComposeScope): boolean {
  if (property === 'labels') return labelNames(given, scope).every(isFreeLabel);
  switch (section) {
    case 'volumes':
      return property === 'driver' && scope.asText(given) === 'local';
    case 'networks':
      if (property === 'driver') return ['bridge', 'default'].includes(scope.asText(given) ?? '');
      return ['internal', 'attachable', 'enable_ipv4', 'enable_ipv6'].includes(property);
    default:
      // A file is a bind mount, which a symbolic link in the workspace turns into any other.
      return property === 'content' || property === 'template_driver';
  }
}

/** Names of labels in a list of `name=value` or in an object. */
export function labelNames(labels: unknown, scope: ComposeScope): string[] {
  const record = asRecord(labels);
  const names = record ? Object.keys(record) : asList(labels).map((label) => scope.asText(label)?.split('=', 1)[0]);
  return names.map((name) => name ?? '');
}
