import type { AgentContainersError } from '../../errors.ts';
import type { WireFinding, WireHolder } from '../../http/wire-schemas.ts';
import { findingLines, meaningLines } from './finding-lines.ts';
import type { Output } from './output.ts';
import { plainText } from './plain-text.ts';
import { renderTable } from './table.ts';

/** What the daemon's refusals carry beside their text; see `answerError`, and `withNextStep` for `next`. */
export interface RefusalDetails {
  readonly findings?: readonly WireFinding[] | undefined;
  /** Of the findings as they are now. */
  readonly hash?: string | undefined;
  readonly holders?: readonly WireHolder[] | undefined;
  /** What the person can do now. */
  readonly next?: string | undefined;
}

export function refusalDetails(error: AgentContainersError): RefusalDetails {
  const { findings, hash, holders, next } = error.details as RefusalDetails;
  return {
    ...(findings === undefined ? {} : { findings }),
    ...(hash === undefined ? {} : { hash }),
    ...(holders === undefined ? {} : { holders }),
    ...(next === undefined ? {} : { next }),
  };
}

/**
 * What comes below the message of a refusal: findings or holders as a table, which say more than the detail does, and
 * the next step.
 */
export function refusalLines(
  error: AgentContainersError,
  { errorColors: colors, width }: Pick<Output, 'errorColors' | 'width'>,
): string[] {
  const { findings = [], holders = [], next } = refusalDetails(error);
  const { detail } = error.details;
  const isTold = findings.length > 0 || holders.length > 0;
  return [
    ...(isTold || typeof detail !== 'string' || detail === '' ? [] : [plainText(detail)]),
    ...(findings.length > 0 ? [...findingLines(findings, undefined, colors), ...meaningLines(findings, colors)] : []),
    ...(holders.length > 0 ? holderLines(holders, colors, width) : []),
    ...(next === undefined ? [] : [plainText(next)]),
  ];
}

function holderLines(
  holders: readonly WireHolder[],
  colors: Output['colors'],
  width: number | undefined,
): readonly string[] {
  const columns = [{ title: 'USED BY' }, { title: 'WHAT', shrink: 1 }, { title: 'SINCE' }];
  const rows = holders.map(({ kind, description, since }) => [kind, description, since]);
  return renderTable(columns, rows, width, colors.bold);
}
