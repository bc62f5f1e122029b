import { join } from 'node:path';

import { MAX_TEXT_BYTES } from '../inputs/input-bounds.ts';
import { valueOf, type InputCollector } from '../inputs/input-collector.ts';
import { withoutValues } from './compose-variables.ts';
import { readEnvFile, type EnvFile } from './env-file.ts';
import { isObeyed } from './obeyed-variables.ts';

/** What the CLI takes from the file `.env` of a workspace folder, wherever the compose files lie. */
export interface WorkspaceEnv {
  readonly values: EnvFile['values'];
  /** As the CLI reads it, whatever else is in the file. */
  readonly projectName?: string | undefined;
  /** The same of what it takes for a configuration that names no file. */
  readonly composeFile?: string | undefined;
  /** Its lines that the CLI and compose obey. */
  readonly obeyed: readonly string[];
}

const NOTHING: WorkspaceEnv = { values: new Map<string, string | undefined>(), obeyed: [] };

/**
 * Reads `<workspace folder>/.env`, where the CLI looks for the name of the project. Something else of that name, such as a
 * directory, says nothing.
 */
export async function readWorkspaceEnv(collector: InputCollector): Promise<WorkspaceEnv> {
  const text = await textOf(collector, pathIn(collector));
  if (text === undefined) return NOTHING;
  const projectName = said(text, 'COMPOSE_PROJECT_NAME');
  const composeFile = said(text, 'COMPOSE_FILE');
  const values = new Map(readEnvFile(text).values);
  if (projectName !== undefined) values.set('COMPOSE_PROJECT_NAME', projectName);
  if (composeFile !== undefined) values.set('COMPOSE_FILE', composeFile);
  const obeyed = text.split(/[\n\r\u2028\u2029]/).filter((line) => isObeyed(nameIn(line)));
  return { values, projectName, composeFile, obeyed };
}

/**
 * Mostly the file is the business of the program in the workspace, and is edited often: only what is obeyed is an input,
 * unless a compose file has named it, and it is one as a whole.
 */
export function noteWorkspaceEnv(collector: InputCollector, { obeyed }: WorkspaceEnv): void {
  const name = collector.nameOf(pathIn(collector));
  if (obeyed.length === 0 || collector.has(name)) return;
  const text = obeyed.join('\n');
  collector.add(name, valueOf(text));
  collector.shown.add(name, withoutValues(text));
}

function pathIn({ key }: InputCollector): string {
  return join(key.workspaceFolder, '.env');
}

/** Of a regular file in the workspace folder: what another one says must not show up anywhere. */
async function textOf(collector: InputCollector, path: string): Promise<string | undefined> {
  if (!(await collector.named(path))) return undefined;
  const way = await collector.ways.to(path);
  if (way.isMissing) return undefined;
  const file = await collector.reader.read(path, MAX_TEXT_BYTES, way);
  return file.kind === 'file' && collector.nameOf(file.realPath).startsWith('./')
    ? file.bytes.toString('utf8')
    : undefined;
}

/** With the same pattern as the CLI. */
function said(text: string, name: 'COMPOSE_PROJECT_NAME' | 'COMPOSE_FILE'): string | undefined {
  return (name === 'COMPOSE_FILE' ? /^COMPOSE_FILE=(.+)$/m : /^COMPOSE_PROJECT_NAME=(.+)$/m).exec(text)?.[1]?.trim();
}

function nameIn(line: string): string {
  return /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)/.exec(line)?.[1] ?? '';
}
