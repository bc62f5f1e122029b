import { AgentContainersError, errorMessage } from '../errors.ts';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h)/y;

/**
 * Milliseconds of a text such as `500ms`, `10s`, `1m30s` or `1.5h`. A number without a unit is refused, since half of
 * the readers would take it for seconds. Throws an Error whose message says what is allowed.
 */
export function parseDuration(text: string, limits: { readonly min?: number; readonly max?: number } = {}): number {
  const trimmed = text.trim();
  let total = 0;
  let at = 0;
  PART.lastIndex = 0;
  for (let match = PART.exec(trimmed); match !== null; match = PART.exec(trimmed)) {
    total += Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN);
    at = PART.lastIndex;
  }
  if (trimmed === '' || at !== trimmed.length) {
    const hint = /^\d+(\.\d+)?$/.test(trimmed) ? ` Did you mean ${trimmed}s?` : '';
    throw new Error(`A duration is a number with a unit, such as 500ms, 10s, 2m or 1h.${hint}`);
  }
  const { min = 1, max = 24 * 3_600_000 } = limits;
  if (total < min || total > max) {
    throw new Error(`The duration must lie between ${formatDuration(min)} and ${formatDuration(max)}.`);
  }
  return Math.round(total);
}

/**
 * As {@link parseDuration}, of an option. `invalid-request`.
 *
 * @param limits.min 0 allows a plain 0 as well
 */
export function parseDurationFlag(
  flag: string,
  text: string,
  limits: { readonly min?: number; readonly max?: number } = {},
): number {
  if (limits.min === 0 && text.trim() === '0') return 0;
  try {
    return parseDuration(text, limits);
  } catch (error) {
    throw new AgentContainersError('invalid-request', `Reading ${flag} "${text}" failed: ${errorMessage(error)}`);
  }
}

/** A short text for people: `350ms`, `2.5s`, `1m05s`, `2h03m`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toString()}s`;
  const seconds = Math.floor(ms / 1_000);
  const two = (value: number): string => String(value).padStart(2, '0');
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  return `${Math.floor(seconds / 3_600)}h${two(Math.floor((seconds % 3_600) / 60))}m`;
}
