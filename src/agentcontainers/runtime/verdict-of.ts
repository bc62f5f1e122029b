import { createHash } from 'node:crypto';
import type { Finding, Verdict } from '../model/verdict.ts';

/** The same findings give the same hash, in whatever order they come and however often. */
export function verdictOf(found: readonly Finding[]): Verdict {
  const byText = new Map(
    found.map((finding) => [JSON.stringify([finding.kind, finding.detail, finding.source]), finding]),
  );
  const texts = [...byText.keys()].sort();
  const hash = createHash('sha256').update(texts.join('\n')).digest('hex');
  return { findings: texts.map((text) => byText.get(text) as Finding), hash };
}
