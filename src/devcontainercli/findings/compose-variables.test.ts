import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, it, vi } from 'vitest';
import { createExpansionBudget, type ExpansionBudget } from '../inputs/expansion-budget.ts';
import { interpolation } from './compose-variables.ts';

const VARIABLES = { A: 'a', EMPTY: '', B1_: 'b', HOME: '/from-file' };
const unlimited: ExpansionBudget = { allows: () => true, spend: () => {} };
const interpolate = interpolation(VARIABLES, unlimited);

describe('interpolation', () => {
  it.each([
    ['plain', 'plain'],
    ['$A-${A}', 'a-a'],
    ['$$A $${A}', '$A ${A}'],
    ['$B1_x', '$B1_x'],
    ['${B1_}x', 'bx'],
    ['${A:-x}${A-x}${A:?x}${A?x}', 'aaaa'],
    ['${EMPTY:-x}|${EMPTY-x}', 'x|'],
    ['${A:+x}${A+y}', 'xy'],
    ['${EMPTY:+x}|${EMPTY+y}', '|y'],
    ['${EMPTY:-${A:-x}}', 'a'],
    ['${EMPTY:-a$${b}', 'a${b'],
  ])('%s is %s', (text, expected) => {
    expect(interpolate(text).text).toBe(expected);
  });

  it.each([
    ['$X', ['X']],
    ['${X}', ['X']],
    ['${X:-default}', ['X']],
    ['${A:-$Y}', ['Y']],
    ['${X:-${Y:-$Z}} $A', ['X', 'Y', 'Z']],
    // The environment comes first.
    ['$HOME', ['HOME']],
    ['${DOCKER_HOST}', ['DOCKER_HOST']],
    ['$B1_x', ['B1_x']],
    ['${X:bad} ${Y}', ['X', 'Y']],
  ])('%s asks the host for %j and stays as it is', (text, names) => {
    const result = interpolate(text);
    expect(result).toEqual({ text, fromHost: new Set(names) });
  });

  it.each(['$', '${', '${}', '${A', '$1', '${A:x}', '${A:-', '${ A}', '${A }', '${EMPTY:?x}', '${EMPTY?', '${-x}'])(
    '%s is not known and stays as it is',
    (text) => {
      expect(interpolate(text).text).toBe(text);
    },
  );

  property.prop([
    fc.array(fc.constantFrom('$', '{', '}', ':', '-', '+', '?', 'A', 'X', '$$', '${A', '${X:-', ' '), {
      maxLength: 40,
    }),
  ])('never fails, and never leaves out a variable that it does not know', (parts) => {
    const text = parts.join('');
    const result = interpolate(text);
    if (result.fromHost.size > 0) expect(result.text).toBe(text);
    for (const name of result.fromHost) expect(['X', 'A', 'AA'].includes(name) || /^[AX]+$/.test(name)).toBe(true);
    if (!text.includes('$')) expect(result).toEqual({ text, fromHost: new Set() });
  });

  it('takes time in proportion to the text, and any depth', () => {
    const long = '${A:-'.repeat(200_000);
    expect(interpolate(long).text).toBe(long);
    expect(interpolate('$A'.repeat(60_000)).text).toBe('a'.repeat(60_000));
    expect(interpolate(`\${X:-${'$A '.repeat(200_000)}}`).fromHost).toEqual(new Set(['X']));
  });

  it('leaves a text as it is that would get too long, and still tells what it asks the host for', () => {
    const long = interpolation(
      { A: 'x'.repeat(1_000) },
      createExpansionBudget(() => {}),
    );
    expect(long('$A'.repeat(65)).text).toHaveLength(65_000);
    for (const text of [`${'$A'.repeat(66)}$X`, `\${Y:-${'$A'.repeat(66)}}$X`, '$A'.repeat(66)]) {
      expect(long(text)).toEqual({ text, fromHost: new Set(['X', 'Y'].filter((name) => text.includes(name))) });
    }
  });

  it('makes no more than its budget in all', () => {
    const refused = vi.fn<() => void>();
    const long = interpolation({ A: 'x'.repeat(1_000) }, createExpansionBudget(refused, 100_000));
    const lengths = Array.from({ length: 1_000 }, () => long('$A$A').text.length);
    expect(lengths.filter((length) => length === 2_000)).toHaveLength(50);
    expect(refused).toHaveBeenCalled();
    expect(long('$A$X')).toEqual({ text: '$A$X', fromHost: new Set(['X']) });
  });
});
