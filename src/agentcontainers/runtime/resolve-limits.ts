import { AgentContainersError } from '../../errors.ts';
import { DEFAULTS, LONGEST_GRACE, LONGEST_TIME } from '../constants.ts';
import type { AgentContainersOptions } from '../options.ts';
import type { Limits } from './runtime.ts';

/** The numbers among the options, with defaults. Throws `invalid-request`. */
export function resolveLimits(options: AgentContainersOptions): Limits {
  const limits = { ...DEFAULTS } as Record<keyof Limits, number>;
  for (const name of Object.keys(DEFAULTS) as (keyof Limits)[]) {
    const value = options[name];
    if (value === undefined) continue;
    const most = name === 'stopGraceSeconds' ? LONGEST_GRACE : LONGEST_TIME;
    if (!(value > 0 && value <= most)) {
      throw new AgentContainersError(
        'invalid-request',
        `Option ${name} must be a number above 0 and at most ${most}, not ${String(value)}.`,
      );
    }
    limits[name] = value;
  }
  return limits;
}
