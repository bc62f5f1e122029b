import { describe, expect, it } from 'vitest';
import { claimOf, containerOf, createScenario, FOLDER } from '../../../test/property/support/model-scenario.ts';

const OTHER = '/x/a';
const seenOnly = containerOf('c2', { workspaceFolder: OTHER });

describe('the name of an entry that is only seen', () => {
  it('is not held: what is ours is called as if it were not there', () => {
    const scenario = createScenario();
    scenario.observe([seenOnly], { claims: [claimOf(seenOnly, { proven: false })] });
    expect(scenario.entry(OTHER)).toMatchObject({ name: 'a', level: 'seen' });
    scenario.register();
    expect(scenario.entry().name).toBe('a');
  });

  it('is made free among the others when its claim is proven later', () => {
    const scenario = createScenario();
    scenario.observe([seenOnly], { claims: [claimOf(seenOnly, { proven: false })] });
    scenario.register();
    scenario.observe([seenOnly]);
    expect(scenario.entry(OTHER)).toMatchObject({ name: 'x-a', level: 'adopted' });
    expect(scenario.entry().name).toBe('a');
  });

  it('is made free when a person adopts it', () => {
    const scenario = createScenario({ adopt: 'none' });
    scenario.observe([seenOnly]);
    scenario.register(FOLDER);
    scenario.register(OTHER);
    expect(scenario.entry(OTHER)).toMatchObject({ name: 'x-a', level: 'adopted' });
  });

  it('that the manifest chose is never altered', () => {
    const scenario = createScenario({ adopt: 'none' });
    scenario.observe([seenOnly]);
    scenario.register(FOLDER);
    scenario.register(OTHER, { origin: 'manifest', name: 'a' });
    expect(scenario.entry(OTHER)).toMatchObject({ name: 'a', nameSource: 'chosen' });
    expect(scenario.entry(FOLDER).name).toBe('a');
  });
});
