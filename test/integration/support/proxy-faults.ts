/** What can go wrong with one exchange. `after`: the engine has done what was asked, and the answer does not arrive. */
export type Fault =
  /** The connection breaks. */
  | { readonly kind: 'drop'; readonly when: 'before' | 'after' }
  /** Everything takes so much longer, in ms; `after`: only the answer. */
  | { readonly kind: 'delay'; readonly when: 'before' | 'after'; readonly ms: number }
  /** The connection stays, and nothing comes. */
  | { readonly kind: 'freeze'; readonly when: 'before' | 'after' }
  /** The connection breaks, or with `cleanly` the answer ends, after so many bytes of it. */
  | { readonly kind: 'truncate'; readonly bytes: number; readonly cleanly?: boolean }
  /** The engine is not asked, and this is answered. */
  | { readonly kind: 'answer'; readonly status: number; readonly message?: string };

export interface FaultRule {
  /** Default: every method. */
  readonly method?: string;
  /** Tested against the path without API version and query. Default: every path. */
  readonly path?: RegExp;
  /** How many exchanges it spoils. Default: all until it is taken away. */
  readonly times?: number;
  readonly fault: Fault;
}

/** What is done to event streams, at any time. Numbers are chances from 0 to 1, drawn for each event. */
export interface EventFaults {
  readonly duplicate?: number;
  /** Delivered after the next one, or a little later. */
  readonly reorder?: number;
  readonly lose?: number;
}

/** Chances from 0 to 1, drawn for each exchange; what is left over goes well. */
export interface RandomFaults extends EventFaults {
  readonly drop?: number;
  readonly delay?: number;
  /** ms */
  readonly longestDelay?: number;
  readonly freeze?: number;
  readonly truncate?: number;
  readonly error?: number;
}

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One fault, or none. */
export function drawFault(chances: RandomFaults, random: () => number): Fault | undefined {
  const when = random() < 0.5 ? 'before' : 'after';
  const faults: [number | undefined, () => Fault][] = [
    [chances.drop, () => ({ kind: 'drop', when })],
    [chances.delay, () => ({ kind: 'delay', when, ms: Math.floor(random() * (chances.longestDelay ?? 200)) })],
    [chances.freeze, () => ({ kind: 'freeze', when })],
    [chances.truncate, () => ({ kind: 'truncate', bytes: Math.floor(random() * 300), cleanly: random() < 0.5 })],
    [chances.error, () => ({ kind: 'answer', status: 500, message: 'the proxy says no' })],
  ];
  let drawn = random();
  for (const [chance = 0, make] of faults) {
    if (drawn < chance) return make();
    drawn -= chance;
  }
  return undefined;
}
