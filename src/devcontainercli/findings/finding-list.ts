import type { Finding, FindingKind } from '../../agentcontainers/model/verdict.ts';
import { boundedLine, findingDetail } from './finding-detail.ts';
import { digestOf } from './shown-value.ts';

/** Most findings that are listed one by one. */
export const MAX_FINDINGS = 200;

/** Most findings that are looked at: who writes more of them wants to keep somebody busy. */
const MAX_REPORTS = 1_000;

/** Notes that a property says something which reaches the host. The value is shown as {@link findingDetail} does. */
export type Report = (kind: FindingKind, property: string, value?: unknown) => void;

export interface FindingList {
  /** @param source the file that says so, or `image <reference>` */
  from(source: string): Report;
}

/** Gravest first, so that what is left out of a long list is the least of it. */
const WEIGHT: Readonly<Record<FindingKind, number>> = {
  'initialize-command': 0,
  mount: 1,
  privilege: 2,
  'run-argument': 3,
  'remote-feature': 4,
  'local-env': 5,
};

/**
 * Lets `look` report what it finds, and lists it: sorted by weight, source and detail; without repetition; at most
 * {@link MAX_FINDINGS} and one more. When there are far too many it is stopped, and they are not listed one by one.
 *
 * @param looked everything that is looked at: it tells what is not listed from any other
 */
export function collectFindings(looked: unknown, look: (list: FindingList) => void): readonly Finding[] {
  const found: Finding[] = [];
  try {
    look({
      from(source) {
        const shownSource = boundedLine(source);
        return (kind, property, value) => {
          if (found.length === MAX_REPORTS) throw new TooMany();
          found.push({ kind, detail: findingDetail(property, value), source: shownSource });
        };
      },
    });
  } catch (error) {
    if (!(error instanceof TooMany)) throw error;
    // Which were found first depends on the order of keys.
    const command = found.filter(({ kind }) => kind === 'initialize-command');
    const detail = `more than ${MAX_REPORTS}, too many to list [sha256 ${digestOf(looked)}]`;
    return [...command, { kind: 'privilege', detail, source: found[0]?.source ?? '' }];
  }
  return boundedFindings(found);
}

class TooMany extends Error {}

/** Findings as a verdict lists them, from anywhere, bounded as {@link collectFindings} does. */
export function boundedFindings(found: readonly Finding[]): readonly Finding[] {
  const once = new Map(
    found.map((finding) => [JSON.stringify([finding.kind, finding.source, finding.detail]), finding]),
  );
  const sorted = [...once.values()].sort(compare);
  if (sorted.length <= MAX_FINDINGS) return sorted;
  const rest = sorted.slice(MAX_FINDINGS);
  // Of no kind that may be let go, and another one for another rest.
  const detail = `and ${rest.length} more [sha256 ${digestOf(rest)}]`;
  return [...sorted.slice(0, MAX_FINDINGS), { kind: 'privilege', detail, source: rest[0]?.source ?? '' }];
}

function compare(a: Finding, b: Finding): number {
  return WEIGHT[a.kind] - WEIGHT[b.kind] || byText(a.source, b.source) || byText(a.detail, b.detail);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
