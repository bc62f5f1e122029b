import { MAX_EXPANDED_IN_ALL, MAX_EXPANDED_TEXT } from './input-bounds.ts';

/**
 * How much text variables may still make, for one look at a configuration: a few lines in which each variable is made of
 * the one before ask for more than there is memory.
 */
export interface ExpansionBudget {
  /** Asked before `text` is expanded. False when it is too long, or nothing is left. */
  allows(text: string): boolean;
  /** Takes what was read and made off. `undefined` stands for a result that would be too long, which is refused. */
  spend(text: string, result: string | undefined): void;
}

/** @param onExceeded called each time that something is refused */
export function createExpansionBudget(onExceeded: () => void, inAll = MAX_EXPANDED_IN_ALL): ExpansionBudget {
  let left = inAll;
  return {
    allows(text) {
      if (left > 0 && text.length <= MAX_EXPANDED_TEXT) return true;
      onExceeded();
      return false;
    },
    spend(text, result) {
      // What was not kept was made all the same.
      left -= text.length + (result?.length ?? MAX_EXPANDED_TEXT) + 1;
      if (result === undefined) onExceeded();
    },
  };
}
