import { describe, expect, it } from 'vitest';
import { linkedScope } from '../../async/abort.ts';
import { AgentContainersError } from '../../errors.ts';
import { asListed } from '../../testing/build-container.ts';
import { createFakeClock, FAKE_CLOCK_START } from '../../testing/fake-clock.ts';
import { createFakeEngine } from '../../testing/fake-engine.ts';
import { INSPECT_TIMEOUT, INSPECTIONS_AT_ONCE } from '../constants.ts';
import { createContainerDetails } from './container-details.ts';

// As in a listing: many calls at the same time hang on one scope.
const { signal } = linkedScope();

function createWorld() {
  const clock = createFakeClock();
  const engine = createFakeEngine({ clock });
  const details = createContainerDetails(engine, clock);
  const refine = () => details.refine(engine.containers().map(asListed), signal);
  const inspections = (): number => engine.calls.inspectContainer;
  return { clock, engine, details, refine, inspections };
}

describe('details of containers', () => {
  it('tell the exact times, which a listing does not', async () => {
    const { engine, refine } = createWorld();
    engine.addContainer({
      workspaceFolder: '/w/a',
      createdAt: FAKE_CLOCK_START + 250,
      startedAt: FAKE_CLOCK_START + 500,
    });
    expect(await refine()).toMatchObject([{ createdAt: FAKE_CLOCK_START + 250, startedAt: FAKE_CLOCK_START + 500 }]);
  });

  it('are asked once of a container, until something happens to it', async () => {
    const { clock, engine, details, refine, inspections } = createWorld();
    const { id } = engine.addContainer({ workspaceFolder: '/w/a' });
    engine.addContainer({ workspaceFolder: '/w/b' });
    for (let round = 0; round < 3; round++) await refine();
    expect(inspections()).toBe(2);
    await clock.advance(5_000);
    engine.restart(id);
    details.forget(id);
    const refined = await refine();
    expect(inspections()).toBe(3);
    expect(refined.find((one) => one.id === id)?.startedAt).toBe(clock.now());
    await refine();
    expect(inspections()).toBe(3);
  });

  it('are asked of all again when anything may have happened', async () => {
    const { engine, details, refine, inspections } = createWorld();
    for (const folder of ['/w/a', '/w/b', '/w/c']) engine.addContainer({ workspaceFolder: folder });
    await refine();
    details.forget();
    await refine();
    expect(inspections()).toBe(6);
  });

  it.each([
    ['does not run', { workspaceFolder: '/w/a', state: 'exited' as const }],
    ['is paused', { workspaceFolder: '/w/a', state: 'paused' as const }],
    ['has no folder label', {}],
  ])('are not asked of a container that %s', async (_which, seed) => {
    const { engine, refine, inspections } = createWorld();
    engine.addContainer(seed);
    const [listed] = await refine();
    expect(inspections()).toBe(0);
    expect(listed).toEqual(asListed(engine.containers()[0]!));
  });

  it('are kept of a container that has stopped, and asked again when it runs again', async () => {
    const { clock, engine, details, refine, inspections } = createWorld();
    const { id } = engine.addContainer({ workspaceFolder: '/w/a', createdAt: FAKE_CLOCK_START + 250 });
    await refine();
    engine.stop(id);
    details.forget(id);
    expect(await refine()).toMatchObject([{ state: 'exited', createdAt: FAKE_CLOCK_START + 250 }]);
    expect(inspections()).toBe(1);
    await clock.advance(1_000);
    engine.start(id);
    details.forget(id);
    expect(await refine()).toMatchObject([{ startedAt: clock.now() }]);
    expect(inspections()).toBe(2);
  });

  it.each([
    ['went away meanwhile', new AgentContainersError('engine-object-not-found', 'gone')],
    ['cannot be inspected', new AgentContainersError('engine-request-failed', 'it is sick')],
  ])(
    'of a container that %s are left out, and asked for again when something happens to it, or after half a minute',
    async (_which, error) => {
      const { clock, engine, details, refine, inspections } = createWorld();
      engine.addContainer({ workspaceFolder: '/w/a' });
      engine.addContainer({ workspaceFolder: '/w/b' });
      engine.failNext('inspectContainer', error, 2);
      const refined = await refine();
      expect(refined.map(({ startedAt }) => startedAt).filter((at) => at === undefined)).toHaveLength(2);
      await refine();
      expect(inspections()).toBe(2);
      details.forget(refined[0]?.id);
      await refine();
      expect(inspections()).toBe(3);
      await clock.run(30_000);
      expect((await refine()).every(({ startedAt }) => startedAt === FAKE_CLOCK_START)).toBe(true);
    },
  );

  it('stay as they were known while a container cannot be inspected', async () => {
    const { engine, details, refine } = createWorld();
    engine.addContainer({ workspaceFolder: '/w/a' });
    const [before] = await refine();
    details.forget();
    engine.failNext('inspectContainer', new AgentContainersError('engine-request-failed', 'it is sick'));
    expect(await refine()).toEqual([before]);
  });

  it('of a container to which something happened, and that cannot be inspected, are without the start of its run', async () => {
    const { clock, engine, details, refine } = createWorld();
    const { id } = engine.addContainer({ workspaceFolder: '/w/a', createdAt: FAKE_CLOCK_START + 250 });
    await refine();
    await clock.advance(1_000);
    engine.restart(id);
    details.forget(id);
    engine.failNext('inspectContainer', new AgentContainersError('engine-request-failed', 'it is sick'));
    const [unknown] = await refine();
    expect(unknown).toMatchObject({ createdAt: FAKE_CLOCK_START + 250 });
    expect(unknown?.startedAt).toBeUndefined();
    await clock.run(30_000);
    expect(await refine()).toMatchObject([{ startedAt: FAKE_CLOCK_START + 1_000 }]);
  });

  it('that an inspection does not answer in time are left out; the others are there', async () => {
    const { clock, engine, refine } = createWorld();
    engine.addContainer({ workspaceFolder: '/w/a' });
    const gate = engine.hang('inspectContainer');
    const refining = refine();
    await gate.reached();
    await clock.advance(INSPECT_TIMEOUT);
    expect((await refining).map(({ startedAt }) => startedAt)).toEqual([undefined]);
    expect(clock.pending()).toEqual([]);
  });

  it('fail the listing when that itself was given up', async () => {
    const { clock, engine, details } = createWorld();
    engine.addContainer({ workspaceFolder: '/w/a' });
    const gate = engine.hang('inspectContainer');
    const listing = new AbortController();
    const refining = details.refine(engine.containers().map(asListed), listing.signal);
    await gate.reached();
    listing.abort(new Error('the listing was given up'));
    await expect(refining).rejects.toThrow('the listing was given up');
    expect(clock.pending()).toEqual([]);
  });

  it('are old when something happened while they were asked, and are asked again', async () => {
    const { clock, engine, details, refine, inspections } = createWorld();
    const { id } = engine.addContainer({ workspaceFolder: '/w/a' });
    const gate = engine.hang('inspectContainer', { at: 'answer' });
    const first = refine();
    await gate.reached();
    await clock.advance(1_000);
    engine.restart(id);
    details.forget(id);
    gate.open();
    await first;
    expect((await refine())[0]?.startedAt).toBe(clock.now());
    expect(inspections()).toBe(2);
  });

  it('are forgotten with the container', async () => {
    const { engine, refine, inspections } = createWorld();
    const seed = { id: 'same', workspaceFolder: '/w/a' };
    engine.addContainer(seed);
    await refine();
    engine.remove('same');
    await refine();
    engine.addContainer(seed);
    await refine();
    expect(inspections()).toBe(2);
  });

  it('are asked of so many containers at the same time, and no more', async () => {
    const { clock, engine, refine } = createWorld();
    for (let index = 0; index < INSPECTIONS_AT_ONCE + 5; index++)
      engine.addContainer({ workspaceFolder: `/w/${index}` });
    const gate = engine.hang('inspectContainer');
    const refining = refine();
    await clock.settle();
    expect(gate.waiting).toBe(INSPECTIONS_AT_ONCE);
    gate.open();
    const refined = await refining;
    expect(refined.every(({ startedAt }) => startedAt !== undefined)).toBe(true);
  });
});
