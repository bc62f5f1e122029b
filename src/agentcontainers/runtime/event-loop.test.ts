import { describe, expect, it } from 'vitest';
import { AgentContainersError } from '../../errors.ts';
import { createFakeClock, FAKE_CLOCK_START } from '../../testing/fake-clock.ts';
import { createFakeEngine } from '../../testing/fake-engine.ts';
import { createRecordingLogger } from '../../testing/recording-logger.ts';
import type { Observation } from '../model/state.ts';
import type { ContainerEngine } from '../ports.ts';
import { createEventLoop } from './event-loop.ts';
import type { Runtime } from './runtime.ts';

function createWorld(random: () => number = () => 1) {
  const clock = createFakeClock();
  const engine = createFakeEngine({ clock });
  const logger = createRecordingLogger();
  const closing = new AbortController();
  const log: string[] = [];
  const opened: { readonly at: number; readonly since: number }[] = [];
  let observation: Observation = { status: 'none' };
  const observe = (): void => {
    observation = engineIsUp
      ? { status: 'ok', at: clock.now() }
      : { status: 'failed', message: 'down', at: clock.now() };
  };
  let engineIsUp = true;
  const watched: Pick<ContainerEngine, 'events'> = {
    events(query) {
      opened.push({ at: clock.now() - FAKE_CLOCK_START, since: query.since - FAKE_CLOCK_START });
      return engine.events(query);
    },
  };
  const rt = {
    ports: { clock, logger, engine: watched },
    closing: closing.signal,
    store: {
      get state() {
        return { observation };
      },
    },
    async pass() {
      log.push('pass');
      observe();
    },
  } as unknown as Runtime;
  const loop = createEventLoop(
    rt,
    {
      onEvent: (id) => log.push(`event of ${id}`),
      onImageEvent: () => log.push('image event'),
      onGap: () => log.push('gap'),
    },
    random,
  );
  return {
    clock,
    engine,
    logger,
    loop,
    /** What the loop did, in order. */
    log,
    /** When streams were asked for, and from when on; milliseconds after the start. */
    opened,
    observe,
    goDown() {
      engineIsUp = false;
      engine.goDown();
    },
    comeBack() {
      engineIsUp = true;
      engine.comeBack();
    },
    run: () => loop.run(),
    close: () => closing.abort(new Error('closing')),
  };
}

describe('the event loop', () => {
  it('opens a stream that overlaps with the past, and tells of each event', async () => {
    const { clock, engine, log, opened, run, close } = createWorld();
    const ended = run();
    await clock.settle();
    expect(opened).toEqual([{ at: 0, since: -2_000 }]);
    engine.addContainer({ id: 'c1' });
    await clock.settle();
    expect(log.length).toBeGreaterThan(0);
    expect(new Set(log)).toEqual(new Set(['event of c1']));
    close();
    await ended;
    expect([engine.openEventStreams, clock.pending()]).toEqual([0, []]);
  });

  it('tells of images apart from containers; they too prove that the stream is open', async () => {
    const { clock, engine, log, loop, run, close, observe } = createWorld();
    observe();
    const ended = run();
    await clock.settle();
    engine.addImage('app:1');
    await clock.settle();
    expect(log).toEqual(['image event']);
    expect(loop.isHealthy()).toBe(true);
    engine.addImage('app:1');
    await clock.settle();
    expect(log).toHaveLength(3);
    expect(new Set(log)).toEqual(new Set(['image event']));
    close();
    await ended;
  });

  it('opens the stream anew when it ends: first the gap is told and a pass is made', async () => {
    const { clock, engine, log, opened, run, close } = createWorld();
    const ended = run();
    await clock.run(60_000);
    engine.addContainer({ id: 'c1' });
    await clock.run(60_000);
    log.length = 0;
    engine.cutEvents();
    await clock.settle();
    expect(log).toEqual([]);
    await clock.advanceToNext();
    expect(log.slice(0, 2)).toEqual(['gap', 'pass']);
    // From a little before the last event that it knows, so that nothing falls into the gap.
    expect(opened.at(-1)).toMatchObject({ since: 58_000 });
    expect(log.filter((one) => one === 'event of c1').length).toBeGreaterThan(0);
    close();
    await ended;
  });

  it('opens the stream anew when it has been silent for five minutes, without a word in the log', async () => {
    const { clock, engine, opened, run, close, logger } = createWorld();
    const ended = run();
    await clock.run(200_000);
    engine.addContainer({ id: 'c1' });
    await clock.run(299_999);
    expect(opened).toHaveLength(1);
    await clock.run(1);
    await clock.run(500);
    expect(opened).toEqual([
      { at: 0, since: -2_000 },
      { at: 500_500, since: 198_000 },
    ]);
    expect(engine.openEventStreams).toBe(1);
    expect(logger.entries).toEqual([]);
    close();
    await ended;
  });

  it.each([
    ['the longest', 1, 1_000, 30_000],
    ['the shortest', 0, 500, 15_000],
  ])('backs off while the engine is gone, with %s jitter', async (_how, random, first, last) => {
    const { clock, opened, goDown, run, close } = createWorld(() => random);
    goDown();
    const ended = run();
    await clock.settle();
    const waits: number[] = [];
    for (let tries = 1; tries <= 8; tries++) {
      expect(opened).toHaveLength(tries);
      expect(clock.pending()).toHaveLength(1);
      waits.push(await clock.advanceToNext());
    }
    expect(waits[0]).toBeLessThanOrEqual(first);
    for (let index = 1; index < waits.length; index++) {
      expect(waits[index]).toBe(Math.min(last, 2 * (waits[index - 1] ?? 0)));
    }
    expect(waits.at(-1)).toBe(last);
    close();
    await ended;
    expect(clock.pending()).toEqual([]);
  });

  it('says nothing while the engine is away: that listings fail has been said', async () => {
    const { clock, logger, goDown, run, close } = createWorld();
    const ended = run();
    await clock.run(1_000);
    goDown();
    await clock.run(600_000);
    expect(logger.entries).toEqual([]);
    close();
    await ended;
  });

  it('says once that events fail while listings work, and once that they come again', async () => {
    const { clock, engine, logger, run, close } = createWorld();
    const ended = run();
    for (let outage = 1; outage <= 2; outage++) {
      await clock.settle();
      engine.failNext(
        'events',
        new AgentContainersError('engine-request-failed', 'Reading events failed: bad frame.'),
        3,
      );
      engine.cutEvents(new Error('Reading events failed: connection lost.'));
      await clock.run(200_000);
      expect(logger.messages('warn')).toHaveLength(outage);
      for (let count = 0; count < 3; count++) engine.addContainer({ id: `c${outage}${count}` });
      await clock.settle();
      expect(logger.messages('info')).toEqual(
        Array.from({ length: outage }, () => 'Following the events of the engine works again.'),
      );
    }
    expect(logger.messages('warn')[0]).toBe(
      'Reading events failed: bad frame. Changes are seen with the next update until it works again.',
    );
    close();
    await ended;
  });

  it('says nothing of a stream that broke once, as it does when the engine is restarted', async () => {
    const { clock, engine, logger, run, close } = createWorld();
    const ended = run();
    await clock.settle();
    engine.cutEvents(new Error('Reading events failed: connection lost.'));
    await clock.run(60_000);
    expect(logger.messages('warn')).toEqual([]);
    close();
    await ended;
  });

  it('opens a stream that was of use again soon after it broke, whatever it waited before', async () => {
    const { clock, engine, opened, run, close } = createWorld();
    const ended = run();
    await clock.settle();
    engine.failNext('events', new AgentContainersError('engine-unreachable', 'Connecting failed.'), 6);
    engine.cutEvents(new Error('Reading events failed: connection lost.'));
    await clock.run(120_000);
    engine.addContainer({ id: 'c1' });
    await clock.settle();
    const before = clock.now() - FAKE_CLOCK_START;
    engine.cutEvents(new Error('Reading events failed: connection lost.'));
    await clock.run(5_000);
    expect((opened.at(-1)?.at ?? 0) - before).toBe(500);
    close();
    await ended;
  });

  it('waits longer and longer for a stream that ends at once, but not for one that was of use', async () => {
    const { clock, engine, run, close } = createWorld();
    const ended = run();
    const waitAfterCut = async (): Promise<number> => {
      await clock.settle();
      engine.cutEvents();
      await clock.settle();
      return clock.advanceToNext();
    };
    const first = await waitAfterCut();
    expect(await waitAfterCut()).toBe(2 * first);
    expect(await waitAfterCut()).toBe(4 * first);
    await clock.settle();
    engine.addContainer({ id: 'c1' });
    expect(await waitAfterCut()).toBe(500);
    close();
    await ended;
  });

  it('is healthy only while a stream has brought an event and the last pass succeeded', async () => {
    const { clock, engine, loop, run, close, observe, goDown, comeBack } = createWorld();
    observe();
    const ended = run();
    await clock.settle();
    expect(loop.isHealthy()).toBe(false);
    engine.addContainer({ id: 'c1' });
    await clock.settle();
    expect(loop.isHealthy()).toBe(true);
    goDown();
    await clock.settle();
    expect(loop.isHealthy()).toBe(false);
    observe();
    comeBack();
    await clock.run(10_000);
    expect(engine.openEventStreams).toBe(1);
    engine.addContainer({ id: 'c2' });
    observe();
    await clock.settle();
    expect(loop.isHealthy()).toBe(true);
    close();
    await ended;
    expect(loop.isHealthy()).toBe(false);
  });

  it('ends at once while it waits, and never begins when the library is closing', async () => {
    const waiting = createWorld();
    waiting.goDown();
    const ended = waiting.run();
    await waiting.clock.settle();
    waiting.close();
    await ended;
    expect([waiting.log, waiting.clock.pending()]).toEqual([[], []]);
    const late = createWorld();
    late.close();
    await late.run();
    expect(late.opened).toEqual([]);
  });
});
