import type { ComposeScope } from './compose-scope.ts';
import { asList, asRecord, own } from './records.ts';

/**
 * Names without a value in `environment` or `args`, in a list or an object, that take it from the environment of the
 * host.
 */
export function variableNames(value: unknown, scope: ComposeScope): string[] {
  const record = asRecord(value);
  const names = record
    ? Object.entries(record)
        .filter(([, given]) => given === null || given === undefined)
        .map(([name]) => name)
    : asList(value)
        .map((item) => scope.asText(item))
        .filter((text) => text !== undefined && !text.includes('='));
  return names.filter((name): name is string => name !== undefined && name !== '' && !scope.isKnown(name));
}

/** `env_file` and `label_file`: paths, or objects with a path. */
export function fileListFindings(property: string, value: unknown, scope: ComposeScope): void {
  for (const item of asList(value)) {
    const record = asRecord(item);
    const text = scope.asText(record ? own(record, 'path') : item);
    if (text === undefined || !scope.isInWorkspace(text)) scope.report('mount', property, text ?? item);
  }
}
