import { dirname, join, resolve } from 'node:path';

import type { ParsedFile, ParsedInputs } from '../inputs/parsed-inputs.ts';
import type { FindingList, Report } from './finding-list.ts';
import type { Workspace } from './host-path.ts';
import { layerFindings } from './layer-findings.ts';
import { asList, asRecord, isNothing, own } from './records.ts';

const isLocal = (id: string): boolean => /^\.{1,2}\//.test(id);

/**
 * Features: those beside the configuration by what they say, those from elsewhere by their id, since what they ask for
 * is not known before they are fetched.
 */
export function featureFindings(
  parsed: ParsedInputs,
  workspace: Workspace,
  list: FindingList,
  reportConfig: Report,
): void {
  const features = own(parsed.config, 'features');
  const known = asRecord(features);
  if (!known && !isNothing(features)) reportConfig('remote-feature', 'features', features);
  const ids = new Set([...parsed.remoteFeatures, ...Object.keys(known ?? {})]);
  const read = new Set(parsed.localFeatures.map(({ path }) => resolve(path)));
  for (const id of ids) {
    const file = join(resolve(dirname(parsed.configPath), id), 'devcontainer-feature.json');
    // One that was not read is as little known as one from elsewhere.
    if (!isLocal(id) || !read.has(file)) reportConfig('remote-feature', id);
  }
  for (const file of parsed.localFeatures) localFeature(file, workspace, list.from(file.name));
}

function localFeature(file: ParsedFile, workspace: Workspace, report: Report): void {
  // All of its folder is copied into the build.
  if (!workspace.contains(file.path)) report('mount', 'folder of the feature', dirname(file.path));
  const feature = asRecord(file.document);
  if (!feature) return report('remote-feature', 'a feature that is no object', file.document);
  layerFindings(feature, workspace, report);
  const others = own(feature, 'dependsOn');
  for (const id of asRecord(others) ? Object.keys(asRecord(others) ?? {}) : asList(others)) {
    if (typeof id === 'string') report('remote-feature', id);
    else report('remote-feature', 'dependsOn', id);
  }
}
