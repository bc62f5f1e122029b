import { dirname, resolve } from 'node:path';

import type { ParsedInputs } from '../inputs/parsed-inputs.ts';
import { knownVariable, type Interpolate } from './compose-variables.ts';
import type { Report } from './finding-list.ts';
import type { Workspace } from './host-path.ts';
import { asList, isNothing } from './records.ts';

/** What it takes to judge one compose file. */
export interface ComposeScope {
  readonly workspace: Workspace;
  readonly report: Report;
  /** Directories against which compose may resolve a path of this file; it depends on how the file was taken in. */
  readonly directories: readonly string[];
  /** Real or normalised paths of all compose files that were read. */
  readonly files: ReadonlySet<string>;
  /** A text with the variables in it that are known. */
  text(value: string): string;
  /** A string with variables replaced, or a number as text; `undefined` for anything else. */
  asText(value: unknown): string | undefined;
  /** A variable that has a value without the environment of the host. */
  isKnown(name: string): boolean;
  /** All places where the path may lead are in the workspace. */
  isInWorkspace(path: string): boolean;
  /** All places where the path may lead are the workspace folder. */
  isWorkspaceFolder(path: string): boolean;
}

export function composeScope(look: {
  readonly parsed: ParsedInputs;
  /** Of the file among those of compose. */
  readonly index: number;
  readonly workspace: Workspace;
  readonly report: Report;
  readonly files: ReadonlySet<string>;
  readonly interpolate: Interpolate;
}): ComposeScope {
  const { parsed, index, workspace, report, files, interpolate } = look;
  const directories = directoriesOf(parsed, index);
  const resolved = (path: string): string[] => directories.map((directory) => resolve(directory, path));
  const isLiteral = (path: string): boolean => path !== '' && !/^~|[$\0]/.test(path);
  return {
    workspace,
    report,
    directories,
    files,
    text: (value) => interpolate(value).text,
    asText: (value) =>
      typeof value === 'string' ? interpolate(value).text : typeof value === 'number' ? String(value) : undefined,
    isKnown: (name) => knownVariable(name, parsed.composeVariables) !== undefined,
    isInWorkspace: (path) => isLiteral(path) && resolved(path).every((place) => workspace.contains(place)),
    isWorkspaceFolder: (path) => isLiteral(path) && resolved(path).every((place) => workspace.isFolder(place)),
  };
}

/**
 * The files that the configuration names have their paths resolved against the folder of the first of them. Files that
 * these take in have them resolved against their own folder, or that of who takes them in.
 */
function directoriesOf(parsed: ParsedInputs, index: number): string[] {
  const named = isNothing(parsed.config['dockerComposeFile']) ? 0 : asList(parsed.config['dockerComposeFile']).length;
  const first = dirname(parsed.compose[0]?.path ?? parsed.configPath);
  if (index < named) return [first];
  return [...new Set([dirname(parsed.compose[index]?.path ?? parsed.configPath), first])];
}

/** Each value of a list, or the one value, that is there and not harmless is a finding. */
export function reportEach(
  value: unknown,
  kind: Parameters<Report>[0],
  property: string,
  scope: ComposeScope,
  isHarmless: (text: string) => boolean = () => false,
): void {
  if (isNothing(value)) return;
  for (const item of asList(value)) {
    const text = scope.asText(item);
    if (text === undefined || !isHarmless(text)) scope.report(kind, property, text ?? item);
  }
}
