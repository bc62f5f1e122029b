import { resolve } from 'node:path';

import type { ComposeScope } from './compose-scope.ts';
import { propertyName } from './finding-detail.ts';
import { asList, asRecord, isNothing, own } from './records.ts';

/** `include` of a compose file: other files, which are judged by themselves, and how their paths are resolved. */
export function includeFindings(value: unknown, scope: ComposeScope): void {
  for (const item of asList(value)) {
    const record = asRecord(item);
    for (const path of asList(record ? own(record, 'path') : item)) fileReference('include', path, scope);
    if (!record) continue;
    // Another directory, or the first of several files, would decide where paths lead.
    if (asList(own(record, 'path')).length > 1) scope.report('mount', 'include', record);
    for (const [name, part] of Object.entries(record)) {
      if (name === 'path' || isNothing(part)) continue;
      const isFine =
        name === 'env_file' &&
        asList(part).every((path) => typeof path === 'string' && scope.isInWorkspace(scope.text(path)));
      if (!isFine) scope.report('mount', `include.${propertyName(name)}`, part);
    }
  }
}

/** Another compose file that this one takes in: it must be among those that were looked at. */
export function fileReference(property: string, path: unknown, scope: ComposeScope): void {
  const text = typeof path === 'string' ? scope.text(path) : undefined;
  const isRead =
    text !== undefined &&
    !/[$:]/.test(text) &&
    scope.directories.some((directory) => scope.files.has(resolve(directory, text)));
  if (!isRead) scope.report('remote-feature', property, text ?? path);
}
