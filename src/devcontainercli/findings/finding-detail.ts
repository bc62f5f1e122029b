import { createHash } from 'node:crypto';

import { plainLine } from '../../text/plain-text.ts';
import { digestOf, shownValue } from './shown-value.ts';

/** Longest `detail` and `source` of a finding, in UTF-16 code units. */
export const MAX_TEXT = 300;

const HASH = / \[sha256 [0-9a-f]{40}\]$/;
// Characters that nobody sees, that a font may draw as anything, or that are half of one.
const UNSEEN = /[\p{Cf}\p{Co}\p{Cs}\p{Cn}]/gu;

/**
 * `property: value` as one safe line of at most {@link MAX_TEXT} characters.
 *
 * Two different values never give equal texts, since a person trusts what the text says: what cannot be shown exactly
 * carries a hash. The hash is long because whoever writes the configuration also writes the harmless one that looks
 * like it, so it must be hard to find any two that agree.
 */
export function findingDetail(property: string, value?: unknown): string {
  if (value === undefined) return bounded(property, () => property);
  const shown = shownValue(value, MAX_TEXT);
  const text = `${property}: ${shown.text}`;
  return bounded(text, () => JSON.stringify([property, digestOf(value)]), shown.isWhole);
}

/** One safe line of at most {@link MAX_TEXT} characters; different texts stay different. */
export function boundedLine(text: string): string {
  return bounded(text, () => JSON.stringify(text));
}

/** A name in the path of a property; quoted unless nobody can take it for more than a name. */
export function propertyName(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : JSON.stringify(name);
}

function bounded(text: string, whole: () => string, isWhole = true): string {
  const clean = plainLine(text).replaceAll(UNSEEN, '\ufffd');
  if (isWhole && clean === text && text !== '' && text.length <= MAX_TEXT && !HASH.test(text)) return text;
  const hash = createHash('sha256').update(whole()).digest('hex').slice(0, 40);
  const suffix = ` [sha256 ${hash}]`;
  const room = MAX_TEXT - suffix.length;
  const start = clean.length <= room ? clean : `${clean.slice(0, room - 1).replace(/[\ud800-\udbff]$/, '')}…`;
  return start + suffix;
}
