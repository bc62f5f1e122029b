import { describe, expect, it } from 'vitest';
import { createScenario, FOLDER, typesOf } from '../../../test/property/support/model-scenario.ts';

function create() {
  const scenario = createScenario();
  const choose = (id: string, project: string) => scenario.dispatch({ type: 'projectChosen', id, project });
  return { scenario, choose, noted: () => [...scenario.state.projects] };
}

describe('the compose project of an entry', () => {
  it('is noted and written, once', () => {
    const { choose, noted } = create();
    expect(typesOf(choose(FOLDER, 'a'))).toEqual(['persist']);
    expect(choose(FOLDER, 'a')).toEqual([]);
    expect(noted()).toEqual([[FOLDER, 'a']]);
    expect(typesOf(choose(FOLDER, 'b'))).toEqual(['persist']);
    expect(noted()).toEqual([[FOLDER, 'b']]);
  });

  it('goes over from one that is gone to the next that has it; of two that are there both keep it', () => {
    const { scenario, choose, noted } = create();
    scenario.register('/w/b');
    choose('/w/gone', 'a');
    choose('/w/b', 'a');
    choose(FOLDER, 'a');
    expect(noted()).toEqual([
      ['/w/b', 'a'],
      [FOLDER, 'a'],
    ]);
  });

  it('is noted for a bounded number of entries, the newest', () => {
    const { choose, noted } = create();
    for (let index = 0; index < 1_010; index++) choose(`/w/${index}`, `p${index}`);
    choose('/w/10', 'p10');
    expect(noted()).toHaveLength(1_000);
    expect(noted().at(-1)).toEqual(['/w/10', 'p10']);
    expect(noted()[0]?.[0]).toBe('/w/11');
  });
});
