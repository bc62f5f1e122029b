import { LABEL } from '../../agentcontainers/model/container.ts';
import type { Finding } from '../../agentcontainers/model/verdict.ts';
import { collectFindings } from './finding-list.ts';
import { NO_WORKSPACE } from './host-path.ts';
import { layerFindings } from './layer-findings.ts';
import { asRecord, own } from './records.ts';
import { isClaimingLabel, isComposeLabel } from './reserved-label.ts';

const MAX_LENGTH = 1024 * 1024;

/**
 * What an image asks for by its label `devcontainer.metadata`, which `up` merges into the configuration, and labels by
 * which its containers would claim to be others. Sorted, without repetition, bounded; never throws. What cannot be read
 * is a finding.
 */
export function imageFindings(
  image: string,
  labels: Readonly<Record<string, string>>,
  options: { readonly isCompose?: boolean | undefined } = {},
): readonly Finding[] {
  return collectFindings(labels, (list) => {
    const report = list.from(`image ${image}`);
    for (const [name, value] of Object.entries(labels)) {
      if (isClaimingLabel(name) || (isComposeLabel(name) && !options.isCompose))
        report('privilege', `label ${name}`, value);
    }
    const text = own(labels, LABEL.metadata);
    if (text === undefined || text === '') return;
    const layers = typeof text === 'string' ? parse(text) : undefined;
    if (layers === undefined) report('privilege', 'metadata that cannot be read', text);
    for (const layer of layers ?? []) {
      const record = asRecord(layer);
      if (record) layerFindings(record, NO_WORKSPACE, report);
      else report('privilege', 'metadata that cannot be read', layer);
    }
  });
}

function parse(text: string): readonly unknown[] | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [value];
  } catch {
    return undefined;
  }
}
