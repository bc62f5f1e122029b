/** Longest wait for something that has to happen. Far above what it takes; reached only when it never does. ms */
export const PATIENCE = 60_000;
const PAUSE = 25;

/** Asks again and again until the answer is neither false nor undefined; what it threw last is the reason when time is up. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | false | undefined> | T | false | undefined,
  patience = PATIENCE,
): Promise<T> {
  const end = performance.now() + patience;
  let last: unknown;
  do {
    try {
      const answer = await probe();
      if (answer !== false && answer !== undefined) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  } while (performance.now() < end);
  throw new Error(`Waiting for ${what} failed: not within ${patience / 1_000} s.`, { cause: last });
}

/** Prints how long something took. Shown, not judged: how fast it must be is a matter of the benchmark. */
export async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await work();
  console.info(`${what}: ${Math.round(performance.now() - began)} ms`);
  return result;
}
