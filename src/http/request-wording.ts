import type { z } from 'zod';

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

/** What is wrong with a field, for the person who wrote the request. Schemas that say it in their own words go before. */
export function wording(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type': {
      const kind = KINDS[issue.expected] ?? issue.expected;
      return issue.input === undefined ? `Is missing; give ${kind}.` : `Must be ${kind}.`;
    }
    case 'too_small':
      if (issue.origin === 'number' || issue.origin === 'int') return `Must be at least ${issue.minimum}.`;
      return issue.minimum === 1 ? 'Must not be empty.' : `Must have at least ${issue.minimum} ${unit(issue.origin)}.`;
    case 'too_big':
      if (issue.origin === 'number' || issue.origin === 'int') return `Must be at most ${issue.maximum}.`;
      return `Must have at most ${issue.maximum} ${unit(issue.origin)}.`;
    case 'invalid_value':
      return `Must be one of: ${issue.values.map(String).filter(Boolean).join(', ')}.`;
    case 'invalid_key':
      return issue.issues[0]?.message ?? 'Is not a valid name.';
    // Told by their keys, or in the words of the schema.
    case 'unrecognized_keys':
    case 'custom':
    case 'invalid_element':
    case 'invalid_format':
    case 'invalid_union':
    case 'not_multiple_of':
      return 'Is not valid.';
  }
}

function unit(origin: string): string {
  return origin === 'string' ? 'characters' : 'items';
}
