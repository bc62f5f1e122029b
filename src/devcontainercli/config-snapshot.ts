import type { EntryKey } from '../agentcontainers/model/devcontainer.ts';
import type { Finding } from '../agentcontainers/model/verdict.ts';
import type { ConfigSnapshot } from '../agentcontainers/ports.ts';
import { canonicalHash } from './canonical-json.ts';
import { boundedFindings } from './findings/finding-list.ts';
import { findingsOf } from './findings/findings-of.ts';
import type { FileReader } from './inputs/file-reader.ts';
import { gatherInputs, unexpected } from './inputs/gather-inputs.ts';
import { isComposeConfig } from './override-config.ts';

/** Reads a configuration strictly, with every file that it is made from. Never rejects. */
export async function readConfigSnapshot(key: EntryKey, reader: FileReader): Promise<ConfigSnapshot> {
  const { outcome } = await gatherInputs(key, reader, 'values');
  if (outcome.kind !== 'valid') return outcome;
  const { inputs, images, modifiedAt, written, problems, parsed, project, unseen } = outcome;
  let findings: readonly Finding[];
  try {
    findings = boundedFindings([...findingsOf(parsed), ...unseen]);
  } catch (error) {
    // It must not be taken for harmless, and whoever mends it must be seen.
    return { kind: 'invalid', error: unexpected(error).configError };
  }
  return {
    kind: 'valid',
    fingerprint: canonicalHash(inputs),
    inputs,
    images,
    config: parsed.config,
    // Another way of making the container goes before compose files.
    ...(project !== undefined && isComposeConfig(parsed.config) ? { compose: project } : {}),
    modifiedAt,
    written,
    findings,
    problems,
  };
}
