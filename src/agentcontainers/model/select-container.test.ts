import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { containerOf, FOLDER, keyOf } from '../../../test/property/support/model-scenario.ts';
import type { Container, ContainerState } from './container.ts';
import { selectContainer } from './select-container.ts';

const CONFIG = keyOf(FOLDER).configPath;
const exact = (one: Container): boolean => one.labels['devcontainer.config_file'] === CONFIG;
const STATES = ['running', 'created', 'restarting', 'paused', 'exited', 'removing', 'dead'] as const;

/** As behaviour.md 1 says it, as a number: a smaller one is better. */
const rank = (state: ContainerState): number =>
  [['running'], ['created', 'restarting'], ['paused'], ['exited'], ['removing', 'dead']].findIndex((group) =>
    (group as ContainerState[]).includes(state),
  );

function permutations<T>(all: readonly T[]): T[][] {
  if (all.length < 2) return [[...all]];
  return all.flatMap((one, index) => permutations(all.toSpliced(index, 1)).map((rest) => [one, ...rest]));
}

const anyContainer = fc
  .record({
    state: fc.constantFrom(...STATES),
    configPath: fc.constantFrom(CONFIG, '/w/a/.devcontainer.json'),
    createdAt: fc.integer({ min: 1, max: 3 }),
  })
  .map((seed) => seed);
const listing = fc
  .array(anyContainer, { minLength: 1, maxLength: 5 })
  .map((seeds) => seeds.map((seed, index) => containerOf(`c${index}`, seed)));

describe('selectContainer', () => {
  it('chooses nothing of nothing', () => {
    expect(selectContainer([], exact)).toEqual({ chosen: undefined, candidates: [] });
  });

  it.each(STATES.flatMap((a) => STATES.filter((b) => rank(a) < rank(b)).map((b) => [a, b] as const)))(
    'prefers one that is %s to one that is %s, though the other is newer and has the exact config label',
    (better, worse) => {
      const old = containerOf('z', { state: better, createdAt: 1, configPath: '/elsewhere.json' });
      const young = containerOf('a', { state: worse, createdAt: 9 });
      for (const listed of permutations([old, young])) {
        expect(selectContainer(listed, exact)).toEqual({
          chosen: old,
          candidates: [{ containerId: 'a', name: 'name-a', reason: `it is ${worse}, the chosen one is ${better}` }],
        });
      }
    },
  );

  it('prefers, of equal states, the exact config label to the newest', () => {
    const naming = containerOf('z', { createdAt: 1 });
    const newer = containerOf('a', { createdAt: 9, configPath: '/elsewhere.json' });
    expect(selectContainer([newer, naming], exact)).toMatchObject({
      chosen: { id: 'z' },
      candidates: [{ containerId: 'a', reason: 'it has no label that names the config file' }],
    });
  });

  it('prefers, of equal labels, the newest; of equals in every way the smaller id', () => {
    const [old, b, a] = [
      containerOf('0', { createdAt: 1 }),
      containerOf('b', { createdAt: 9 }),
      containerOf('a', { createdAt: 9 }),
    ];
    expect(selectContainer([old, b, a], exact)).toMatchObject({
      chosen: { id: 'a' },
      candidates: [
        { containerId: 'b', reason: 'it is equal in every way; the smaller id was taken' },
        { containerId: '0', reason: 'it is older' },
      ],
    });
  });

  it('chooses the running one of every pair of state, age and config label, in any order of the listing', () => {
    for (const state of STATES.filter((one) => one !== 'running')) {
      for (const age of [1, 5, 9]) {
        for (const configPath of [CONFIG, '/elsewhere.json']) {
          for (const runningConfig of [CONFIG, '/elsewhere.json']) {
            const runs = containerOf('r', { createdAt: 5, configPath: runningConfig });
            const other = containerOf('o', { state, createdAt: age, configPath });
            for (const listed of permutations([runs, other])) {
              expect(selectContainer(listed, exact).chosen?.id).toBe('r');
            }
          }
        }
      }
    }
  });

  test.prop([listing])('gives the same choice and candidates for every order of the listing', (containers) => {
    const expected = selectContainer(containers, exact);
    for (const listed of permutations(containers)) expect(selectContainer(listed, exact)).toEqual(expected);
  });

  test.prop([listing])('chooses one that none other beats, and lists all others', (containers) => {
    const { chosen, candidates } = selectContainer(containers, exact);
    const beats = (a: Container, b: Container): boolean => {
      if (rank(a.state) !== rank(b.state)) return rank(a.state) < rank(b.state);
      if (exact(a) !== exact(b)) return exact(a);
      return a.createdAt > b.createdAt;
    };
    expect(containers.filter((other) => beats(other, chosen!))).toEqual([]);
    if (containers.some(({ state }) => state === 'running')) expect(chosen?.state).toBe('running');
    const listed = [chosen!.id, ...candidates.map(({ containerId }) => containerId)];
    expect(listed.toSorted()).toEqual(containers.map(({ id }) => id).toSorted());
  });
});
