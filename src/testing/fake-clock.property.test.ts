import { fc, test } from '@fast-check/vitest';
import { expect } from 'vitest';
import type { Timer } from '../clock/clock.ts';
import { createFakeClock } from './fake-clock.ts';

type Action =
  | { readonly do: 'once'; readonly ms: number; readonly childMs: number | undefined }
  | { readonly do: 'tick'; readonly ms: number }
  | { readonly do: 'stop'; readonly index: number }
  | { readonly do: 'advance' | 'run'; readonly ms: number };

interface ModelTimer {
  readonly id: string;
  at: number;
  armed: number;
  readonly period?: number;
  readonly childMs?: number | undefined;
}

const ms = (max: number) => fc.integer({ min: 0, max });
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ do: fc.constant('once' as const), ms: ms(12), childMs: fc.option(ms(6), { nil: undefined }) }),
  fc.record({ do: fc.constant('tick' as const), ms: fc.integer({ min: 1, max: 12 }) }),
  fc.record({ do: fc.constant('stop' as const), index: fc.nat(20) }),
  fc.record({ do: fc.constantFrom('advance' as const, 'run' as const), ms: ms(15) }),
);

/** Timers as a list: of those that are due the earliest fires, of equals the one that was armed first. */
function createModel() {
  const timers: ModelTimer[] = [];
  const log: string[] = [];
  let now = 0;
  let sequence = 0;

  const first = () => timers.toSorted((a, b) => a.at - b.at || a.armed - b.armed)[0];
  function arm(id: string, delay: number, more: Pick<ModelTimer, 'period' | 'childMs'>): void {
    timers.push({ id, at: now + delay, armed: sequence++, ...more });
  }
  function drop(timer: ModelTimer): void {
    timers.splice(timers.indexOf(timer), 1);
  }

  return {
    log,
    arm,
    stop(id: string): boolean {
      const timer = timers.find((candidate) => candidate.id === id);
      if (timer) drop(timer);
      return timer !== undefined;
    },
    refuses: (target: number) => (first()?.at ?? Infinity) < target,
    moveTo(target: number): void {
      for (let timer = first(); timer && timer.at <= target; timer = first()) {
        now = timer.at;
        log.push(`${timer.id} at ${now}`);
        if (timer.period === undefined) {
          drop(timer);
          if (timer.childMs !== undefined) arm(`${timer.id}'`, timer.childMs, {});
        } else {
          timer.at += timer.period;
          timer.armed = sequence++;
        }
      }
      now = target;
    },
    now: () => now,
    pending: () => timers.toSorted((a, b) => a.at - b.at || a.armed - b.armed).map(({ id, at }) => ({ tag: id, at })),
  };
}

test.prop([fc.array(action, { maxLength: 25 })], { numRuns: 150 })(
  'timers fire in the order of a simple model, and no step goes past one',
  async (actions) => {
    const clock = createFakeClock({ start: 0 });
    const model = createModel();
    const log: string[] = [];
    const armed: { readonly id: string; readonly timer: Timer }[] = [];

    for (const [index, step] of actions.entries()) {
      const id = `t${index}`;
      switch (step.do) {
        case 'once': {
          const { childMs } = step;
          const timer = clock.afterFunc(
            step.ms,
            () => {
              log.push(`${id} at ${clock.now()}`);
              if (childMs === undefined) return;
              clock.afterFunc(childMs, () => void log.push(`${id}' at ${clock.now()}`), `${id}'`);
            },
            id,
          );
          armed.push({ id, timer });
          model.arm(id, step.ms, { childMs });
          break;
        }
        case 'tick': {
          const timer = clock.tickerFunc(step.ms, async () => void log.push(`${id} at ${clock.now()}`), id);
          armed.push({ id, timer });
          model.arm(id, step.ms, { period: step.ms });
          break;
        }
        case 'stop': {
          const target = armed[step.index];
          if (target) expect(target.timer.stop()).toBe(model.stop(target.id));
          break;
        }
        case 'advance': {
          const target = model.now() + step.ms;
          if (model.refuses(target)) {
            await expect(clock.advance(step.ms)).rejects.toThrow(`"${model.pending()[0]?.tag}"`);
          } else {
            await clock.advance(step.ms);
            model.moveTo(target);
          }
          break;
        }
        case 'run':
          await clock.run(step.ms);
          model.moveTo(model.now() + step.ms);
          break;
      }
      expect(log).toEqual(model.log);
      expect(clock.now()).toBe(model.now());
      expect(clock.pending()).toEqual(model.pending());
    }
  },
  60_000,
);
