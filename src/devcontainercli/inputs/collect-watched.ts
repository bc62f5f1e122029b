import { join } from 'node:path';

import { addFile, addTree, leaveOut, listFiles } from './copied-files.ts';
import { MAX_WATCHED_ONE_BY_ONE } from './input-bounds.ts';
import type { InputCollector } from './input-collector.ts';
import { gitPatterns } from './path-patterns.ts';

const PROPERTY = 'customizations.agentcontainers.watch';

/**
 * Further files that the user names by `customizations.agentcontainers.watch`, in the syntax of `.gitignore` and
 * relative to the workspace folder. Each is an input of its own, or all of them together are when there are many.
 */
export async function collectWatched(
  collector: InputCollector,
  config: Readonly<Record<string, unknown>>,
): Promise<void> {
  const list = watchList(config);
  if (list === undefined || (Array.isArray(list) && list.length === 0)) return;
  if (!Array.isArray(list) || !list.every((one): one is string => typeof one === 'string')) {
    collector.problem(`${PROPERTY} is not looked at: it must be a list of patterns.`);
    return;
  }
  const patterns = gitPatterns(list.filter((pattern) => !pattern.includes('\n')));
  if (patterns === undefined) {
    collector.problem(`${PROPERTY} is not looked at: there are too many patterns, or too many * in one.`);
    return;
  }
  const path = collector.key.workspaceFolder;
  const wants = (name: string): boolean => (name.endsWith('/') ? patterns.enters(name) : patterns.takes(name));
  const { effort } = patterns;
  const files = await listFiles(collector, { path, wants, effort });
  if (files === undefined) return leaveOut(collector, PROPERTY);
  const regular = files.filter(({ isLink }) => !isLink);
  if (regular.length > MAX_WATCHED_ONE_BY_ONE) return addTree(collector, { path, name: PROPERTY, wants, effort });
  for (const { name } of regular) await addFile(collector, join(path, name));
}

function watchList(config: Readonly<Record<string, unknown>>): unknown {
  const customizations = config['customizations'] as Readonly<Record<string, unknown>> | null | undefined;
  const ours = customizations?.['agentcontainers'] as Readonly<Record<string, unknown>> | null | undefined;
  return ours?.['watch'];
}
