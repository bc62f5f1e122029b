import { basename, dirname } from 'node:path';

import type { EntryKey } from '../../agentcontainers/model/devcontainer.ts';
import { recordOf } from '../compose/untrusted-record.ts';
import type { Build } from './collect-build.ts';
import { MAX_EXPANDED_TEXT } from './input-bounds.ts';
import { pathFrom } from './input-collector.ts';

/** Replaces the variables of devcontainer.json that are known here; `undefined` when others are left, or it is too long. */
export function localVariables(text: string, { workspaceFolder }: EntryKey): string | undefined {
  if (text.length > MAX_EXPANDED_TEXT) return undefined;
  const replaced = text
    .replaceAll('${localWorkspaceFolder}', () => workspaceFolder)
    .replaceAll('${localWorkspaceFolderBasename}', () => basename(workspaceFolder));
  return replaced.includes('${') || replaced.includes('\0') ? undefined : replaced;
}

/** How devcontainer.json says that an image is built: `build`, or the older `dockerFile` with `context`. */
export function configBuild(
  config: Readonly<Record<string, unknown>>,
  key: EntryKey,
  problem: (sentence: string) => void,
): Build | undefined {
  const build = recordOf(config['build']);
  const [dockerfile, context, place] =
    typeof config['dockerFile'] === 'string'
      ? [config['dockerFile'], config['context'] ?? build['context'], 'dockerFile']
      : [build['dockerfile'], build['context'], 'build.dockerfile'];
  if (typeof dockerfile !== 'string') return undefined;
  const folder = dirname(key.configPath);
  const path = localVariables(dockerfile, key);
  if (path === undefined) {
    problem(`${place} "${dockerfile}" is not looked at: it depends on a variable.`);
    return undefined;
  }
  const absolute = pathFrom(folder, path);
  // Without a context it is the folder of the Dockerfile.
  const contextPath = typeof context === 'string' ? localVariables(context, key) : dirname(absolute);
  const { target, args } = build;
  return {
    dockerfile: absolute,
    context: contextPath === undefined ? undefined : pathFrom(folder, contextPath),
    target: typeof target === 'string' ? localVariables(target, key) : undefined,
    args: new Map(
      Object.entries(recordOf(args)).map(
        ([name, value]) => [name, typeof value === 'string' ? localVariables(value, key) : undefined] as const,
      ),
    ),
    contexts: new Set(),
  };
}
