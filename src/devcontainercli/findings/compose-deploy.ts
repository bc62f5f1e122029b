import type { ComposeScope } from './compose-scope.ts';
import { propertyName } from './finding-detail.ts';
import { asRecord, isNothing, own } from './records.ts';

const HARMLESS = new Set([
  ...['mode', 'replicas', 'endpoint_mode', 'placement', 'restart_policy', 'update_config', 'rollback_config', 'labels'],
]);
const LIMITS = new Set(['cpus', 'memory', 'pids']);

/** `deploy` of a service: limits are harmless, devices are not. */
export function deployFindings(property: string, value: unknown, scope: ComposeScope): void {
  const deploy = asRecord(value);
  if (!deploy) return scope.report('privilege', property, value);
  for (const [name, given] of Object.entries(deploy)) {
    if (isNothing(given) || HARMLESS.has(name)) continue;
    const path = `${property}.${propertyName(name)}`;
    const resources = name === 'resources' ? asRecord(given) : undefined;
    if (!resources) {
      scope.report('privilege', path, given);
      continue;
    }
    for (const part of Object.keys(resources)) {
      const limits = asRecord(own(resources, part));
      const isKnown = part === 'limits' || part === 'reservations';
      if (!limits || !isKnown) {
        if (!isNothing(own(resources, part))) {
          scope.report('privilege', `${path}.${propertyName(part)}`, own(resources, part));
        }
        continue;
      }
      for (const [limit, asked] of Object.entries(limits)) {
        if (!LIMITS.has(limit) && !isNothing(asked)) {
          scope.report('privilege', `${path}.${part}.${propertyName(limit)}`, asked);
        }
      }
    }
  }
}
