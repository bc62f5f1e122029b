import { describe, expect, it } from 'vitest';
import { findingDetail, MAX_TEXT } from './finding-detail.ts';
import { collectFindings, MAX_FINDINGS, type FindingList } from './finding-list.ts';
import { digestOf } from './shown-value.ts';

describe('a detail', () => {
  it('shows a short value as it is', () => {
    expect(findingDetail('runArgs', '--privileged')).toBe('runArgs: --privileged');
    expect(findingDetail('a', { b: [1, null], a: 'x' })).toBe('a: {"a":"x","b":[1,null]}');
    expect(findingDetail('variable X')).toBe('variable X');
  });

  const long = 'x'.repeat(1_000);
  it.each<[string, unknown, unknown]>([
    ['long texts', `${long}a`, `${long}b`],
    ['long lists', [long, 'a'], [long, 'b']],
    ['control characters', 'a\u0000b', 'a\u0001b'],
    ['escape sequences', 'a\u001b[31mb', 'a\u001b[32mb'],
    ['what nobody sees', 'a\u200bb', 'ab'],
    ['directions', 'a\u202eb', 'a\u202db'],
    ['halves of characters', 'a\ud800', 'a\ud801'],
    ['halves of characters in lists', ['a\ud800'], ['a\ud801']],
    ['spaces around', ' a', 'a'],
    ['lines', 'a\nb', 'a b'],
    ['types', true, 'true'],
    ['numbers', 3000, '3000'],
    ['lists and texts', ['a'], '["a"]'],
    ['lists and objects', ['a'], { 0: 'a' }],
    ['nothing and its name', null, 'null'],
    ['sets', new Set(['a']), new Set(['b'])],
    ['maps', new Map([['a', 1]]), new Map([['a', 2]])],
    ['large numbers', 1n, 2n],
    ['what is no number', Number.NaN, Number.POSITIVE_INFINITY],
    ['dates', new Date(0), new Date(1)],
  ])('tells %s apart', (_what, one, other) => {
    expect(findingDetail('p', one)).not.toBe(findingDetail('p', other));
    expect(findingDetail('p', structuredClone(one))).toBe(findingDetail('p', one));
  });

  it('cannot be made to look like one that carries a hash', () => {
    const hashed = findingDetail('p', 'a\u0000b');
    expect(hashed).toMatch(/^p: a b \[sha256 [0-9a-f]{40}\]$/);
    expect(findingDetail('p', hashed.slice('p: '.length))).not.toBe(hashed);
  });

  it('cuts no character in half', () => {
    for (let length = 200; length < 260; length++) {
      const text = findingDetail('p', `${'a'.repeat(length)}${'\u{1f600}'.repeat(50)}`);
      expect(text.length).toBeLessThanOrEqual(MAX_TEXT);
      expect(text).not.toMatch(/\p{Cs}/u);
    }
  });
});

describe('the digest of a value', () => {
  it('does not depend on the order of keys, and does on that of lists', () => {
    expect(digestOf({ a: 1, b: { c: 2, d: 3 } })).toBe(digestOf({ b: { d: 3, c: 2 }, a: 1 }));
    expect(digestOf(['a', 'b'])).not.toBe(digestOf(['b', 'a']));
    expect(digestOf([['a'], 'b'])).not.toBe(digestOf(['a', ['b']]));
  });

  it('is found for one object in a million places, for any depth and for circles', () => {
    let shared: unknown = 'end';
    for (let i = 0; i < 40; i++) shared = [shared, shared];
    expect(digestOf(shared)).toMatch(/^[0-9a-f]{64}$/);
    expect(findingDetail('p', shared).length).toBeLessThanOrEqual(MAX_TEXT);
    let deep: unknown = 'end';
    for (let i = 0; i < 100_000; i++) deep = { deep };
    expect(digestOf(deep)).toMatch(/^[0-9a-f]{64}$/);
    expect(findingDetail('p', deep).length).toBeLessThanOrEqual(MAX_TEXT);
    const circle: unknown[] = ['a'];
    circle.push(circle);
    expect(digestOf(circle)).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('a list', () => {
  const listed = (look: (list: FindingList) => void, looked: unknown = null) => collectFindings(looked, look);

  it('is sorted by weight and text, without repetition', () => {
    const findings = listed((list) => {
      const report = list.from('./a');
      report('local-env', 'variable B');
      report('mount', 'mounts', 'b');
      report('mount', 'mounts', 'a');
      report('mount', 'mounts', 'b');
      report('initialize-command', 'initializeCommand', 'x');
      list.from('./A')('mount', 'mounts', 'b');
    });
    expect(findings.map(({ kind, detail, source }) => `${kind} ${source} ${detail}`)).toEqual([
      'initialize-command ./a initializeCommand: x',
      'mount ./A mounts: b',
      'mount ./a mounts: a',
      'mount ./a mounts: b',
      'local-env ./a variable B',
    ]);
  });

  it('that is too long ends with one finding that is never that of another list', () => {
    const of = (last: string) =>
      listed((list) => {
        const report = list.from('./a');
        for (let i = 0; i < MAX_FINDINGS + 10; i++) report('initialize-command', 'x', String(i).padStart(5, '0'));
        report('initialize-command', 'x', last);
      });
    const [one, other] = [of('z1'), of('z2')];
    expect(one).toHaveLength(MAX_FINDINGS + 1);
    expect(one.at(-1)?.detail).toMatch(/^and 11 more \[sha256 [0-9a-f]{64}\]$/);
    // Whoever lets that command go lets nothing go that is not shown.
    expect(one.at(-1)?.kind).toBe('privilege');
    expect(one.slice(0, -1)).toEqual(other.slice(0, -1));
    expect(one.at(-1)).not.toEqual(other.at(-1));
    expect(of('z1')).toEqual(one);
  });

  it('that never ends is stopped, and is told by what was looked at', () => {
    const of = (looked: unknown) =>
      listed((list) => {
        const report = list.from('./a');
        for (let i = 0; i < 5_000; i++) report(i === 7 ? 'initialize-command' : 'mount', 'x', i);
      }, looked);
    expect(of('a').map(({ kind }) => kind)).toEqual(['initialize-command', 'privilege']);
    expect(of('a')[1]?.detail).toMatch(/^more than 1000, too many to list \[sha256 [0-9a-f]{64}\]$/);
    expect(of('a')).toEqual(of('a'));
    expect(of('a')[1]).not.toEqual(of('b')[1]);
  });

  it('keeps sources apart that look alike, and bounds them', () => {
    const findings = listed((list) => {
      for (const source of ['./a\u200b', './a', 'y'.repeat(1_000)]) list.from(source)('mount', 'x');
    });
    expect(new Set(findings.map(({ source }) => source)).size).toBe(3);
    for (const { source } of findings) expect(source.length).toBeLessThanOrEqual(MAX_TEXT);
  });

  it('does not hide a fault', () => {
    const fault = new TypeError('fault');
    expect(() =>
      listed(() => {
        throw fault;
      }),
    ).toThrow(fault);
  });
});
