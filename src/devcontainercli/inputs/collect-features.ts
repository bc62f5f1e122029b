import { dirname, join } from 'node:path';

import { canonicalHash } from '../canonical-json.ts';
import { parseStrictJsonc } from '../strict-jsonc.ts';
import { addTree } from './copied-files.ts';
import type { InputCollector } from './input-collector.ts';
import { InvalidInput } from './invalid-input.ts';
import type { ParsedFile } from './parsed-inputs.ts';

const MAX_FEATURES = 100;

export interface Features {
  readonly local: readonly ParsedFile[];
  readonly remote: readonly string[];
}

/** Features beside the configuration, with those that they depend on: every file of theirs is an input. */
export async function collectFeatures(
  collector: InputCollector,
  config: Readonly<Record<string, unknown>>,
): Promise<Features> {
  const local: ParsedFile[] = [];
  const remote = new Set<string>();
  const ids = new Set(idsOf(config['features']));
  for (const id of ids) {
    if (!/^\.\.?\//.test(id)) {
      remote.add(id);
      continue;
    }
    if (local.length === MAX_FEATURES) throw tooMany();
    const folder = join(dirname(collector.key.configPath), id);
    if (!collector.nameOf(folder).startsWith('./')) {
      collector.problem(`The feature ${id} is not looked at: it lies outside of the workspace folder.`);
      continue;
    }
    const file = await readFeature(collector, folder);
    if (file === undefined) continue;
    local.push(file);
    const { dependsOn } = file.document as { readonly dependsOn?: unknown };
    for (const other of idsOf(dependsOn)) ids.add(other);
  }
  return { local, remote: [...remote] };
}

function idsOf(features: unknown): readonly string[] {
  return typeof features === 'object' && features !== null && !Array.isArray(features) ? Object.keys(features) : [];
}

async function readFeature(collector: InputCollector, folder: string): Promise<ParsedFile | undefined> {
  const path = join(folder, 'devcontainer-feature.json');
  const name = collector.nameOf(path);
  const file = await collector.readText(path);
  let parsed: ParsedFile | undefined;
  if (file.kind === 'text') {
    const json = parseStrictJsonc(file.text);
    if (!json.ok) throw new InvalidInput(json.error, name);
    const value = canonicalHash(json.value);
    collector.add(name, value);
    if (file.isInside) collector.shown.add(name, file.text);
    else collector.shown.addHash(name, value);
    parsed = { path, name, document: json.value };
  } else {
    // What it asks for would not be known.
    if (file.kind !== 'missing') throw unreadable(name, file.kind);
    collector.addAbsence(name, file.kind);
  }
  await addTree(collector, { path: folder });
  return parsed;
}

function unreadable(name: string, kind: string): InvalidInput {
  return new InvalidInput({ message: `it cannot be read (${kind})`, line: 1, column: 1 }, name);
}

function tooMany(): InvalidInput {
  return new InvalidInput({ message: `more than ${MAX_FEATURES} local features`, line: 1, column: 1 });
}
